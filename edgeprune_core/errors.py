"""The exception that users see: what is wrong, where, what was got, what was wanted, what to do."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any


class CheckError(Exception):
    """A mistake in the input. Every part is an attribute; `str()` is the block of text that a person reads."""

    def __init__(
        self, code: str, what: str, *, where: Any = "", got: Any = "", wanted: Any = "", do: str = ""
    ) -> None:
        self.code, self.what, self.where = code, what, str(where)
        self.got, self.wanted, self.do = str(got), str(wanted), do
        super().__init__(code, what)

    def __str__(self) -> str:
        lines = [" ".join(part for part in (self.code, self.where, self.what) if part)]
        for label in ("got", "wanted", "do"):
            if text := getattr(self, label):
                lines.append(f"    {label:<7} {text}")
        return "\n".join(lines)

    @property
    def parts(self) -> dict[str, str]:
        """Its arguments, by name."""
        return {name: getattr(self, name) for name in ("code", "what", "where", "got", "wanted", "do")}

    def at(self, where: Any) -> CheckError:
        """The same error; sets `where`, unless it is set already."""
        self.where = self.where or str(where)
        return self


@dataclass(frozen=True, slots=True)
class Message:
    """What an error code means. Each text may contain fields such as `{name}`."""

    what: str
    wanted: str = ""
    do: str = ""


class ErrorTable:
    """A package's error messages by code, from a TOML file: topic, code, texts. It is read when the first one is needed.

    A code with several messages has rows such as `TC101.file`. others: the table of a package that this one builds on.
    """

    def __init__(self, path: Path, *, others: ErrorTable | None = None) -> None:
        self.path, self.others = path, others

    @cached_property
    def own(self) -> dict[str, dict[str, Message]]:
        """This package's rows, by topic and code."""
        topics = tomllib.loads(self.path.read_text(encoding="utf-8"))
        return {topic: dict(_rows(codes)) for topic, codes in topics.items()}

    @property
    def topics(self) -> dict[str, dict[str, Message]]:
        """All rows, by topic and code."""
        return {**(self.others.topics if self.others else {}), **self.own}

    @cached_property
    def messages(self) -> dict[str, Message]:
        """All rows, by code."""
        return {code: message for codes in self.topics.values() for code, message in codes.items()}

    def error(
        self,
        code: str,
        what: str = "",
        *,
        where: Any = "",
        got: Any = "",
        wanted: Any = "",
        do: str = "",
        **fields: Any,
    ) -> CheckError:
        """The error of a row; `what`, `wanted` and `do` replace the texts of the table."""
        message = self.messages[code]
        return CheckError(
            code.partition(".")[0],
            what or message.what.format(**fields),
            where=where,
            got=got,
            wanted=str(wanted) or message.wanted.format(**fields),
            do=do or message.do.format(**fields),
        )

    def unknown(self, code: str, name: str, known: Collection[str], **given: Any) -> CheckError:
        """The error of a failed look-up, with the field `name` and the nearest names that exist."""
        given = {"got": name, "do": did_you_mean(name, known), **given}
        if not self.messages[code].wanted:
            given.setdefault("wanted", ", ".join(known))
        return self.error(code, name=name, **given)


def _rows(codes: dict[str, Any]) -> Iterator[tuple[str, Message]]:
    """The rows of a topic: a code's texts, or those of each of its cases."""
    for code, part in codes.items():
        for row, texts in (
            ((code, part),) if "what" in part else ((f"{code}.{c}", t) for c, t in part.items())
        ):
            yield row, Message(**texts)


def shortened(text: str, most: int = 60) -> str:
    """A value as errors show it: the first 12 digits of a hash, the first `most` characters of anything else."""
    if len(text) == 64 and set(text) <= set("0123456789abcdef"):
        return text[:12]
    return text if len(text) <= most else text[:most] + "..."


# Names that advice lists at most.
LISTED = 20


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Advice for a failed look-up: the nearest names; if none is near, all of them, or one where they are many."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(f"'{n}'" for n in near) + "?"
    if len(known) > LISTED:
        return f"none of the {len(known):,} names is near; one of them is '{known[0]}'"
    return "one of: " + (", ".join(known) if known else "(there are none)")
