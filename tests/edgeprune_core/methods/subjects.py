"""A small random Llama in float64, smooth and with shared key/value heads, and prompts for it under any ablation."""

from __future__ import annotations

from functools import cache
from itertools import islice

import torch
from transformers import LlamaConfig

from edgeprune_core.ablations import Ablation, Mean, Resample, Zero
from edgeprune_core.families import load
from edgeprune_core.tasks import TASKS, pairs
from edgeprune_core.tasks.prompt_task import PromptTask, prompt_task
from edgeprune_core.tasks.vocabulary import tokenizer
from edgeprune_core.weights import Model
from tests.edgeprune_core.families.cases import SMALL, live

WORDS = tokenizer("english")


@cache
def llama() -> Model:
    config = LlamaConfig(
        num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=4, hidden_size=8,
        intermediate_size=7, vocab_size=len(WORDS), max_position_embeddings=32, rms_norm_eps=1e-3,
        rope_parameters={"rope_type": "default", "rope_theta": 1e4}, **SMALL,
    )  # fmt: skip
    return load(live("llama", config), dtype=torch.float64)


def ablation(name: str, model: Model) -> Ablation:
    if name == "mean":
        by_length: dict[int, list] = {}
        for prompt in islice(pairs(TASKS["gendered_pronoun"], seed=9), 40):
            ids = WORDS.encode(prompt.clean)
            by_length.setdefault(len(ids), []).append(ids)
        return Mean().of(model, [torch.tensor(rows) for rows in by_length.values()])
    return {"zero": Zero(), "resample": Resample()}[name]


def prompts(model: Model, name: str = "resample", n: int = 5) -> PromptTask:
    some = islice(pairs(TASKS["gendered_pronoun"], seed=0), n)
    return prompt_task(name, model, some, WORDS, ablation=ablation(name, model))
