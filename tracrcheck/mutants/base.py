"""A seeded fault: an edit that some check must catch. `Mutant` is its record.

To add one: a table in the file of its topic, in `faults/`. A test requires that every edit matches exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One fault.

    file:     in which package, and where: relative to the folder that holds both.
    old, new: the text that occurs there exactly once, and the faulty text.
    why:      what is wrong with it, in one line. source: where the field met it, or "ours".
    blind:    whether it was written before any check was looked at; these are counted separately.
    tests:    the tests that must catch it, as arguments of pytest: of a fault that the gauntlet cannot see. They run in a
              checkout only (`ci/faults/suite.py`).
    """

    name: str
    file: str
    old: str
    new: str
    why: str
    source: str = "ours"
    blind: bool = False
    tests: tuple[str, ...] = ()
