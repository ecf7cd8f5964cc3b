"""The seeded faults checked by the default tests instead of the gauntlet.

    python -m ci.faults.suite run --jobs 2 --json suite.json
    python -m ci.faults.suite recheck suite.json

Works in a checkout only. The results file is that of `tracrcheck mutants`, with `by: suite`.
"""

from __future__ import annotations

import ast
import shlex
import sys
from pathlib import Path

import typer

from ci.faults.suite_process import SKIPPED, TESTS
from tracrcheck.commands import mutants as seeding
from tracrcheck.commands.arguments import RunOptions
from tracrcheck.commands.base import command
from tracrcheck.commands.results import recheck
from tracrcheck.mutants.checks import Job
from tracrcheck.mutants.sandbox import Way
from tracrcheck.records.sources import sources_of
from tracrcheck.runs import mutants as runner

ROOT = Path(__file__).resolve().parents[2]
# The tests bring their own truths.
NOTHING = Job(programs=(), truths={}, out=Path())
# Without a fault, the suite takes about 290 seconds of CPU time. Each test has a limit of its own.
SUITE = Way(
    module="ci.faults.suite_process",
    imports=("tracrcheck.mutants.checks",),
    root=ROOT,
    beside=(
        "tests", "programs", "docs", "pyproject.toml", "ci/certificates.json", "ci/subjects",
        "ci/faults/suite_process.py",
    ),
    processor=5400,
    endless=False,
)  # fmt: skip


def battery() -> runner.Battery:
    roots = (*runner.ROOTS, *runner.METHODS_ASKED, *modules())
    return runner.Battery(
        by="suite",
        job=NOTHING,
        way=SUITE,
        asked={"tests": list(TESTS)},
        sources=sources_of(files(), roots=roots),
    )


def files() -> list[Path]:
    """Every file that the suite is made of: tests, programs and this script."""
    folders = [ROOT / name for name in (*TESTS, "tests/regressions", "programs", "ci/faults")]
    folders = [path.parent if path.suffix == ".py" else path for path in folders]
    skipped = [ROOT / name for name in SKIPPED]
    found = {path for folder in folders for path in folder.rglob("*") if path.is_file()}
    return sorted(
        path
        for path in {*found, *(ROOT / "tests").glob("*.py")}
        if path.suffix != ".pyc" and not any(path.is_relative_to(folder) for folder in skipped)
    )


def modules() -> list[str]:
    """Every module that the suite imports, ours or third-party."""
    found: set[str] = set()
    for path in files():
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.Import):
                    found |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return sorted(found)


@command
def run(options: RunOptions, only: seeding.Only = None, unchecked: seeding.Unchecked = False) -> None:
    """Seed faults in copies of the checkout, one at a time: exit 1 if all tests stay green."""
    words = shlex.join(["python", "-m", "ci.faults.suite", *sys.argv[1:]])
    seeding.hunt(runner.chosen(only or []), battery(), words, options, unchecked=unchecked)


runner.BATTERIES["suite"] = battery
app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
app.command()(run)
app.command()(recheck)

if __name__ == "__main__":
    app()
