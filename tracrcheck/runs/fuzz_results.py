"""Results files of fuzzing, read back: every field there and of its type, every row once, the shares right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracrcheck.generator.features import Composition, Features
from tracrcheck.records import validate
from tracrcheck.records.validate import NUMBER, fields
from tracrcheck.runs.fuzz_program import TRIVIAL, Examined, Row
from tracrcheck.runs.fuzz_score import Bar, Score, score_of

SCHEMA = "tracrcheck.fuzz/1"
TOP = {"schema": str, "run": dict, "summary": dict, "programs": list, "rows": list}
ASKED = {
    "seed": int, "programs": int, "method": str, "ablations": list, "criteria": list, "timeout": NUMBER,
}  # fmt: skip
PROGRAM = {
    "number": int, "n_operations": int, "n_layers": int, "n_heads": int, "causal": bool, "numerical": bool,
    "attends_by_tokens": bool, "required_zero": int,
}  # fmt: skip
ROW = validate.OUTCOME | {
    "number": int, "detail": str, "proved": list, "n_permitted": int, "certify_seconds": NUMBER, "trivial": dict,
}  # fmt: skip
SUMMARY = {
    "overall": dict, "ablations": dict, "trivial": dict, "vacuous": dict, "unknown": int, "composition": dict,
    "short": list, "drawn": int, "rejected": dict,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FuzzResults:
    """A results file of fuzzing: `run` says how it was made (docs/json.md). rejected: reason -> draws."""

    path: Path
    run: dict[str, Any]
    units: tuple[Examined, ...]
    drawn: int
    rejected: dict[str, int]

    units_are = "programs"
    line_each = ("programs", "rows")

    @classmethod
    def from_json(cls, path: Path, document: Mapping[str, Any]) -> FuzzResults:
        """Of a document without problems."""
        rows: dict[int, list[Row]] = {}
        for row in _rows(document):
            rows.setdefault(row.number, []).append(row)
        programs = [Features(**program) for program in document["programs"]]
        return cls(
            path=path,
            run=document["run"],
            units=tuple(Examined(program=p, rows=tuple(rows[p.number])) for p in programs),
            drawn=document["summary"]["drawn"],
            rejected=document["summary"]["rejected"],
        )

    @property
    def rows(self) -> list[Row]:
        return [row for done in self.units for row in done.rows]

    def score(self, bar: Bar) -> Score:
        """The score against the bar there is now."""
        composition = Composition.of([done.program for done in self.units])
        return score_of(self.rows, composition, self.run["asked"]["ablations"], bar)

    @property
    def document(self) -> dict[str, Any]:
        """As it stands in the file."""
        score = self.score(Bar()).to_json()
        return {
            "schema": SCHEMA,
            "run": self.run,
            "summary": {**score, "drawn": self.drawn, "rejected": self.rejected},
            "programs": [done.program.to_json() for done in self.units],
            "rows": [row.to_json() for row in self.rows],
        }


def problems(document: Mapping[str, Any]) -> list[str]:
    """What is wrong with a document of this schema, in words; nothing where it is as docs/json.md says."""
    found = fields("file", document, TOP)
    if found:
        return found
    found = validate.run(document["run"], ASKED) + fields("summary", document["summary"], SUMMARY)
    for number, program in enumerate(document["programs"]):
        found += fields(f"programs[{number}]", program, PROGRAM)
    for number, row in enumerate(document["rows"]):
        found += validate.outcome(f"rows[{number}]", row, ROW) or _trivial(f"rows[{number}]", row)
    return found or [*_counts(document), *_shares(document)]


def _trivial(where: str, row: Mapping[str, Any]) -> list[str]:
    return fields(f"{where}.trivial", row["trivial"], dict.fromkeys(TRIVIAL, str))


def _counts(document: Mapping[str, Any]) -> list[str]:
    """Every program with its rows once, and as many as were drawn and not rejected."""
    run, summary, found = document["run"], document["summary"], []
    numbers = [program["number"] for program in document["programs"]]
    if numbers != sorted(set(numbers)):
        found.append("programs: not in the order of their draws, each once")
    asked = run["asked"]
    settings = [(a, c) for c in asked["criteria"] for a in asked["ablations"]]
    keys = [(row["number"], row["ablation"], row["criterion"]) for row in document["rows"]]
    if len(set(keys)) < len(keys) or set(keys) != {(n, *s) for n in numbers for s in settings}:
        found.append("rows: not one for each program and setting")
    if run["finished"] and len(numbers) != asked["programs"]:
        found.append(
            f"programs: {len(numbers)} of {asked['programs']}, of a campaign that is called finished"
        )
    if run["finished"] and summary["drawn"] != len(numbers) + sum(summary["rejected"].values()):
        found.append(
            f"summary.drawn: {summary['drawn']}, but programs and rejected draws come to another number"
        )
    return found


def _shares(document: Mapping[str, Any]) -> list[str]:
    """Whether the rows come to the summary. What is `short` hangs on the bar, and the bar may have moved."""
    composition = Composition.of([Features(**program) for program in document["programs"]])
    score = score_of(_rows(document), composition, document["run"]["asked"]["ablations"], Bar())
    counted = json.loads(json.dumps(score.to_json()))
    return [
        f"summary.{name}: {document['summary'][name]}, but the rows come to {value}"
        for name, value in counted.items()
        if document["summary"][name] != value and name != "short"
    ]


def _rows(document: Mapping[str, Any]) -> list[Row]:
    asked = document["run"]["asked"]
    return [Row.from_json(row, seed=asked["seed"], method=asked["method"]) for row in document["rows"]]
