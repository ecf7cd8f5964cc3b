"""What a process that checks a copy of the packages does first and last: it says which sources it runs, and ends with us."""

from __future__ import annotations

import os
import threading

from tracrcheck.records.sources import OURS, digest_of, package_folder


def sources() -> str:
    """Of every source file of both packages, as imported here: hex sha256."""
    shas = []
    for package in OURS.values():
        root = package_folder(package)
        shas.append(digest_of(root, sorted(root.rglob("*.py"))))
    return "".join(shas)


def leave_with_the_parent() -> None:
    """From now on. Standard input ends where the process at its other end does; whatever is done to it later."""
    threading.Thread(target=_leave, args=(os.dup(0),), daemon=True).start()


def _leave(handle: int) -> None:
    while os.read(handle, 1024):
        pass
    os._exit(1)
