"""An invariant: a statement that holds for every subject, and a check that finds where it does not.

To add one: a file in this folder that opens with the statement and its proof, and a row in the table of `__init__.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tracrcheck.invariants.subjects import Subject


@dataclass(frozen=True, slots=True)
class Violation:
    """what: the case in which it does not hold. got, wanted: what was found there, and what the statement implies."""

    what: str
    got: Any = ""
    wanted: Any = ""

    def __str__(self) -> str:
        return f"{self.what}: got {self.got}, wanted {self.wanted}"


def everywhere(subject: Subject) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """check:   takes a subject and a seed for its own draws; returns None if the statement holds.
    applies: whether the statement is about this subject.
    law:     False if it is known not to hold always: violations are reported, and nothing fails.
    """

    name: str
    statement: str
    check: Callable[[Subject, int], Violation | None]
    applies: Callable[[Subject], bool] = everywhere
    law: bool = True
