"""Tables and package exports that import a module when it is first used.

Their names are known at once, so that a wrong name is refused before torch is loaded, which takes a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from importlib import import_module
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Lazy:
    """A row that is not loaded yet.

    `Lazy("package.module:Class", setting=value)` stands for `Class(setting=value)`, and `Lazy("package.module:ROW")` for
    what is not a class itself.
    """

    def __init__(self, where: str, **settings: Any) -> None:
        self.module, _, self.name = where.partition(":")
        self.settings = settings

    def load(self) -> Any:
        found = getattr(import_module(self.module), self.name)
        return found(**self.settings) if isinstance(found, type) else found


class Table(MutableMapping[str, T]):
    """Rows by name. A `Lazy` row is loaded when it is read; listing the names or looking for one loads nothing."""

    def __init__(self, rows: Mapping[str, Lazy | T]) -> None:
        self._rows = dict(rows)

    @property
    def modules(self) -> list[str]:
        """The modules that define the rows, each once."""
        return sorted({r.module if isinstance(r, Lazy) else type(r).__module__ for r in self._rows.values()})

    def __getitem__(self, name: str) -> T:
        row = self._rows[name]
        if isinstance(row, Lazy):
            row = self._rows[name] = row.load()
        return cast("T", row)

    def __setitem__(self, name: str, row: T) -> None:
        self._rows[name] = row

    def __delitem__(self, name: str) -> None:
        del self._rows[name]

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"Table({', '.join(self._rows)})"


def exports(package: str, homes: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """A package's `__getattr__` (PEP 562). homes: module below the package -> the names that it defines."""
    home_of = {name: home for home, names in homes.items() for name in names}

    def get(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{home_of[name]}"), name)
        setattr(import_module(package), name, value)
        return value

    return get
