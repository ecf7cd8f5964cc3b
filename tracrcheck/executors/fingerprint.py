"""The fingerprint of an environment: our sources, the programs, the methods, and the versions of what computes.

All results of a run must come from the same code and programs. So a process on another machine compares its fingerprint with
the driver's before it does any work.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tracrcheck.records.journal import differences
from tracrcheck.records.sources import OURS, digest_of, method_sha, package_folder

# Another version of one of these may compute other digits, or compile to another model.
PACKAGES = ("torch", "numpy", "tracr-pypi")


def fingerprint(files: Sequence[str], methods: Sequence[str]) -> dict[str, Any]:
    """The fingerprint of this process. files: absolute paths of programs. methods: by name."""
    return {
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "sources of": {name: _sources(package) for name, package in OURS.items()},
        "program": {path: _sha(Path(path)) for path in files},
        "method": {name: _method(name) for name in methods},
    }


def unlike(theirs: dict[str, Any]) -> list[str]:
    """How this process differs from another's fingerprint: one line per difference."""
    ours = fingerprint(tuple(theirs["program"]), tuple(theirs["method"]))
    return differences(ours, theirs, theirs)


def _sources(package: Any) -> str:
    """A hash of every source file of a package."""
    root = package_folder(package)
    return digest_of(root, sorted(root.rglob("*.py")))


def _sha(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return error.strerror or "cannot be read"


def _method(name: str) -> str:
    """The hash of a method's sources, or why there is none; it is not imported. Our own methods are part of our sources."""
    module, colon, _ = name.partition(":")
    if not colon or module.partition(".")[0] in OURS:
        return "ours"
    return method_sha(name) or f"No module named '{module}'"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
