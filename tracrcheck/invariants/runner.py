"""Runs invariants over subjects, cheapest first."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tracrcheck.error_codes import unknown_name
from tracrcheck.invariants import INVARIANTS, Invariant, Violation
from tracrcheck.invariants.subjects import Subject, subjects


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The result of one invariant, by name, on one subject. seed: of the subject and of the check's own draws."""

    invariant: str
    subject: str
    seed: int
    law: bool
    violation: str | None
    seconds: float

    @property
    def red(self) -> bool:
        """Whether a law is broken. An invariant that is not a law is only reported."""
        return self.violation is not None and self.law


def chosen(names: Sequence[str]) -> tuple[Invariant, ...]:
    """The invariants with these names, in the order of the table; without names, all. Errors: TC155."""
    known = {invariant.name: invariant for invariant in INVARIANTS}
    for name in names:
        if name not in known:
            raise unknown_name("TC155", name, known)
    return tuple(i for i in INVARIANTS if not names or i.name in names)


def check_all(
    invariants: Sequence[Invariant], seeds: Sequence[int], *, programs: int = 1, stop: bool = False
) -> Iterator[Checked]:
    """Each invariant on the subjects of each seed it applies to. programs: how many to draw per seed. stop: at the first failure."""
    drawn = [(seed, list(subjects(seed, programs=programs))) for seed in seeds]
    for invariant in invariants:
        for seed, found in drawn:
            for subject in found:
                if not invariant.applies(subject):
                    continue
                yield (done := check_one(invariant, subject, seed))
                if stop and done.red:
                    return


def check_one(invariant: Invariant, subject: Subject, seed: int) -> Checked:
    """Runs one check. An exception counts as a violation: a broken core may do either."""
    started = time.monotonic()
    try:
        violation = next(iter(invariant.check(subject, seed)), None)
    except Exception as error:
        violation = Violation(f"the check raised {type(error).__name__}", str(error), "no error")
    return Checked(
        invariant=invariant.name,
        subject=subject.name,
        seed=seed,
        law=invariant.law,
        violation=None if violation is None else str(violation),
        seconds=round(time.monotonic() - started, 4),
    )
