"""How well a model does a task: on which prompts it leads with an answer, and by how much.

Where the model is wrong, there is nothing to explain: Wang et al. 2022 (arXiv 2211.00593) and MIB (arXiv 2504.13151) search
for circuits on prompts that it answers rightly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from edgeprune_core.errors import CheckError
from edgeprune_core.tasks import TASKS, Pair
from edgeprune_core.tasks.prompt_task import PromptTask, prompt_task
from edgeprune_core.trained_models import TrainedModel
from tracrcheck.trained.prompts import Leads, judging_list

# Prompts run at once.
AT_ONCE = 16


def leads_of(subject: TrainedModel) -> Leads:
    def leads(pairs: Sequence[Pair]) -> list[bool]:
        return [
            bool(lead) for task, got in _answers(subject, pairs) for lead in task.leads(got, task.items)[0]
        ]

    return leads


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """A model on a task.

    n_tokens: of the longest prompt. accuracy: on what share of the prompts it leads with an answer. margin, corrupted: log-odds
    of the answers over the foils, in nats, in the mean over the prompts and over the corrupted ones. refused: why it has no
    prompts of this task, and then there are no figures.
    """

    task: str
    n_prompts: int = 0
    n_tokens: int = 0
    accuracy: float | None = None
    margin: float | None = None
    corrupted: float | None = None
    refused: str | None = None


def ability(subject: TrainedModel, task: str, *, n: int, seed: int) -> Ability:
    """On `n` held-out prompts. Errors: those of a file of pairs."""
    try:
        pairs = judging_list(task, subject.tokenizer, n=n, seed=seed).pairs
        parts = list(_answers(subject, pairs))
    except CheckError as error:
        if task not in TASKS:
            raise
        return Ability(task=task, refused=error.what)
    led, margins, corrupted = (torch.cat([figures[i] for figures in map(_figures, parts)]) for i in range(3))
    return Ability(
        task=task,
        n_prompts=len(pairs),
        n_tokens=max(part.tokens.shape[1] for part, _ in parts),
        accuracy=float(led.mean()),
        margin=float(margins.mean()),
        corrupted=float(corrupted.mean()),
    )


def _figures(part: tuple[PromptTask, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Whether an answer leads, and the margins of the clean and of the corrupted prompts."""
    task, clean = part
    after_corruption = task.reference[None, task.items[:, 1]]
    return (
        task.leads(clean, task.items)[0],
        task.margins(clean, task.items)[0],
        task.margins(after_corruption, task.items)[0],
    )


def _answers(subject: TrainedModel, pairs: Sequence[Pair]) -> Iterator[tuple[PromptTask, Tensor]]:
    """Some pairs as a task, and what the model says after their clean prompts, until all were run."""
    for first in range(0, len(pairs), AT_ONCE):
        task = prompt_task(subject.name, subject.model, pairs[first : first + AT_ONCE], subject.tokenizer)
        yield task, task.reference[None, task.items[:, 0]]
