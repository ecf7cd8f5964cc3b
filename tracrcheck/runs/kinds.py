"""The kinds of run, by the schema of their results files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tracrcheck.runs.compare import COMPARE
from tracrcheck.runs.false_alarms import FALSE_ALARMS
from tracrcheck.runs.fuzz import FUZZ
from tracrcheck.runs.gate import GATE
from tracrcheck.runs.invariants import INVARIANT_RUNS
from tracrcheck.runs.mutants import MUTANT_RUNS
from tracrcheck.runs.results import RunKind, RunResults, loaded, unknown_file

RUNS: dict[str, RunKind] = {
    kind.schema: kind for kind in (GATE, FUZZ, INVARIANT_RUNS, MUTANT_RUNS, FALSE_ALARMS, COMPARE)
}


def kind_of(results: RunResults) -> RunKind:
    return RUNS[results.schema]


def read_any(path: Path) -> Any:
    """The results in a file of any kind, as its schema says. Errors: TC143, with everything that is wrong."""
    document = loaded(path)
    schema = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(schema, str) or schema not in RUNS:
        raise unknown_file(path, f"schema: {schema!r}", " or ".join(RUNS))
    return RUNS[schema].read(path, document)
