"""The files of a project that a module imports, found without running any of them.

A module's project is the folder that its top-level name is found in; for an installed package it is that package alone,
since such a folder holds many. What is imported by a computed name is not found.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Collection, Iterator
from pathlib import Path

# Folders of installed packages and of Python itself.
INSTALLED = ("site-packages", "dist-packages")


def project_files(module: str, *, but: Collection[str] = ()) -> set[Path]:
    """The source file of a module, those of the packages that hold it, and what they import, directly or not.

    but: top-level packages whose files are left out.
    """
    top = module.partition(".")[0]
    if not module or top in but or (root := _root(top)) is None:
        return set()
    only = top if root.name in INSTALLED else None
    found: dict[str, Path] = {}
    queue = [module]
    while queue:
        name = queue.pop()
        top = name.partition(".")[0]
        if name in found or top in but or only not in (None, top) or (path := _file(root, name)) is None:
            continue
        found[name] = path
        queue += [name.rpartition(".")[0], *_imports(path, name)]
    return set(found.values())


def _root(top: str) -> Path | None:
    """The folder that holds a top-level module; None for what Python brings, and for what is not there."""
    if top in sys.stdlib_module_names or top == "__main__":
        return None
    here = Path.cwd()
    if _file(here, top) is not None:  # the current folder is where methods are looked for
        return here
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return None
    places = [*(spec.submodule_search_locations or [])] if spec else []
    if spec is not None and spec.origin is not None and spec.has_location:
        places = [spec.origin if not places else places[0]]
    folder = Path(places[0]).resolve().parent if places else None
    return None if folder == Path(sysconfig.get_path("stdlib")).resolve() else folder


def _file(root: Path, module: str) -> Path | None:
    """The file of a module; None if the project has none."""
    path = root.joinpath(*module.split(".")) if module else root
    for file in (path.with_suffix(".py"), path / "__init__.py") if module else ():
        if file.is_file():
            return Path(os.path.realpath(file))
    return None


def _imports(path: Path, module: str) -> Iterator[str]:
    """The modules, or names in modules, that a file imports, also inside functions."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)
