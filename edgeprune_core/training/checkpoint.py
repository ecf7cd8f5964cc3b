"""Checkpoints: the state of a training in one file, from which it resumes to the same result bit for bit.

The file is safetensors. Its tensors are the whole state: parameters, the optimiser's moments, the random generator, and
whatever else the next step depends on. Its metadata is a readable header, which describes the run, and a digest of the
tensors. The file is written under another name and then moved, so it is complete or absent; a run killed while writing
leaves the previous checkpoint. Equal headers promise equal bits, so the header names everything the bits depend on.

A method can be checkpointed if it has `begin(task)`, which returns its `Training`; calling the method must do the same
as `finished(method.begin(task))`.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from edgeprune_core.atomic_write import check_writable, write_whole
from edgeprune_core.discovery import Discovery
from edgeprune_core.error_codes import user_error
from edgeprune_core.errors import CheckError, shortened
from edgeprune_core.task import Task

SCHEMA = "edgeprune_core.checkpoint/1"


class Training(Protocol):
    """A method in training, between two steps."""

    @property
    def done(self) -> bool: ...
    @property
    def taken(self) -> int:
        """How many steps were taken."""
        ...

    def advance(self) -> None:
        """Takes one step."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Everything further steps depend on, except the method's settings and the task; always under the same names."""
        ...

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Returns to the state in which these tensors were taken."""
        ...

    def discovery(self) -> Discovery:
        """The result, once done."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """A method whose training can be stopped and resumed."""

    def begin(self, task: Task) -> Training: ...
    def __call__(self, task: Task) -> Discovery: ...


def finished(training: Training) -> Discovery:
    for _ in steps(training):
        pass
    return training.discovery()


def steps(training: Training) -> Iterator[None]:
    """Takes every step that is left."""
    while not training.done:
        training.advance()
        yield


@dataclass(eq=False, kw_only=True)
class Kept:
    """A method that writes checkpoints at an interval and after its last step. Made by `kept`.

    writes: whether this process writes, where several are in the same state.
    header: of the file. state: the checkpoint to resume from.
    watch:  wraps the steps, to show how far the training is.
    error:  why the file could not be written, which ended the run.
    """

    method: Resumable
    path: Path
    every_seconds: float
    header: Mapping[str, str]
    writes: bool = True
    state: Mapping[str, Tensor] | None = None
    watch: Callable[[Iterator[None]], Iterable[None]] = iter
    error: CheckError | None = field(default=None, init=False)

    def __call__(self, task: Task) -> Discovery:
        training = self.method.begin(task)
        if self.state is not None:
            training.restore(self.state)
        written = time.monotonic()
        for _ in self.watch(steps(training)):
            if self.writes and (training.done or time.monotonic() - written >= self.every_seconds):
                self._write(training)
                written = time.monotonic()
        return training.discovery()

    @property
    def steps_before(self) -> int | None:
        """The steps of the checkpoint this run resumes from; None for a new run."""
        return None if self.state is None else int(self.header["steps"])

    def _write(self, training: Training) -> None:
        try:
            write(self.path, {**self.header, "steps": str(training.taken)}, training.tensors())
        except OSError as error:
            self.error = _unwritable(self.path, error)
            raise self.error from None

    def remove(self) -> None:
        """Deletes the checkpoint of a finished run."""
        with suppress(OSError):
            self.path.unlink()


def kept(
    method: Any,
    task: Task,
    path: Path,
    *,
    every_seconds: float,
    resume: bool,
    depends_on: Mapping[str, Any] | None = None,
) -> Kept:
    """The method, with checkpoints in `path`. Checks the file now; calling the result runs the method.

    resume: resumes from the file if it exists, else starts a new run. depends_on: what else the bits depend on.
    Errors: EP201 (the method cannot be checkpointed), EP202 (an unfinished run exists and `resume` is off), EP203 (the
    checkpoint belongs to another run), EP204 (not a complete checkpoint), EP205 (cannot be written).
    """
    if not isinstance(method, Resumable):
        raise user_error("EP201", got=_text(method))
    header = header_of(method, task) | {name: _text(value) for name, value in (depends_on or {}).items()}
    state = None
    if path.exists():
        there, state = read(path)
        header["steps"] = there.get("steps", "")
        _check_same(path, there, header)
        if not resume:
            raise user_error("EP202", where=path, got=f"a checkpoint after {header['steps']} steps")
        _check_names(path, state, method.begin(task))
    _check_writable(path)
    return Kept(method=method, path=path, every_seconds=every_seconds, header=header, state=state)


def header_of(method: Any, task: Task) -> dict[str, str]:
    """What the state of a run depends on, as text and digests."""
    return {
        "schema": SCHEMA,
        **_settings(method),
        "task": task.name,
        "model": task.model.digest(),
        "items": _digest({"tokens": task.tokens, "valid": task.valid, "items": task.items, "scored": task.scored, **_places(task)}),
        "ablation": task.ablation.name,
        "outcome": repr(task.outcome),
        "seed": str(task.seed),
        "device": task.model.device.type,
        "torch": torch.__version__,
        "threads": str(torch.get_num_threads()),
    }  # fmt: skip


def _places(task: Task) -> dict[str, Tensor]:
    return {} if task.places is None else {"places": task.places}


def _settings(method: Any) -> dict[str, str]:
    """The method, and each of its settings if it is a dataclass."""
    if not is_dataclass(method):
        return {"method": _text(method)}
    own = {f"method.{f.name}": repr(getattr(method, f.name)) for f in fields(method)}
    return {"method": type(method).__qualname__, **own}


# The file ------------------------------------------------------------------------------------------------


def write(path: Path, header: Mapping[str, str], tensors: Mapping[str, Tensor]) -> None:
    """Writes the file completely or not at all, and flushes it to disk. Raises `OSError`."""
    own = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    data = save(own, metadata={"header": json.dumps({**header, "digest": _digest(own)})})
    write_whole(path.resolve(), data)


def read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Header and tensors. Errors: EP204 if the file is not a checkpoint, was truncated or was changed."""
    try:
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = json.loads(meta["header"])
        digest = header.pop("digest")
    except (OSError, SafetensorError) as error:
        raise _no_checkpoint(path, str(error)) from None
    except (KeyError, ValueError, AttributeError, TypeError):
        raise _no_checkpoint(path, "safetensors without our header") from None
    if header.get("schema") != SCHEMA:
        raise _no_checkpoint(path, f"schema {header.get('schema')!r}")
    if digest != _digest(tensors):
        raise _no_checkpoint(path, "tensors that are not those that were written")
    return header, tensors


