"""Finds and loads program files.

A library is a list of folders: the shipped programs, those of `--programs-dir`, and those that the current folder's
`pyproject.toml` lists under `[tool.tracrcheck] programs`. Users name a program, or give the path of its file. Files
are loaded by path: nothing is added to `sys.path`, and cached byte code is ignored.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import sys
import tomllib
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from os.path import isdir, isfile  # False for what cannot be a path, where those of `Path` raise
from pathlib import Path

from edgeprune_core.errors import CheckError, did_you_mean
from tracrcheck.error_codes import unknown_name, user_error
from tracrcheck.program import Program
from tracrcheck.rasp.tracr_without_jax import defer_jax

# The program file in the folder of a planted model (planted/folder.py): the folder stands for it.
PLANTED_PROGRAM = "program.py"
TRUTH = "truth.json"  # beside it


@dataclass(frozen=True)
class Entry:
    """A program, its file, and how the user named it: by its name, or by a path."""

    program: Program
    path: Path
    named_as: str

    @property
    def meaning(self) -> str:
        """The first sentence of the file's docstring, or an empty text."""
        text = ast.get_docstring(ast.parse(self.path.read_bytes())) or ""
        return " ".join(text.split("\n\n")[0].split()).split(". ")[0].rstrip(".")


@dataclass(frozen=True)
class Library:
    """Folders (or single files) of programs; `own` are the user's, in the given order. Planted models in a folder are programs too."""

    shipped: Path
    own: tuple[Path, ...] = ()

    @classmethod
    def here(cls, folders: Sequence[Path] = ()) -> Library:
        """The shipped programs, `folders`, and those in the current folder's `pyproject.toml`."""
        for folder in folders:
            if not folder.is_dir():
                raise _no_folder(folder, "--programs-dir")
        return cls(shipped_folder(), (*folders, *configured(Path("pyproject.toml"))))

    def files(self, *, own_only: bool = False) -> list[Path]:
        """Every program file once; copies with the same name and the same bytes count as one."""
        seen: set[tuple[str, str]] = set()
        found: list[Path] = []
        for place in self.own if own_only else (*self.own, self.shipped):
            for path in [place] if place.is_file() else _programs_in(place):
                mark = (path.name, hashlib.sha256(path.read_bytes()).hexdigest())
                if not path.name.startswith("_") and mark not in seen:
                    seen.add(mark)
                    found.append(path)
        return found

    def load(self, name: str) -> Entry:
        """The program of this name or path. If a file has the program's name, no other file is imported.

        The folder of a planted model stands for the program file in it, unless a program has its name.
        """
        if isfile(Path(name) / PLANTED_PROGRAM) and all(path.stem != name for path in self.files()):
            return replace(load_file(Path(name) / PLANTED_PROGRAM), named_as=name)
        if isfile(Path(name) / TRUTH):
            raise user_error(
                "TC165.missing", where=Path(name) / PLANTED_PROGRAM, got="No such file or directory"
            )
        if name.endswith(".py") or "/" in name:
            return replace(load_file(Path(name)), named_as=name)
        files = self.files()
        named = [load_file(path) for path in files if path.stem == name]
        found = [entry for entry in named if entry.program.name == name]
        if not found:
            found = [e for e in _loadable(p for p in files if p.stem != name) if e.program.name == name]
        if len(found) > 1:
            raise _ambiguous(found)
        if not found:
            if isdir(name):
                raise user_error("TC101.is_folder", got=name, path=name)
            known = {path.stem for path in files}
            raise unknown_name("TC101.name", name, known)
        return found[0]

    def chosen(self, names: Iterable[str]) -> list[Entry]:
        """The programs of these names; without names, all of the user's own, or all shipped ones if there are none."""
        wanted = list(dict.fromkeys(names))
        if wanted:
            return _distinct([self.load(name) for name in wanted])
        files = self.files(own_only=bool(self.own))
        if not files:
            where = ", ".join(str(place) for place in self.own or (self.shipped,))
            raise user_error("TC101.folder", where=where, got="none")
        return _distinct([load_file(path) for path in files])

    def all(self) -> list[Entry]:
        return _distinct([load_file(path) for path in self.files()])


def _programs_in(folder: Path) -> list[Path]:
    """Its Python files, and those of the planted models in it."""
    planted = [path for path in folder.glob(f"*/{PLANTED_PROGRAM}") if path.with_name(TRUTH).is_file()]
    return [*sorted(folder.glob("*.py")), *sorted(planted)]


def shipped_folder() -> Path:
    """Inside the package in a wheel, next to the package in a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "programs"
    return inside if inside.is_dir() else package.parent / "programs"


def configured(pyproject: Path) -> tuple[Path, ...]:
    """`[tool.tracrcheck] programs`: folders or files, relative to `pyproject.toml`."""
    if not pyproject.is_file():
        return ()
    try:
        record = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise user_error("TC118.toml", where=pyproject, got=error) from None
    places = record.get("tool", {}).get("tracrcheck", {}).get("programs", [])
    if not isinstance(places, list) or not all(isinstance(p, str) for p in places):
        raise user_error("TC118.list", where=pyproject, got=repr(places))
    paths = tuple(pyproject.parent / place for place in places)
    for path in paths:
        if not path.exists():
            raise _no_folder(path, f"[tool.tracrcheck] programs of {pyproject}")
    return paths


def load_file(path: Path) -> Entry:
    """The program of one file. Errors: TC101 (no such file), TC102 (does not import), TC103 (no program)."""
    if isdir(path):
        raise user_error("TC101.is_folder", got=path, path=path)
    if not isfile(path):
        nearby = [p.name for p in path.parent.glob("*.py") if isfile(p)] if isdir(path.parent) else []
        raise user_error(
            "TC101.file",
            got=path,
            do=did_you_mean(path.name, nearby) if nearby else "fix the path",
            path=path,
        )
    found = vars(_module(path)).get("program")
    if not isinstance(found, Program):
        raise user_error(
            "TC103",
            where=path,
            got="no `program`" if found is None else f"`program` is a {type(found).__name__}",
        )
    return Entry(found, path, named_as=found.name)


def _module(path: Path):
    defer_jax()
    name = f"tracrcheck_program_{path.stem}_{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        line = _line(path, error)
        raise user_error(
            "TC102", where=f"{path}:{line}" if line else str(path), got=f"{type(error).__name__}: {error}"
        ) from error
    return module


def _line(path: Path, error: BaseException) -> int | None:
    """The last line of this file in the traceback."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return lines[-1] if lines else None


def _loadable(paths: Iterable[Path]) -> list[Entry]:
    """The files that load: a broken one must not hide a program that is named."""
    found = []
    for path in paths:
        try:
            found.append(load_file(path))
        except CheckError:
            continue
    return found


def _distinct(entries: list[Entry]) -> list[Entry]:
    """Each file once, in order. Errors: TC109 (two files hold programs with the same name)."""
    by_name: dict[str, Entry] = {}
    for entry in entries:
        first = by_name.setdefault(entry.program.name, entry)
        if first.path.resolve() != entry.path.resolve():
            raise _ambiguous([first, entry])
    return list(by_name.values())


def _ambiguous(entries: list[Entry]) -> CheckError:
    return user_error(
        "TC109", got=" and ".join(str(e.path) for e in entries[:2]), name=entries[0].program.name
    )


def _no_folder(path: Path, source: str) -> CheckError:
    return user_error("TC118.folder", where=source, got=path, path=path)
