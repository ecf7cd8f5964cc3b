"""Results files of the gauntlet on the code as it is, read back: every seed there once, the sums right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tracrcheck.records import validate
from tracrcheck.records.validate import NUMBER, TEXT_OR_NONE, fields

SCHEMA = "tracrcheck.false_alarms/1"
TOP = {"schema": str, "run": dict, "summary": dict, "runs": list}
ASKED = {"seeds": list, "programs": list, "ablations": list, "method": str}
RUN = {"seed": int, "red": TEXT_OR_NONE, "error": TEXT_OR_NONE, "seconds": NUMBER}
SUMMARY = {"runs": int, "red": int, "errors": int}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietRun:
    """The gauntlet once. red: the first check that failed, a false alarm; error: why nothing was checked."""

    seed: int
    red: str | None
    error: str | None
    seconds: float

    @property
    def quiet(self) -> bool:
        """Whether every check was green."""
        return self.red is None and self.error is None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class FalseAlarmResults:
    """A results file of runs without any fault: `run` says how it was made (docs/json.md)."""

    path: Path
    run: dict[str, Any]
    runs: tuple[QuietRun, ...]

    units_are = "runs"
    line_each = ("runs",)

    @classmethod
    def from_json(cls, path: Path, document: Mapping[str, Any]) -> FalseAlarmResults:
        """Of a document without problems."""
        return cls(path=path, run=document["run"], runs=tuple(QuietRun(**r) for r in document["runs"]))

    @property
    def units(self) -> tuple[QuietRun, ...]:
        """What is made again, one by one, where the file is checked."""
        return self.runs

    @property
    def exit_code(self) -> int:
        """0 if every run was quiet."""
        return int(any(not run.quiet for run in self.runs))

    @property
    def document(self) -> dict[str, Any]:
        """As it stands in the file."""
        return document(self.run, self.runs)


def summary_of(runs: Sequence[QuietRun]) -> dict[str, int]:
    return {
        "runs": len(runs),
        "red": sum(run.red is not None for run in runs),
        "errors": sum(run.error is not None for run in runs),
    }


def document(run: Mapping[str, Any], runs: Sequence[QuietRun]) -> dict[str, Any]:
    rows = [row.to_json() for row in runs]
    return {"schema": SCHEMA, "run": dict(run), "summary": summary_of(runs), "runs": rows}


def problems(document: Mapping[str, Any]) -> list[str]:
    """What is wrong with a document of this schema, in words; nothing where it is as docs/json.md says."""
    found = fields("file", document, TOP)
    if found:
        return found
    found = validate.run(document["run"], ASKED) + fields("summary", document["summary"], SUMMARY)
    for number, row in enumerate(document["runs"]):
        found += fields(f"runs[{number}]", row, RUN)
    return found or [*_whole(document), *_sums(document)]


def _whole(document: Mapping[str, Any]) -> list[str]:
    """Each seed once, and none that was not asked for; of a finished run, all."""
    found, asked = [], set(document["run"]["asked"]["seeds"])
    seeds = [row["seed"] for row in document["runs"]]
    if len(set(seeds)) < len(seeds):
        found.append("runs: a seed stands there twice")
    if more := sorted(set(seeds) - asked):
        found.append(f"runs: seeds that were not asked for: {', '.join(map(str, more))}")
    if document["run"]["finished"] and (fewer := sorted(asked - set(seeds))):
        found.append(f"runs: without seed {fewer[0]}, of a run that is called finished")
    return found


def _sums(document: Mapping[str, Any]) -> list[str]:
    counted = summary_of([QuietRun(**row) for row in document["runs"]])
    return [
        f"summary.{name}: {document['summary'][name]}, but the runs come to {n}"
        for name, n in counted.items()
        if document["summary"][name] != n
    ]
