"""Results files of the gate, read back: every field there and of its type, every verdict once, the sums right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprune_core.errors import CheckError
from tracrcheck.error_codes import user_error
from tracrcheck.grading.verdict import Summary, Verdict
from tracrcheck.records import validate
from tracrcheck.records.validate import fields
from tracrcheck.runs import false_alarm_results, fuzz_results, invariant_results, mutant_results
from tracrcheck.runs.false_alarm_results import FalseAlarmResults
from tracrcheck.runs.fuzz_results import FuzzResults
from tracrcheck.runs.invariant_results import InvariantResults
from tracrcheck.runs.mutant_results import MutantResults
from tracrcheck.trained import curve
from tracrcheck.trained.curve import CompareResults

SCHEMA = "tracrcheck.gate/1"

TOP = {"schema": str, "run": dict, "verdicts": list, "summary": dict}
ASKED = {
    "programs": list, "method": str, "ablations": list, "criteria": list, "lengths": (list, type(None)),
    "score_bos": bool, "seeds": list, "timeout": (int, float, type(None)),
}  # fmt: skip
VERDICT = validate.OUTCOME | {"program": str, "method": str, "seed": int}
SUMMARY = {"holds": int, "fails": int, "unknown": int, "vacuous": int, "seconds": validate.NUMBER}


@dataclass(frozen=True, kw_only=True)
class Results:
    """A results file: `run` says how it was made (docs/json.md)."""

    path: Path
    run: dict[str, Any]
    verdicts: tuple[Verdict, ...]
    summary: dict[str, Any]

    units_are = "verdicts"
    line_each = ()

    @property
    def units(self) -> tuple[Verdict, ...]:
        """What is made again, one by one, where the file is checked."""
        return self.verdicts

    @property
    def document(self) -> dict[str, Any]:
        """As it stands in the file."""
        verdicts = [v.to_json() for v in self.verdicts]
        return {"schema": SCHEMA, "run": self.run, "verdicts": verdicts, "summary": self.summary}


AnyResults = Results | FuzzResults | InvariantResults | MutantResults | FalseAlarmResults | CompareResults
# Schema -> the module that reads such a file, its record, what it is of, and the command that writes it.
OTHERS: dict[str, tuple[Any, Any, str, str]] = {
    fuzz_results.SCHEMA: (fuzz_results, FuzzResults, "fuzzing", "fuzz"),
    invariant_results.SCHEMA: (invariant_results, InvariantResults, "the invariants", "invariants"),
    mutant_results.SCHEMA: (mutant_results, MutantResults, "the seeded faults", "mutants"),
    curve.SCHEMA: (curve, CompareResults, "a comparison of methods", "compare"),
    false_alarm_results.SCHEMA: (
        false_alarm_results, FalseAlarmResults, "the gauntlet without a fault", "mutants --false-alarms N",
    ),
}  # fmt: skip


def read(path: Path) -> Results:
    """Of the gate. Errors: TC143, with everything that is wrong."""
    document = _loaded(path)
    found = problems(document)
    if found:
        raise wrong_file(path, found)
    return Results(
        path=path,
        run=document["run"],
        verdicts=tuple(Verdict.from_json(v) for v in document["verdicts"]),
        summary=document["summary"],
    )


def read_any(path: Path) -> AnyResults:
    """Of the gate or of one of OTHERS, as its schema says. Errors: TC143, with everything that is wrong."""
    document = _loaded(path)
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA and (not isinstance(schema, str) or schema not in OTHERS):
        known = (SCHEMA, *OTHERS)
        raise wrong_file(
            path, [f"schema: {schema!r}"], kind="tracrcheck", schema=" or ".join(known), command="COMMAND"
        )
    if schema not in OTHERS:
        return read(path)
    module, made, kind, command = OTHERS[schema]
    if found := module.problems(document):
        raise wrong_file(path, found, kind=kind, schema=schema, command=command)
    return made.from_json(path, document)


def _loaded(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise wrong_file(path, [str(getattr(error, "strerror", None) or error)]) from None


def problems(document: Any) -> list[str]:
    """What is wrong with a results document, in words; nothing where it is as docs/json.md says."""
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        got = document.get("schema") if isinstance(document, dict) else type(document).__name__
        return [f"schema: {got!r}, not {SCHEMA!r}"]
    found = fields("file", document, TOP)
    if found:
        return found
    found = validate.run(document["run"], ASKED) + fields("summary", document["summary"], SUMMARY)
    for number, verdict in enumerate(document["verdicts"]):
        found += validate.outcome(f"verdicts[{number}]", verdict, VERDICT)
    return found or _sums(document)


def _sums(document: Mapping[str, Any]) -> list[str]:
    verdicts = [Verdict.from_json(v) for v in document["verdicts"]]
    run, found = document["run"], []
    keys = {v.key for v in verdicts}
    if len(keys) < len(verdicts):
        found.append("verdicts: one stands there twice")
    asked = run["asked"]
    wanted = {
        (p, a, c, s)
        for p in asked["programs"]
        for a in asked["ablations"]
        for c in asked["criteria"]
        for s in asked["seeds"]
    }
    if keys - wanted:
        found.append(f"verdicts: {len(keys - wanted)} that were not asked for")
    if run["finished"] and wanted - keys:
        found.append(f"verdicts: {len(wanted - keys)} are not there, of a run that is called finished")
    counted = Summary.of(verdicts, document["summary"]["seconds"]).to_json()
    found += [
        f"summary.{name}: {document['summary'][name]}, but the verdicts come to {n}"
        for name, n in counted.items()
        if document["summary"][name] != n and name != "seconds"
    ]
    return found


def wrong_file(
    path: Path,
    found: list[str],
    *,
    kind: str = "the gate",
    schema: str = SCHEMA,
    command: str = "gate",
    most: int = 8,
) -> CheckError:
    """TC143, with the first of all that is wrong with a file of results of any kind."""
    more = [f"and {len(found) - most} more"] if len(found) > most else []
    return user_error(
        "TC143", where=path, got="; ".join([*found[:most], *more]), kind=kind, schema=schema, command=command
    )
