"""A seeded fault: an edit that some check must turn red.

To add one: a record in the table of its topic, in this folder. A quick test holds every edit to match exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One fault.

    file:   from the folder that holds the packages. old, new: the text that stands there exactly once, and the faulty one.
    why:    what is wrong with it, in a line. source: where the field met it, or "ours".
    blind:  written before any check was looked at; counted apart.
    """

    name: str
    file: str
    old: str
    new: str
    why: str
    source: str
    blind: bool = False
