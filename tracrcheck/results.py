"""Results files of the gate, read back: every field there and of its type, every verdict once, the sums right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprune_core.errors import CheckError
from tracrcheck.verdict import Summary, Verdict

SCHEMA = "tracrcheck.gate/1"

_TEXT_OR_NONE = (str, type(None))
_NUMBER = (int, float)
TOP = {"schema": str, "run": dict, "verdicts": list, "summary": dict}
RUN = {
    "command": str, "asked": dict, "commit": _TEXT_OR_NONE, "sources": dict, "machine": dict, "started": str,
    "sittings": int, "finished": bool, "seconds": _NUMBER,
}  # fmt: skip
ASKED = {
    "programs": list, "method": str, "ablations": list, "criteria": list, "lengths": (list, type(None)),
    "score_bos": bool, "seeds": list, "timeout": (int, float, type(None)),
}  # fmt: skip
SOURCES = {"packages": str, "programs": str, "method": _TEXT_OR_NONE}
VERDICT = {
    "program": str, "ablation": str, "criterion": str, "method": str, "seed": int, "verdict": str,
    "reason": _TEXT_OR_NONE, "missing": list, "extra": list, "n_required": int, "n_found": int,
    "found_sha": str, "vacuous": bool, "seconds": _NUMBER, "witness": (dict, type(None)),
    "ranking": (dict, type(None)),
}  # fmt: skip
WITNESS = {"input": list, "corruption": (list, type(None)), "position": int, "want": object, "got": object}
_SHARE = (int, float, type(None))
RANKING = {
    "precision": _SHARE, "recall": _SHARE, "f1": _SHARE, "auroc": _SHARE, "average_precision": _SHARE,
    "exact_threshold": bool,
}  # fmt: skip
SUMMARY = {"holds": int, "fails": int, "unknown": int, "vacuous": int, "seconds": _NUMBER}


@dataclass(frozen=True, kw_only=True)
class Results:
    """A results file: `run` says how it was made (docs/json.md)."""

    path: Path
    run: dict[str, Any]
    verdicts: tuple[Verdict, ...]
    summary: dict[str, Any]


def read(path: Path) -> Results:
    """Errors: TC143, with everything that is wrong."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _wrong(path, [str(getattr(error, "strerror", None) or error)]) from None
    found = problems(document)
    if found:
        raise _wrong(path, found)
    return Results(
        path=path,
        run=document["run"],
        verdicts=tuple(Verdict.from_json(v) for v in document["verdicts"]),
        summary=document["summary"],
    )


def problems(document: Any) -> list[str]:
    """What is wrong with a results document, in words; nothing where it is as docs/json.md says."""
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        got = document.get("schema") if isinstance(document, dict) else type(document).__name__
        return [f"schema: {got!r}, not {SCHEMA!r}"]
    found = _fields("file", document, TOP)
    if found:
        return found
    run = document["run"]
    found = _fields("run", run, RUN)
    found += _fields("run.asked", run.get("asked"), ASKED) + _fields(
        "run.sources", run.get("sources"), SOURCES
    )
    found += _fields("summary", document["summary"], SUMMARY)
    for number, verdict in enumerate(document["verdicts"]):
        found += _verdict(f"verdicts[{number}]", verdict)
    return found or _sums(document)


def _verdict(where: str, verdict: Any) -> list[str]:
    found = _fields(where, verdict, VERDICT)
    if found:
        return found
    if verdict["witness"] is not None:
        found = _fields(f"{where}.witness", verdict["witness"], WITNESS)
    if verdict["ranking"] is not None:
        found += _fields(f"{where}.ranking", verdict["ranking"], RANKING)
    word, reason = verdict["verdict"], verdict["reason"]
    if word not in ("HOLDS", "FAILS", "UNKNOWN"):
        found.append(f"{where}.verdict: {word!r}")
    elif (word == "HOLDS") != (reason is None):
        found.append(f"{where}.reason: {reason!r} where it {word}")
    if word == "HOLDS" and (
        verdict["missing"] or verdict["extra"] or verdict["n_found"] != verdict["n_required"]
    ):
        found.append(f"{where}: it HOLDS, with differences")
    return found


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


def _fields(where: str, record: Any, fields: Mapping[str, Any]) -> list[str]:
    if not isinstance(record, dict):
        return [f"{where}: a {type(record).__name__}, not an object"]
    found = [f"{where}.{name}: not there" for name in fields if name not in record]
    found += [f"{where}.{name}: no such field" for name in record if name not in fields]
    for name, kind in fields.items():
        value = record.get(name)
        # True is an int to Python; not to us.
        if name in record and (
            not isinstance(value, kind) or (isinstance(value, bool) and kind in (int, _NUMBER))
        ):
            found.append(f"{where}.{name}: {value!r}")
    return found


def _wrong(path: Path, found: list[str], most: int = 8) -> CheckError:
    more = [f"and {len(found) - most} more"] if len(found) > most else []
    return CheckError(
        "TC143",
        "not a results file of the gate",
        where=str(path),
        got="; ".join([*found[:most], *more]),
        wanted=f"JSON of schema {SCHEMA}, as docs/json.md says",
        do="write it with `tracrcheck gate --json FILE`",
    )
