"""Shapes of published models by name, as in their configurations, or of any configuration file.

Sizes only: from Radford et al. 2019 (GPT-2), Touvron et al. 2023 (arXiv 2302.13971, table 2; 2307.09288) and Roziere et
al. 2023 (arXiv 2308.12950), each as in the `config.json` beside its weights.
"""

from __future__ import annotations

import os
from pathlib import Path

from edgeprune_core.error_codes import unknown_name
from edgeprune_core.errors import CheckError
from edgeprune_core.families import family_of
from edgeprune_core.families.base import Config
from edgeprune_core.families.checkpoints import CONFIG, config_in
from edgeprune_core.spec import ModelSpec


def _gpt2(n_layer: int, n_head: int, n_embd: int) -> Config:
    sizes = {"n_layer": n_layer, "n_head": n_head, "n_embd": n_embd}
    return {"model_type": "gpt2", "vocab_size": 50257, "n_positions": 1024, **sizes}


def _llama(
    layers: int, heads: int, hidden: int, inner: int, *, kv: int | None = None, vocab: int = 32000, ctx: int
) -> Config:
    return {
        "model_type": "llama",
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv or heads,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "vocab_size": vocab,
        "max_position_embeddings": ctx,
    }


KNOWN: dict[str, Config] = {
    "gpt2": _gpt2(12, 12, 768),
    "gpt2-medium": _gpt2(24, 16, 1024),
    "gpt2-large": _gpt2(36, 20, 1280),
    "gpt2-xl": _gpt2(48, 25, 1600),
    "llama-7b": _llama(32, 32, 4096, 11008, ctx=2048),
    "llama-13b": _llama(40, 40, 5120, 13824, ctx=2048),
    "llama-33b": _llama(60, 52, 6656, 17920, ctx=2048),
    "llama-2-7b": _llama(32, 32, 4096, 11008, ctx=4096),
    "llama-2-13b": _llama(40, 40, 5120, 13824, ctx=4096),
    "llama-2-70b": _llama(80, 64, 8192, 28672, kv=8, ctx=4096),
    "codellama-7b": _llama(32, 32, 4096, 11008, vocab=32016, ctx=16384),
    "codellama-13b": _llama(40, 40, 5120, 13824, vocab=32016, ctx=16384),
    "codellama-34b": _llama(48, 64, 8192, 22016, kv=8, ctx=16384),
}


def shape_of(model: str) -> ModelSpec:
    """Of a name here, a configuration, or a folder that holds one.

    Errors: EP196 (neither), EP177 (no JSON), EP171 and EP172 (a configuration that we do not compute).
    """
    if model in KNOWN:
        return family_of(KNOWN[model]).spec(KNOWN[model])
    path = Path(model)
    if not path.exists() and os.sep not in model and path.suffix != ".json":
        raise unknown_name("EP196", model, KNOWN, wanted=f"a name, a folder with {CONFIG}, or such a file")
    config = config_in(path / CONFIG if path.is_dir() else path)
    try:
        return family_of(config).spec(config)
    except CheckError as error:
        raise error.at(model) from None
