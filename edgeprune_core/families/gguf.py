"""Weights in GGUF, the file format of llama.cpp. `transformers` reads the file and turns it into float32.

A quantized file stays what it is: the weights are the values that its blocks stand for, and no closer to the model that was
quantized.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
from pathlib import Path
from typing import Any

from edgeprune_core.error_codes import user_error
from edgeprune_core.families.checkpoints import Checkpoint, of_live

SUFFIX = ".gguf"
PACKAGES = ("transformers", "gguf", "accelerate")


def is_gguf(source: str | Path) -> bool:
    return Path(source).suffix.lower() == SUFFIX


def of_gguf(path: Path) -> Checkpoint:
    """The configuration and the float32 tensors of a file. Errors: EP177 (what `transformers` cannot read)."""
    from transformers import AutoModelForCausalLM

    try:
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bars
            model: Any = AutoModelForCausalLM.from_pretrained(
                str(path.parent), gguf_file=path.name, dtype="float32"
            )
    except (
        Exception
    ) as error:  # of whichever package notices: a field that is missing, a type of block it cannot read
        raise user_error("EP177.gguf", where=path, got=f"`transformers` says {_first_line(error)}") from None
    found = of_live(model)
    config = {name: value for name, value in found.config.items() if name != "quantization_config"}
    tied = {"lm_head.weight"} if config.get("tie_word_embeddings") else set()
    tensors = {name: tensor for name, tensor in found.tensors.items() if name not in tied}
    return Checkpoint(config, tensors, str(path))


def architecture(path: Path) -> str:
    """What the header says, such as `llama`. Errors: EP177 (damaged, or no GGUF file), EP178 (packages)."""
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        raise user_error("EP178.gguf", where=path, got=f"not installed: {', '.join(missing)}")
    import gguf

    try:
        field = gguf.GGUFReader(path).fields.get("general.architecture")
    except Exception as error:  # a truncated file fails where its arrays are cut: several kinds of error
        got = "no such file" if isinstance(error, FileNotFoundError) else _first_line(error)
        raise user_error("EP177.gguf", where=path, got=got) from None
    if field is None:
        raise user_error("EP177.gguf", where=path, got="no general.architecture in its header")
    return bytes(field.parts[field.data[0]]).decode(errors="replace")  # gguf 0.14 has no `contents()`


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
