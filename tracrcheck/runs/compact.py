"""Results whose rows differ in little but their seed, in a file a tenth as large: such rows are merged into one.

A merged row has `seeds` instead of `seed`, and its `seconds` are as many; a `subject` that is drawn for each seed has `{seed}`
in its name. Nothing is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

PER_ROW = ("seed", "seconds")
HERE = "{seed}"


def merged(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a results file; those without a seed stay as they are."""
    alike: dict[str, list[Mapping[str, Any]]] = {}
    for row in spread(rows):
        rest = {name: value for name, value in row.items() if name not in PER_ROW or "seed" not in row}
        if "seed" in row and "subject" in row:
            rest["subject"] = row["subject"].replace(f"_{row['seed']}", f"_{HERE}", 1)
        alike.setdefault(json.dumps(rest, sort_keys=True), []).append(row)
    return [_one(group, json.loads(rest)) for rest, group in alike.items()]


def _one(rows: list[Mapping[str, Any]], rest: Mapping[str, Any]) -> dict[str, Any]:
    if len(rows) == 1:
        return dict(rows[0])
    seeds, seconds = ([row[name] for row in rows] for name in PER_ROW)
    common = {**rest, "seconds": seconds}
    return dict(("seeds", seeds) if name == "seed" else (name, common[name]) for name in rows[0])


def spread(rows: Iterable[Any]) -> Iterator[Any]:
    """The inverse of `merged`: a row for each seed. What is not a merged row stays as it is."""
    for row in rows:
        if not isinstance(row, dict) or not isinstance(seeds := row.get("seeds"), list):
            yield row
            continue
        seconds = row.get("seconds")
        each = seconds if isinstance(seconds, list) and len(seconds) == len(seeds) else [seconds] * len(seeds)
        for seed, took in zip(seeds, each, strict=True):
            own = {"seeds": ("seed", seed), "seconds": ("seconds", took)}
            one = dict(own.get(name, (name, value)) for name, value in row.items())
            if isinstance(subject := one.get("subject"), str):
                one["subject"] = subject.replace(HERE, str(seed))
            yield one
