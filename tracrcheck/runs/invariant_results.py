"""Results files of the invariants, read back: every field there and of its type, every seed there, the sums right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tracrcheck.records import validate
from tracrcheck.records.validate import NUMBER, fields

SCHEMA = "tracrcheck.invariants/1"
TOP = {"schema": str, "run": dict, "summary": dict, "checks": list}
ASKED = {"invariants": list, "seeds": list, "programs": int}
CHECK = {
    "invariant": str, "subject": str, "seed": int, "law": bool, "violation": validate.TEXT_OR_NONE, "seconds": NUMBER,
}  # fmt: skip
SUMMARY = {"checks": int, "broken": int}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One invariant on one subject. seed: of the subject and of the check's own draws."""

    invariant: str
    subject: str
    seed: int
    law: bool
    violation: str | None
    seconds: float

    @property
    def red(self) -> bool:
        """Whether a law is broken; what is no law is only reported."""
        return self.violation is not None and self.law

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """Every check of one subject: what is made again, one by one, where the file is checked."""

    seed: int
    subject: str
    checks: tuple[Check, ...]

    @property
    def seconds(self) -> float:
        return sum(check.seconds for check in self.checks)


@dataclass(frozen=True, kw_only=True)
class InvariantResults:
    """A results file of the invariants: `run` says how it was made (docs/json.md)."""

    path: Path
    run: dict[str, Any]
    checks: tuple[Check, ...]

    units_are = "subjects"
    line_each = ("checks",)

    @classmethod
    def from_json(cls, path: Path, document: Mapping[str, Any]) -> InvariantResults:
        """Of a document without problems."""
        return cls(path=path, run=document["run"], checks=tuple(Check(**c) for c in document["checks"]))

    @property
    def units(self) -> list[Checks]:
        found: dict[tuple[int, str], list[Check]] = {}
        for check in self.checks:
            found.setdefault((check.seed, check.subject), []).append(check)
        return [Checks(seed=s, subject=name, checks=tuple(of)) for (s, name), of in found.items()]

    @property
    def exit_code(self) -> int:
        """0 if no law is broken."""
        return int(any(check.red for check in self.checks))

    @property
    def document(self) -> dict[str, Any]:
        """As it stands in the file."""
        return document(self.run, self.checks)


def summary_of(checks: Sequence[Check]) -> dict[str, int]:
    return {"checks": len(checks), "broken": sum(check.red for check in checks)}


def document(run: Mapping[str, Any], checks: Sequence[Check]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "run": dict(run),
        "summary": summary_of(checks),
        "checks": [check.to_json() for check in checks],
    }


def problems(document: Mapping[str, Any]) -> list[str]:
    """What is wrong with a document of this schema, in words; nothing where it is as docs/json.md says."""
    found = fields("file", document, TOP)
    if found:
        return found
    found = validate.run(document["run"], ASKED) + fields("summary", document["summary"], SUMMARY)
    for number, check in enumerate(document["checks"]):
        found += fields(f"checks[{number}]", check, CHECK)
    return found or [*_whole(document), *_sums(document)]


def _whole(document: Mapping[str, Any]) -> list[str]:
    """Each check once, and none that was not asked for; of a finished run, some of every seed."""
    run, found = document["run"], []
    asked, checks = run["asked"], [Check(**c) for c in document["checks"]]
    keys = {(c.invariant, c.subject, c.seed) for c in checks}
    if len(keys) < len(checks):
        found.append("checks: one stands there twice")
    found += _surplus("seeds", {c.seed for c in checks}, asked["seeds"])
    found += _surplus("invariants", {c.invariant for c in checks}, asked["invariants"])
    if not run["finished"]:
        return found
    if without := sorted(set(asked["seeds"]) - {c.seed for c in checks}):
        found.append(f"checks: none of seed {without[0]}, of a run that is called finished")
    return found


def _surplus(what: str, there: Iterable[Any], asked: Sequence[Any]) -> list[str]:
    more = sorted(set(there) - set(asked))
    return [f"checks: {what} that were not asked for: {', '.join(map(str, more))}"] if more else []


def _sums(document: Mapping[str, Any]) -> list[str]:
    counted = summary_of([Check(**c) for c in document["checks"]])
    return [
        f"summary.{name}: {document['summary'][name]}, but the checks come to {n}"
        for name, n in counted.items()
        if document["summary"][name] != n
    ]
