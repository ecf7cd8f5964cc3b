"""The model families by their `model_type` in `config.json`, and `load`, which reads a model of any of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from edgeprune_core.error_codes import user_error
from edgeprune_core.errors import CheckError
from edgeprune_core.families.base import Config, Family, Row
from edgeprune_core.families.checkpoints import Checkpoint, of_folder, of_hub, of_live
from edgeprune_core.families.gguf import architecture, is_gguf, of_gguf
from edgeprune_core.families.gpt2 import Gpt2
from edgeprune_core.families.llama import Llama
from edgeprune_core.families.state_dict import model_of, tensors_of
from edgeprune_core.weights import Model

FAMILIES: dict[str, Family] = {
    "gpt2": Gpt2(),
    "llama": Llama(),
}

__all__ = ["FAMILIES", "Family", "Gpt2", "Llama", "Row", "family_of", "load", "model_of", "tensors_of"]


def load(
    source: str | Path | Any, *, dtype: torch.dtype = torch.float32, revision: str | None = None
) -> Model:
    """A model of `transformers`, as ours.

    source:   a local folder, a GGUF file, a name on the hub, or a live model, whose weights are copied.
    dtype:    of the result. revision: of the hub's repository.
    Errors: EP171 (no table), EP172 to EP176 and EP179 (`model_of`), EP177 (files), EP178 (the hub, or a missing package).
    """
    found = checkpoint_of(source, revision)
    try:
        return model_of(family_of(found.config), found.config, found.tensors, dtype=dtype)
    except CheckError as error:
        raise error.at(found.where) from None


def checkpoint_of(source: str | Path | Any, revision: str | None = None) -> Checkpoint:
    """The configuration and tensors of whatever `load` takes. Errors: EP171 (of a GGUF file), EP177, EP178."""
    if not isinstance(source, (str, Path)):
        return of_live(source)
    if is_gguf(source):
        path = _folder(source)
        family_of({"model_type": architecture(path)})
        return of_gguf(path)
    return of_hub(str(source), revision) if _is_hub_name(source) else of_folder(_folder(source))


def family_of(config: Config) -> Family:
    """The family of a configuration. Errors: EP171; it names the file to add."""
    kind = config.get("model_type")
    if kind in FAMILIES:
        return FAMILIES[kind]
    raise user_error(
        "EP171",
        got=f"model_type {kind!r}, architectures {config.get('architectures')}",
        wanted="one of: " + ", ".join(sorted(FAMILIES)),
        file=kind or "your_family",
    )


def _folder(source: str | Path) -> Path:
    return Path(source).expanduser()


def _is_hub_name(source: str | Path) -> bool:
    """Whether a text is a hub name, `owner/name` or `name`: an existing folder of that name takes precedence."""
    text = os.fspath(source)
    path_like = isinstance(source, Path) or text.startswith((".", "/", "~", os.sep)) or text.count("/") > 1
    return not path_like and not _folder(source).is_dir()