def _digest(tensors: Mapping[str, Tensor]) -> str:
    h = hashlib.sha256()
    for name, t in sorted(tensors.items()):
        h.update(f"{name} {t.dtype} {tuple(t.shape)}".encode())
        h.update(t.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return h.hexdigest()


def _check_same(path: Path, there: Mapping[str, str], here: Mapping[str, str]) -> None:
    names = [name for name in {**there, **here} if there.get(name) != here.get(name)]
    if names:
        raise user_error(
            "EP203",
            where=path,
            got="; ".join(
                f"{n}: {shortened(there.get(n, 'nothing'))} there, {shortened(here.get(n, 'nothing'))} now"
                for n in names
            ),
        )


def _check_names(path: Path, tensors: Mapping[str, Tensor], training: Training) -> None:
    wanted = set(training.tensors())
    if wanted != set(tensors):
        raise _no_checkpoint(
            path, f"tensors {', '.join(sorted(set(tensors) ^ wanted))} lacking or in surplus"
        )


def _check_writable(path: Path) -> None:
    """Fails before the first step rather than after it. Errors: EP205."""
    try:
        check_writable(path)
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> CheckError:
    return user_error("EP205", where=path, got=error.strerror or error)


def _no_checkpoint(path: Path, got: str) -> CheckError:
    return user_error("EP204", where=path, got=got, schema=SCHEMA)


def _text(value: Any) -> str:
    if callable(value) and not isinstance(value, type) and getattr(value, "__name__", None):
        return f"{value.__module__}:{value.__name__}"
    return value if isinstance(value, str) else repr(value)
