"""JSON documents (docs/json.md), and files that are written atomically."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeprune_core import atomic_write
from tracrcheck.error_codes import unwritable, user_error

if TYPE_CHECKING:
    from edgeprune_core.weights import Model
    from tracrcheck.grading.verdict import Summary
    from tracrcheck.peers.hooked_model import LensFile


def judged_document(verdicts: Sequence[dict[str, Any]], summary: Summary) -> dict[str, Any]:
    """Verdicts that were not made by a run of the gate."""
    return {"verdicts": list(verdicts), "summary": summary.to_json()}


def check_writable(path: Path | None) -> None:
    """Raises TC115 if `path` cannot be written, before any work is done."""
    if path is None or is_device(path):
        return
    with _writing(path):
        atomic_write.check_writable(path)


def check_suffix(option: str, path: Path | None, wanted: str) -> None:
    """Raises TC117 if the suffix is not that of the kind of file we write."""
    if path is not None and not is_device(path) and path.suffix.lower() != wanted:
        raise user_error("TC117.suffix", where=option, got=path, suffixes=wanted)


def check_folder(path: Path | None) -> None:
    """Raises TC115 if files cannot be written to the folder, before any work is done. A missing folder is made later."""
    if path is None:
        return
    with _writing(path):
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(f"'{path}' is no folder")
        atomic_write.check_writable((path if path.is_dir() else path.resolve().parent) / ".probe")


def write_folder(path: Path, contents: Mapping[str, str | bytes]) -> None:
    """Writes each file atomically; other files in the folder stay. Errors: TC115."""
    with _writing(path):
        path.mkdir(exist_ok=True)
    for name, content in contents.items():
        with _writing(path / name):
            atomic_write.write_whole((path / name).resolve(), content)


def write_json(path: Path | None, document: Any, *, a_line_each: Collection[str] = ()) -> None:
    """Writes the document, if a path is given. Errors: TC115.

    a_line_each: lists of the document that are written with one item per line.
    """
    if path is None:
        return
    document = _finite(document)
    lists = {name: document[name] for name in a_line_each}
    if not lists:
        write_text(path, _dumps(document, indent=2) + "\n")
        return
    parts = [f"  {json.dumps(name)}: {_value(value, name in lists)}" for name, value in document.items()]
    write_text(path, "{\n" + ",\n".join(parts) + "\n}\n")


def _value(value: Any, a_line_each: bool) -> str:
    """A value as the member of an object, indented once."""
    if not a_line_each or not value:
        return _dumps(value, indent=2).replace("\n", "\n  ")
    return "[\n" + ",\n".join(f"    {_dumps(item)}" for item in value) + "\n  ]"


def _dumps(value: Any, *, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, default=str, allow_nan=False)


def write_text(path: Path, text: str) -> None:
    """Writes the file atomically. Errors: TC115."""
    with _writing(path):
        if is_device(path):
            path.write_text(text, encoding="utf-8")
        else:
            atomic_write.write_whole(path.resolve(), text)


def write_model(path: Path, model: Model | LensFile) -> None:
    """Writes a safetensors file atomically. Errors: TC115."""
    from safetensors import SafetensorError

    with _writing(path):
        try:
            model.save(path)
        except SafetensorError as error:
            raise OSError(str(error)) from None


def is_device(path: Path) -> bool:
    """True of /dev/stdout and the like, which must not be replaced by a file."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _finite(value: Any) -> Any:
    """Replaces infinity and NaN, which JSON does not have, by null."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from None
