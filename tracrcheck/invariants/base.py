"""An invariant: a statement that holds for every subject, and a check that finds where it does not.

A check is a generator of violations, of which the first is reported. So it reads as a list of comparisons:

    yield from close("KL by hand", got, wanted, 1e-9)

To add one: a file in this folder that opens with the statement and its proof, and a row in the table of `__init__.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.task import Task
from tracrcheck.invariants.subjects import Subject


@dataclass(frozen=True, slots=True)
class Violation:
    """what: the case that breaks the statement. got, wanted: the value there, and what the statement implies."""

    what: str
    got: Any
    wanted: Any

    def __str__(self) -> str:
        return f"{self.what}: got {self.got}, wanted {self.wanted}"


Violations = Iterator[Violation]
Check = Callable[[Subject, int], Iterable[Violation]]


def everywhere(subject: Subject) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """check:   takes a subject and a seed for its own draws; yields the violations of the statement.
    applies: whether the statement is about this subject.
    law:     False if it is known not to hold always: violations are reported, and nothing fails.
    """

    name: str
    statement: str
    check: Check
    applies: Callable[[Subject], bool] = everywhere
    law: bool = True


def invariant(
    statement: str, *, applies: Callable[[Subject], bool] = everywhere, law: bool = True
) -> Callable[[Check], Invariant]:
    """Makes a check the invariant of the same name."""

    def of(check: Check) -> Invariant:
        return Invariant(name=check.__name__, statement=statement, check=check, applies=applies, law=law)

    return of


def each_task(*ablations: str) -> Callable[[Callable[[Task, int], Iterable[Violation]]], Check]:
    """Turns a check of a task into one of a subject: of its tasks under these ablations, or under all."""

    def of(check: Callable[[Task, int], Iterable[Violation]]) -> Check:
        @wraps(check)
        def every(subject: Subject, seed: int) -> Violations:
            for name in ablations or subject.tasks:
                for wrong in check(subject.tasks[name], seed):
                    yield replace(wrong, what=f"{wrong.what}, under {name}")

        return every

    return of


SHOWN = 20  # items of a list that are shown


def equal(what: str, got: Any, wanted: Any) -> Violations:
    """Circuits and long lists are shown by what they differ in."""
    if got == wanted:
        return
    if isinstance(got, Circuit) and isinstance(wanted, Circuit):
        odd = sorted(map(str, got.edges ^ wanted.edges))[:4]
        got, wanted = f"{len(got)} edges, differing in {odd}", f"{len(wanted)} edges"
    elif isinstance(got, list) and isinstance(wanted, list) and max(len(got), len(wanted)) > SHOWN:
        odd = sorted({*map(str, got)} ^ {*map(str, wanted)})[:4]
        got, wanted = f"{len(got)}, differing in {odd}", f"{len(wanted)}"
    yield Violation(what, got, wanted)


def close(
    what: str,
    got: Tensor | float | Sequence,
    wanted: Tensor | float | Sequence,
    bound: Tensor | float,
    *,
    names: Sequence | None = None,
) -> Violations:
    """The first number that is neither equal to the one wanted nor within the bound of it; NaN equals NaN only.

    names: of the places along the last axis.
    """
    x = torch.as_tensor(got, dtype=torch.float64).detach()
    y, most = (torch.as_tensor(t, dtype=torch.float64).detach().expand_as(x) for t in (wanted, bound))
    bad = ~((x == y) | ((x - y).abs() <= most) | (x.isnan() & y.isnan()))
    if bad.any():
        place = tuple(bad.nonzero()[0].tolist())
        at = [*map(str, place[:-1]), str(names[place[-1]])] if names else list(map(str, place))
        where = f" at {', '.join(at)}" if place else ""
        limit = f"{float(y[place]):.12g} within {float(most[place]):.2g}" if most[place] else float(y[place])
        yield Violation(f"{what}{where}", f"{float(x[place]):.12g}", limit)


def per_size(x: Tensor | float | Sequence, share: float) -> Tensor:
    """A bound for each number: this share of it, or of 1 if it is smaller."""
    return share * torch.as_tensor(x, dtype=torch.float64).detach().abs().nan_to_num().clamp(min=1.0)


def of_largest(x: Tensor, share: float, least: float = 1.0) -> float:
    """One bound for all numbers: this share of the largest, or of `least` if that is larger."""
    return share * max(least, float(x.detach().abs().max()))
