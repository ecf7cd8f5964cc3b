"""The kinds of run, by the schema of their results files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeprune_core.lazy import Lazy, Table
from tracrcheck.runs.results import RunKind, RunResults, loaded, unknown_file

RUNS: Table[RunKind] = Table({
    "tracrcheck.gate/1": Lazy("tracrcheck.runs.gate:GATE"),
    "tracrcheck.fuzz/1": Lazy("tracrcheck.runs.fuzz:FUZZ"),
    "tracrcheck.invariants/1": Lazy("tracrcheck.runs.invariants:INVARIANT_RUNS"),
    "tracrcheck.mutants/1": Lazy("tracrcheck.runs.mutants:MUTANT_RUNS"),
    "tracrcheck.false_alarms/1": Lazy("tracrcheck.runs.false_alarms:FALSE_ALARMS"),
    "tracrcheck.peers/1": Lazy("tracrcheck.runs.peers:PEERS"),
    "tracrcheck.plants/1": Lazy("tracrcheck.runs.plants:PLANTS"),
    "tracrcheck.compare/1": Lazy("tracrcheck.runs.compare:COMPARE"),
})  # fmt: skip


def kind_of(results: RunResults) -> RunKind:
    return RUNS[results.schema]


def read_any(path: Path) -> Any:
    """The results in a file of any kind, as its schema says. Errors: TC143, with everything that is wrong."""
    document = loaded(path)
    schema = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(schema, str) or schema not in RUNS:
        raise unknown_file(path, f"schema: {schema!r}", " or ".join(RUNS))
    return RUNS[schema].read(path, document)
