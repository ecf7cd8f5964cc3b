"""How well a model does the prompt tasks: a table, and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tracrcheck.reports.document import Column, Table, number
from tracrcheck.trained.leading import Ability

SCHEMA = "tracrcheck.tasks/1"


def table(rows: Sequence[Ability]) -> Table:
    """A row for each task. A task that the tokenizer does not fit has no figures."""
    why = [Column("why none", lambda row: row.refused or "")] if any(row.refused for row in rows) else []
    return Table.of(
        rows,
        Column("task", lambda row: row.task),
        number("prompts", lambda row: str(row.n_prompts)),
        number("tokens", lambda row: str(row.n_tokens or "")),
        number("an answer leads", lambda row: "" if row.accuracy is None else f"{row.accuracy:.0%}"),
        number("log-odds (nats)", lambda row: _nats(row.margin)),
        number("corrupted", lambda row: _nats(row.corrupted)),
        *why,
    )


def _nats(x: float | None) -> str:
    return "" if x is None else f"{x:.2f}"


def document(asked: Mapping[str, Any], rows: Sequence[Ability], run: Mapping[str, Any]) -> dict[str, Any]:
    """run: how they were made (`runs.base.made_now`)."""
    return {"schema": SCHEMA, "run": dict(run), "asked": dict(asked), "tasks": [asdict(row) for row in rows]}
