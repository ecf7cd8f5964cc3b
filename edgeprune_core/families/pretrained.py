"""`load`: a model of `transformers` of any family, from a folder, from the hub, or live."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from edgeprune_core.errors import CheckError
from edgeprune_core.families import family_of
from edgeprune_core.families.checkpoints import Checkpoint, of_folder, of_hub, of_live
from edgeprune_core.families.gguf import architecture, is_gguf, of_gguf
from edgeprune_core.families.state_dict import model_of
from edgeprune_core.weights import Model


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


def _folder(source: str | Path) -> Path:
    return Path(source).expanduser()


def _is_hub_name(source: str | Path) -> bool:
    """Whether a text is a hub name, `owner/name` or `name`: an existing folder of that name takes precedence."""
    text = os.fspath(source)
    path_like = isinstance(source, Path) or text.startswith((".", "/", "~", os.sep)) or text.count("/") > 1
    return not path_like and not _folder(source).is_dir()
