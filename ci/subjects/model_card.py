"""The card of a shipped model: its accuracy, and what is left of it when every edge is cut.

A model that had learned its prompts by heart would be right on them and not on others; a task that the last token
gives away would be done with every edge cut. So beside the accuracy on held-out prompts stand those on training
prompts, on corrupted prompts against the clean answer, and with no edge at all. Every figure is measured here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from edgeprune_core.ablations import ABLATIONS
from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.mask import to_mask
from edgeprune_core.tasks.base import PromptSource, Split, pairs
from edgeprune_core.tasks.encode import NO_TOKEN
from edgeprune_core.tasks.prompt_task import PromptTask, prompt_task
from edgeprune_core.tasks.tokenizer import WordTokenizer
from edgeprune_core.trained_models import TrainedModel
from edgeprune_core.trained_models.tokenizers import WORDS

SCHEMA = "edgeprune_core.subject/1"
CARD, FIGURES, WEIGHTS = "README.md", "figures.json", "model.safetensors"
PROMPTS = 1000
SEED = 1
# Prompts per forward pass.
BATCH = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Shares of `prompts` held-out prompts, but for `train`, after which the likeliest token is a right answer.

    chance:    of a guess among a prompt's right and wrong answers.
    corrupted: after corrupted prompts, by the clean ones' answers. every_edge_cut: by ablation.
    """

    task: str
    prompts: int
    chance: float
    held_out: float
    train: float
    corrupted: float
    every_edge_cut: Mapping[str, float]


def measured(
    subject: TrainedModel, source: PromptSource, *, prompts: int = PROMPTS, seed: int = SEED
) -> Figures:
    """The figures of one task. seed: seeds the prompts."""

    def task_of(split: Split) -> PromptTask:
        drawn = islice(pairs(source, seed=seed, split=split), prompts)
        return prompt_task(source.name, subject.model, drawn, subject.tokenizer)

    task = task_of("held_out")
    full, empty = Circuit.full(task.graph), Circuit.empty(task.graph)
    answers, foils = (
        (ids[task.items[:, 0]] != NO_TOKEN).sum(-1).double() for ids in (task.answers, task.foils)
    )
    return Figures(
        task=source.name,
        prompts=prompts,
        chance=float((answers / (answers + foils)).mean()),
        held_out=accuracy(task, full),
        train=accuracy(task_of("train"), full),
        corrupted=accuracy(task, full, corrupted=True),
        every_edge_cut={name: accuracy(task.under(name), empty) for name in ABLATIONS},
    )


@torch.no_grad()
def accuracy(task: PromptTask, circuit: Circuit, *, corrupted: bool = False) -> float:
    """The share of items where the likeliest token is a right answer.

    corrupted: the corrupted prompts run as if they were the clean ones; the answers stay those of the clean ones.
    """
    mask = to_mask(circuit, dtype=task.model.dtype, device=task.model.device)
    right = 0.0
    for items in task.items.split(BATCH):
        asked = items.flip(1) if corrupted else items
        right += float(task.leads(task.outputs(mask, asked), items).sum())
    return right / len(task.items)


def write(folder: Path, subject: TrainedModel, figures: Sequence[Figures], *, made_by: str) -> None:
    """Writes the figures and the card."""
    spec = subject.model.spec
    record = {
        "schema": SCHEMA,
        "made_by": made_by,
        "layers": spec.n_layers,
        "heads": spec.n_heads,
        "d_model": spec.d_model,
        "d_mlp": spec.d_mlp,
        "edges": ResidualGraph.of(spec).n_edges,
        "bytes": (folder / WEIGHTS).stat().st_size,
        "words": WordTokenizer.load(folder / WORDS).digest,
        "tasks": [asdict(f) for f in figures],
    }
    (folder / FIGURES).write_text(json.dumps(record, indent=2) + "\n")
    (folder / CARD).write_text(text(folder.name, record))


def text(name: str, record: Mapping[str, Any]) -> str:
    """The card, as Markdown."""
    tasks = record["tasks"]
    rows = [
        f"| {t['task']} | {_share(t['chance'])} | {_share(t['held_out'])} | {_share(t['train'])} | "
        f"{_share(t['corrupted'])} | " + " | ".join(_share(t["every_edge_cut"][a]) for a in ABLATIONS) + " |"
        for t in tasks
    ]
    return _TEXT.format(
        name=name,
        **{key: value for key, value in record.items() if isinstance(value, (int, str))},
        kilobytes=round(record["bytes"] / 1000),
        prompts=tasks[0]["prompts"],
        tasks=", ".join(t["task"] for t in tasks),
        ablations=" | ".join(f"every edge cut, {a}" for a in ABLATIONS),
        rule="|".join(["---"] * (5 + len(ABLATIONS))),
        rows="\n".join(rows),
    )


def _share(x: float) -> str:
    return f"{100 * x:.1f} %"


_TEXT = """# {name}

A GPT-2 of {layers} layers x {heads} heads: d_model {d_model}, d_mlp {d_mlp}, LayerNorm, biases, learned positions, tied embeddings,
float32; {edges:,} edges, {kilobytes:,} kB. It is trained on {tasks},
on the last token of each prompt alone, and knows no other English.

Made by `{made_by}`, which wrote this card and measured every figure in it. Weights made
anew have the same accuracy and not the same bits; the word list has the same SHA-256:

    {words}

Shares of {prompts:,} prompts after which the likeliest of all tokens is a right answer:

| task | chance | held out | training | corrupted | {ablations} |
|{rule}|
{rows}

* *chance*: a guess among a prompt's own right and wrong answers.
* *held out*: prompts that share no (template, names) with any in training; so are those of the columns after *training*.
* *corrupted*: the corrupted prompt is shown, and the clean prompt's answers count. A model that answers without
  reading what the corruption changes would score as on clean prompts.
* *every edge cut*: the circuit without edges. What it scores needs no circuit; under `resample` it is the corrupted
  column again, since all that is left is what the model writes on the corrupted prompt.
"""
