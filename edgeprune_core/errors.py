"""The one exception a user may see: what, where, got, wanted, do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class CheckError(Exception):
    """A mistake in what was given to us, told so that it can be mended.

    Every part stays on the exception as an attribute; `str()` is the block a person reads.
    """

    def __init__(
        self, code: str, what: str, *, where: str = "", got: Any = "", wanted: Any = "", do: str = ""
    ) -> None:
        self.code, self.what, self.where = code, what, where
        self.got, self.wanted, self.do = str(got), str(wanted), do
        super().__init__(code, what)

    def __str__(self) -> str:
        lines = [" ".join(part for part in (self.code, self.where, self.what) if part)]
        for label in ("got", "wanted", "do"):
            if text := getattr(self, label):
                lines.append(f"    {label:<7} {text}")
        return "\n".join(lines)

    def at(self, where: str) -> CheckError:
        """The same error with its place added, once, at the edge that knows it."""
        if not self.where:
            self.where = where
        return self


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A closing sentence for a failed look-up: the nearest names, or all of them where none is near."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(f"'{n}'" for n in near) + "?"
    return "one of: " + (", ".join(known) if known else "(there are none)")
