"""Shapes of published models, and what a configuration leaves out."""

from __future__ import annotations

import math

import pytest
from transformers import GPT2Config, LlamaConfig

from edgeprune_core.families import FAMILIES
from edgeprune_core.families.presets import KNOWN, shape_of
from edgeprune_core.weights import expected_shapes

# Parameters, as the authors count them, layers, and numbers in a head.
PUBLISHED = {
    "gpt2": (124_439_808, 12, 64),
    "gpt2-medium": (354_823_168, 24, 64),
    "gpt2-large": (774_030_080, 36, 64),
    "gpt2-xl": (1_557_611_200, 48, 64),
    "llama-7b": (6_738_415_616, 32, 128),
    "llama-13b": (13_015_864_320, 40, 128),
    "llama-33b": (32_528_943_616, 60, 128),
    "llama-2-7b": (6_738_415_616, 32, 128),
    "llama-2-13b": (13_015_864_320, 40, 128),
    "llama-2-70b": (68_976_648_192, 80, 128),
    "codellama-7b": (6_738_546_688, 32, 128),
    "codellama-13b": (13_016_028_160, 40, 128),
    "codellama-34b": (33_743_970_304, 48, 128),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_published_model_has_its_published_size(name):
    spec = shape_of(name)
    sizes = {name: math.prod(shape) for name, shape in expected_shapes(spec).items()}
    if name.startswith("gpt2"):  # the unembedding is the embedding
        del sizes["unembed"]
    else:  # it has no biases
        sizes = {name: size for name, size in sizes.items() if not name.startswith("b_")}
    assert (sum(sizes.values()), spec.n_layers, spec.d_head) == PUBLISHED[name]


@pytest.mark.parametrize(
    ("kind", "whole", "needed"),
    [
        ("gpt2", GPT2Config(), ("n_layer", "n_head", "n_embd", "vocab_size", "n_positions")),
        (
            "llama",
            LlamaConfig(),
            ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size", "vocab_size"),
        ),
    ],
)
def test_what_a_configuration_leaves_out_is_what_transformers_takes(kind, whole, needed):
    given = whole.to_dict()
    assert FAMILIES[kind].spec({name: given[name] for name in needed}) == FAMILIES[kind].spec(given)
