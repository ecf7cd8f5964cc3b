"""Hashes of the sources that a result depends on: whether two results were made by the same code."""

from __future__ import annotations

import ast
import hashlib
import subprocess
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import edgeprune_core
import tracrcheck
from tracrcheck.records.own_project import project_files
from tracrcheck.records.parts import modules_and_values

# Of what a checkout may have changed since its commit, this much bears on results.
WATCHED = ("edgeprune_core", "tracrcheck", "programs")

OURS = {"edgeprune_core": edgeprune_core, "tracrcheck": tracrcheck}
# What decides a verdict: these modules and what they import. Reports and commands do not.
JUDGING = (
    "tracrcheck.compiler.equivalence",
    "tracrcheck.truth.task",
    "tracrcheck.truth.certify",
    "tracrcheck.grading.method_child",
    "tracrcheck.grading.method_process",
    "tracrcheck.grading.grade",
)
# What changes no result: the table of methods (one more changes nothing of another) and the version.
WITHOUT = ("edgeprune_core.methods", "tracrcheck._version")


def package_folder(package: Any) -> Path:
    assert package.__file__ is not None
    return Path(package.__file__).parent


def digest_of(root: Path, paths: Iterable[Path]) -> str:
    """Hex sha256 over the names below `root` and the bytes of files, in the order given."""
    h = hashlib.sha256()
    for path in paths:
        h.update(str(path.relative_to(root)).encode())
        h.update(path.read_bytes())
    return h.hexdigest()


def reached(roots: Iterable[str]) -> list[Path]:
    """The source files of these modules and of all of ours that they import, directly or not, in order.

    With a package come the tables in its folder (`*.toml`), which it reads.
    """
    found: dict[str, Path] = {}
    queue = list(roots)
    while queue:
        name = queue.pop()
        if name in found or name in WITHOUT or (path := _file_of(name)) is None:
            continue
        found[name] = path
        imported, rows = _wants(path.read_bytes())
        for module, names in imported:
            homes = _homes(module) if names else {}
            queue += [module, *(homes.get(name, f"{module}.{name}") for name in names)]
        queue += rows
    packages = [path.parent for path in found.values() if path.name == "__init__.py"]
    return sorted({*found.values(), *(table for folder in packages for table in folder.glob("*.toml"))})


@cache
def _wants(source: bytes) -> tuple[list[tuple[str, list[str]]], list[str]]:
    """What a file imports, each module with the names that are taken from it, and the modules of a lazy table's rows."""
    tree = ast.parse(source)
    imported: list[tuple[str, list[str]]] = []
    for node in _imports(tree):
        if isinstance(node, ast.Import):
            imported += [(alias.name, []) for alias in node.names]
        elif node.module:
            imported.append((node.module, [alias.name for alias in node.names]))
    return imported, _rows(tree) if b"Lazy(" in source else []


def _imports(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports among statements, functions included. Those for types alone (`if TYPE_CHECKING`) decide nothing."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from _imports(ast.Module(child.orelse, []))
        elif isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            yield from _imports(child)


@cache
def _homes(package: str) -> dict[str, str]:
    """Names that a package exports lazily -> the modules that define them: it imports them for types alone."""
    path = _file_of(package)
    if path is None or path.name != "__init__.py" or package in WITHOUT:
        return {}
    return {
        alias.name: node.module
        for block in ast.parse(path.read_bytes()).body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def _rows(tree: ast.Module) -> list[str]:
    """The modules of a lazy table's rows."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [
        ast.literal_eval(call.args[0]).partition(":")[0]
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "Lazy"
    ]


def _file_of(module: str) -> Path | None:
    """The file of one of our modules; None for anything else."""
    top, *parts = module.split(".")
    package = OURS.get(top)
    if package is None:
        return None
    path = package_folder(package).joinpath(*parts)
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


@cache
def packages_sha(*modules: str) -> str:
    """Of every source file of ours that decides a verdict, these modules (a method's) and what they import among them."""
    shas = []
    files = reached((*JUDGING, *modules))
    for package in OURS.values():
        root = package_folder(package)
        shas.append(digest_of(root, [path for path in files if root in path.parents]))
    return hashlib.sha256("".join(shas).encode()).hexdigest()


def programs_sha(paths: Iterable[Path]) -> str:
    """Of program files, by name and bytes, wherever they lie and in whatever order they are given."""
    marks = sorted(f"{p.name} {hashlib.sha256(p.read_bytes()).hexdigest()}" for p in paths)
    return hashlib.sha256("\n".join(marks).encode(errors="surrogateescape")).hexdigest()


def method_sha(method: str | Callable[..., Any]) -> str | None:
    """Of a third-party method or ablation, as `module:callable` or an object; None for ours, which `packages_sha` covers.

    It covers the file that defines it, all that this imports from its own project, and of an object what it was made with:
    the arguments of a partial, the variables of a closure, the fields of a record.
    """
    modules, values = ({_module_of(method)}, []) if isinstance(method, str) else modules_and_values(method)
    files = {path for module in modules for path in project_files(module, but=OURS)}
    if not files:
        return None
    marks = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)]
    return hashlib.sha256("\n".join([*marks, *values]).encode()).hexdigest()


def _module_of(method: str | Callable[..., Any]) -> str:
    if isinstance(method, str):
        return method.partition(":")[0]
    return getattr(method, "__module__", None) or ""


def sources_of(
    paths: Iterable[Path], method: str | Callable[..., Any] | None = None, *, roots: Iterable[str] = ()
) -> dict[str, str | None]:
    """What a run on these program files, with this method, depends on.

    roots: modules of ours that decide its results, in addition to those that judge.
    """
    return {
        "packages": packages_sha(*roots, *([] if method is None else [_module_of(method)])),
        "programs": programs_sha(paths),
        "method": None if method is None else method_sha(method),
    }


def commit() -> str | None:
    """The commit of the checkout that holds us, `-changed` after it where its sources differ; else None."""
    root = package_folder(tracrcheck).parent
    if _git(root, "ls-files", "--error-unmatch", "tracrcheck/__init__.py") is None:
        return None
    head = _git(root, "rev-parse", "HEAD")
    changed = _git(root, "status", "--porcelain", "--", *WATCHED)
    return head and head + ("-changed" if changed else "")


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
