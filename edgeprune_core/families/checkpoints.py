"""Where a model's configuration and tensors come from: a local folder, the hub, or a live `transformers` model.

Weights are read from safetensors only: a pickle may run any code when it is opened.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from edgeprune_core.error_codes import user_error
from edgeprune_core.errors import CheckError

CONFIG, SINGLE, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A configuration, tensors by name, and where they come from."""

    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    where: str


class _Files(Mapping[str, Tensor]):
    """The tensors of a folder's safetensors files, each read on access."""

    def __init__(self, folder: Path, file_of: Mapping[str, str]) -> None:
        self.folder, self.file_of = folder, file_of

    def __getitem__(self, name: str) -> Tensor:
        path = self.folder / self.file_of[name]
        try:
            with safe_open(path, framework="pt") as file:
                return file.get_tensor(name)
        except (OSError, SafetensorError) as error:
            raise _unreadable(path, error) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.file_of)

    def __len__(self) -> int:
        return len(self.file_of)


def of_folder(folder: Path) -> Checkpoint:
    """Reads what `save_pretrained` wrote, or a copy of a hub repository. Errors: EP177."""
    config = _json(folder / CONFIG)
    if (folder / INDEX).exists():
        file_of = {name: f for f in _indexed(folder / INDEX) for name in _names(folder / f)}
    elif (folder / SINGLE).exists():
        file_of = dict.fromkeys(_names(folder / SINGLE), SINGLE)
    else:
        pickled = sorted(p.name for p in folder.glob("*.bin")) + sorted(p.name for p in folder.glob("*.pt*"))
        raise user_error(
            "EP177.weights",
            where=folder,
            got=f"pickled weights: {', '.join(pickled)}" if pickled else "no weights",
            wanted=f"{SINGLE}, or {INDEX} and the files it names",
            do="load the model with `transformers` where you trust it, and give us the live model, or the folder "
            "that its `save_pretrained` writes"
            if pickled
            else "",
        )
    return Checkpoint(config, _Files(folder, file_of), str(folder))


def config_in(path: Path) -> Mapping[str, Any]:
    """A configuration without its weights. Errors: EP177."""
    return _json(path)


def of_hub(name: str, revision: str | None = None) -> Checkpoint:
    """A repository of the hub, downloaded or from its cache. Errors: EP178."""
    try:
        import huggingface_hub
        from huggingface_hub import utils
    except ImportError:
        raise user_error("EP178.package", got=name, name=name) from None
    try:
        folder = huggingface_hub.snapshot_download(
            name, revision=revision, allow_patterns=[CONFIG, "*.safetensors", INDEX]
        )
    except (utils.RepositoryNotFoundError, utils.RevisionNotFoundError, utils.HFValidationError) as error:
        raise user_error("EP178.missing", got=_first_line(error), name=name) from None
    except Exception as error:  # every kind of failed connection, of whichever client the hub's package uses
        raise user_error(
            "EP178.connection", got=f"{type(error).__name__}: {_first_line(error)}", name=name
        ) from None
    return of_folder(Path(folder))


def of_live(model: Any) -> Checkpoint:
    """Reads a `transformers` model in memory. Errors: EP177, for any other object."""
    try:
        config, tensors = model.config.to_dict(), model.state_dict()
    except AttributeError:
        raise user_error("EP177.model", got=type(model).__name__) from None
    return Checkpoint(config, tensors, type(model).__name__)


def _indexed(path: Path) -> list[str]:
    """The files that an index names; all must lie in the folder of the index."""
    rows = _json(path).get("weight_map")
    if not isinstance(rows, dict) or not all(isinstance(f, str) and Path(f).name == f for f in rows.values()):
        raise user_error("EP177.index", where=path)
    return sorted(set(rows.values()))


def _names(path: Path) -> list[str]:
    try:
        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, error) from None


def _json(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    if not isinstance(record, dict):
        raise user_error("EP177.object", where=path, got=type(record).__name__)
    return record


def _unreadable(path: Path, error: Exception) -> CheckError:
    got = "no such file" if isinstance(error, FileNotFoundError) else _first_line(error)
    return user_error("EP177.part", where=path, got=got, config=CONFIG)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
