"""Results files of the seeded faults, read back: every field there and of its type, every fault once, the sums right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tracrcheck.records import validate
from tracrcheck.records.validate import NUMBER, TEXT_OR_NONE, fields

SCHEMA = "tracrcheck.mutants/1"
Status = Literal["killed", "survived", "error"]
STATUSES = ("killed", "survived", "error")
TOP = {"schema": str, "run": dict, "summary": dict, "mutants": list}
# What was asked, by what checks the copies: the gauntlet, or the test suite.
ASKED: dict[str, dict[str, Any]] = {
    "gauntlet": {
        "mutants": list, "by": str, "programs": list, "ablations": list, "method": str, "seed": int,
    },
    "suite": {"mutants": list, "by": str, "tests": list},
}  # fmt: skip
FOUND = {
    "name": str, "why": str, "status": str, "killed_by": TEXT_OR_NONE, "seconds": NUMBER, "blind": bool,
}  # fmt: skip
COUNTS = {"killed": int, "survived": int, "error": int, "total": int}
SUMMARY = {**COUNTS, "blind": dict, "seconds": NUMBER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """killed_by: the first check that failed, with its assertion; of an error, why nothing was checked."""

    name: str
    why: str
    status: Status
    killed_by: str | None
    seconds: float
    blind: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class MutantResults:
    """A results file of the seeded faults: `run` says how it was made (docs/json.md)."""

    path: Path
    run: dict[str, Any]
    found: tuple[Found, ...]

    units_are = "seeded faults"
    line_each = ("mutants",)

    @classmethod
    def from_json(cls, path: Path, document: Mapping[str, Any]) -> MutantResults:
        """Of a document without problems."""
        return cls(path=path, run=document["run"], found=tuple(Found(**m) for m in document["mutants"]))

    @property
    def exit_code(self) -> int:
        """0 if every fault was killed."""
        return int(any(row.status != "killed" for row in self.found))

    @property
    def by(self) -> str:
        """What checked the copies."""
        return self.run["asked"]["by"]

    @property
    def document(self) -> dict[str, Any]:
        """As it stands in the file."""
        return document(self.run, self.found)

    @property
    def units(self) -> tuple[Found, ...]:
        """What is made again, one by one, where the file is checked."""
        return self.found


def summary_of(found: Sequence[Found]) -> dict[str, Any]:
    """How many of each status; of those written blind apart."""

    def counts(rows: Sequence[Found]) -> dict[str, int]:
        return {**{s: sum(row.status == s for row in rows) for s in STATUSES}, "total": len(rows)}

    seen = counts([row for row in found if not row.blind])
    return {**seen, "blind": counts([row for row in found if row.blind])}


def document(run: Mapping[str, Any], found: Sequence[Found]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "run": dict(run),
        "summary": {**summary_of(found), "seconds": run["seconds"]},
        "mutants": [row.to_json() for row in found],
    }


def problems(document: Mapping[str, Any]) -> list[str]:
    """What is wrong with a document of this schema, in words; nothing where it is as docs/json.md says."""
    found = fields("file", document, TOP)
    if found:
        return found
    asked = document["run"].get("asked")
    by = asked.get("by") if isinstance(asked, dict) else None
    if by not in ASKED:
        return [f"run.asked.by: {by!r}, not one of {', '.join(ASKED)}"]
    found = validate.run(document["run"], ASKED[by]) + fields("summary", document["summary"], SUMMARY)
    found += fields("summary.blind", document["summary"].get("blind"), COUNTS)
    if any(not isinstance(name, str) for name in asked.get("mutants") or ()):
        found.append("run.asked.mutants: not names alone")
    for number, row in enumerate(document["mutants"]):
        found += _row(f"mutants[{number}]", row)
    return found or [*_whole(document), *_sums(document)]


def _row(where: str, row: Any) -> list[str]:
    if found := fields(where, row, FOUND):
        return found
    if row["status"] not in STATUSES:
        return [f"{where}.status: {row['status']!r}"]
    if (row["status"] == "survived") != (row["killed_by"] is None):
        return [f"{where}.killed_by: {row['killed_by']!r} where it {row['status']}"]
    return []


def _whole(document: Mapping[str, Any]) -> list[str]:
    """Each fault once, and none that was not asked for; of a finished run, all."""
    found, asked = [], document["run"]["asked"]["mutants"]
    names = [row["name"] for row in document["mutants"]]
    if len(set(names)) < len(names):
        found.append("mutants: one stands there twice")
    if more := sorted(set(names) - set(asked)):
        found.append(f"mutants: some that were not asked for: {', '.join(more)}")
    if document["run"]["finished"] and (fewer := sorted(set(asked) - set(names))):
        found.append(f"mutants: without {', '.join(fewer)}, of a run that is called finished")
    return found


def _sums(document: Mapping[str, Any]) -> list[str]:
    counted = summary_of([Found(**row) for row in document["mutants"]])
    return [
        f"summary.{name}: {document['summary'][name]}, but the faults come to {n}"
        for name, n in counted.items()
        if document["summary"][name] != n
    ]
