"""An invariant: a statement that holds of every subject, and a check that says where it does not.

To add one: a file here with its statement and why it is true at the top, and a row in the table of `__init__.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tracrcheck.invariants.subjects import Subject


@dataclass(frozen=True, slots=True)
class Violation:
    """what: in which case it does not hold; got, wanted: what was found there, and what follows from the statement."""

    what: str
    got: Any = ""
    wanted: Any = ""

    def __str__(self) -> str:
        return f"{self.what}: got {self.got}, wanted {self.wanted}"


def everywhere(subject: Subject) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """check: of a subject, with the seed of its own draws; None where the statement holds.

    applies: whether a subject is one the statement is about.
    law:     False where it is known not to hold always: then what is found is told, and nothing fails.
    """

    name: str
    statement: str
    check: Callable[[Subject, int], Violation | None]
    applies: Callable[[Subject], bool] = everywhere
    law: bool = True
