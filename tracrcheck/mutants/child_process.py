"""For a process that checks a copy of the packages: which sources it runs, and how it ends with its parent."""

from __future__ import annotations

import os
import threading

from tracrcheck.records.sources import OURS, digest_of, package_folder


def sources() -> str:
    """Hex sha256 of every file of both packages but byte code, as imported here."""
    shas = []
    for package in OURS.values():
        root = package_folder(package)
        files = (path for path in root.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
        shas.append(digest_of(root, sorted(files)))
    return "".join(shas)


def leave_with_the_parent() -> None:
    """From now on. Standard input reaches its end when the process at its other end is gone, however it ended."""
    threading.Thread(target=_leave, args=(os.dup(0),), daemon=True).start()


def _leave(handle: int) -> None:
    while os.read(handle, 1024):
        pass
    os._exit(1)
