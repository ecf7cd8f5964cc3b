"""The seeded faults by name."""

from pathlib import Path

from tracrcheck.mutants import faults
from tracrcheck.mutants.base import Mutant

TOPICS = (
    "masks", "engine", "fused", "blocks", "ablations", "gates", "training", "metrics", "scores", "tasks", "blind",
    "core_tests_only", "truth", "runs_and_reports", "blind_second", "blind_third", "blind_fourth", "blind_fifth",
)  # fmt: skip
FOLDER = Path(faults.__file__).parent
MUTANTS: dict[str, Mutant] = faults.read_tables(FOLDER / f"{topic}.toml" for topic in TOPICS)

__all__ = ["MUTANTS", "Mutant"]
