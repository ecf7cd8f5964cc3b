"""A file or folder that appears whole or not at all, and whether one can be written."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def check_writable(path: Path) -> None:
    """Raises `OSError` if no file can be written there. Changes nothing."""
    if path.is_dir():
        raise IsADirectoryError(f"'{path}' is a folder")
    handle, probe = tempfile.mkstemp(dir=path.resolve().parent)
    os.close(handle)
    os.unlink(probe)


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes another file in the same folder, flushes it to disk and moves it into place. Raises `OSError`."""
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(partial, 0o666 & ~umask)
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """A folder on the disk of `path`, from which one call of `os.replace` moves it into place. Removed whatever happens.

    Raises `OSError`.
    """
    work = Path(tempfile.mkdtemp(dir=path.resolve().parent, prefix=f".{path.name}."))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
