"""Reads the tables of seeded faults: a TOML file for each topic, and in it a table for each fault, under its name.

A fault of a method belongs in `scores` or `training`; one of the core that only tests can see in `core_tests_only`. The files
`blind*` are closed: each holds the faults of one round, written by somebody who had seen no check.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

from tracrcheck.error_codes import user_error
from tracrcheck.mutants.base import Mutant
from tracrcheck.records.reading import read

DEFAULTS = {"source": "ours", "blind": False, "tests": []}


def read_tables(paths: Iterable[Path]) -> dict[str, Mutant]:
    """The faults of these files by name, in their order. Errors: TC158."""
    found: dict[str, Mutant] = {}
    for path in paths:
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:  # a name that stands twice in the file among them
            raise user_error("TC158", where=path, got=error) from None
        for name, table in tables.items():
            problems: list[str] = []
            record = DEFAULTS | table | {"name": name} if isinstance(table, dict) else table
            mutant = read(Mutant, record, name, problems)
            if name in found:
                problems.append(f"{name}: another fault has this name")
            if problems:
                raise user_error("TC158", where=path, got="; ".join(problems))
            found[name] = mutant
    return found
