"""The shapes of JSON that results files share, and whether a record has one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TEXT_OR_NONE = (str, type(None))
NUMBER = (int, float)
RUN = {
    "command": str, "asked": dict, "commit": TEXT_OR_NONE, "sources": dict, "machine": dict, "started": str,
    "sittings": int, "finished": bool, "seconds": NUMBER,
}  # fmt: skip
SOURCES = {"packages": str, "programs": str, "method": TEXT_OR_NONE}
# What a verdict says of what was found; which verdict it is stands beside it.
OUTCOME = {
    "ablation": str, "criterion": str, "verdict": str, "reason": TEXT_OR_NONE, "missing": list, "extra": list,
    "n_required": int, "n_found": int, "found_sha": str, "vacuous": bool, "seconds": NUMBER,
    "witness": (dict, type(None)), "ranking": (dict, type(None)),
}  # fmt: skip
WITNESS = {"input": list, "corruption": (list, type(None)), "position": int, "want": object, "got": object}
_SHARE = (int, float, type(None))
RANKING = {
    "precision": _SHARE, "recall": _SHARE, "f1": _SHARE, "auroc": _SHARE, "average_precision": _SHARE,
    "exact_threshold": bool,
}  # fmt: skip


def run(record: Any, asked: Mapping[str, Any]) -> list[str]:
    """What is wrong with the `run` of a results file. asked: the shape of its `asked`."""
    found = fields("run", record, RUN)
    if isinstance(record, dict):
        found += fields("run.asked", record.get("asked"), asked)
        found += _lists_of(
            "run.asked", record.get("asked"), {"programs": str, "ablations": str, "seeds": int}
        )
        found += fields("run.sources", record.get("sources"), SOURCES)
    return found


def _lists_of(where: str, record: Any, wanted: Mapping[str, type]) -> list[str]:
    """Lists that hold something else than `wanted`."""
    if not isinstance(record, dict):
        return []
    lists = {name: value for name, value in record.items() if name in wanted and isinstance(value, list)}
    return [
        f"{where}.{name}[{i}]: {item!r}"
        for name, value in lists.items()
        for i, item in enumerate(value)
        if not isinstance(item, wanted[name]) or isinstance(item, bool)
    ]


def outcome(where: str, record: Any, wanted: Mapping[str, Any]) -> list[str]:
    """What is wrong with a verdict, `wanted` being its fields: their types, and what one says of another."""
    found = fields(where, record, wanted)
    if found:
        return found
    if record["witness"] is not None:
        found = fields(f"{where}.witness", record["witness"], WITNESS)
    if record["ranking"] is not None:
        found += fields(f"{where}.ranking", record["ranking"], RANKING)
    word, reason = record["verdict"], record["reason"]
    if word not in ("HOLDS", "FAILS", "UNKNOWN"):
        found.append(f"{where}.verdict: {word!r}")
    elif (word == "HOLDS") != (reason is None):
        found.append(f"{where}.reason: {reason!r} where it {word}")
    if word == "HOLDS" and (
        record["missing"] or record["extra"] or record["n_found"] != record["n_required"]
    ):
        found.append(f"{where}: it HOLDS, with differences")
    return found


def fields(where: str, record: Any, wanted: Mapping[str, Any]) -> list[str]:
    """What is lacking, surplus, or of another type than `wanted` says, in words."""
    if not isinstance(record, dict):
        return [f"{where}: a {type(record).__name__}, not an object"]
    found = [f"{where}.{name}: not there" for name in wanted if name not in record]
    found += [f"{where}.{name}: no such field" for name in record if name not in wanted]
    for name, kind in wanted.items():
        value = record.get(name)
        # True is an int to Python; not to us.
        if name in record and (
            not isinstance(value, kind) or (isinstance(value, bool) and kind in (int, NUMBER))
        ):
            found.append(f"{where}.{name}: {value!r}")
    return found
