"""PromptTask: a `Task` whose items are prompts, with the right and the wrong next tokens.

A method that knows `Task` only runs on it unchanged: items are (clean, corrupted) prompts, the scored position is the
last one, and a circuit is accepted if on every prompt its KL divergence from the model is within the tolerance, in
nats. A method that needs a logit difference calls `margins`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from edgeprune_core.ablations import ABLATIONS, Ablation, Resample
from edgeprune_core.criterion import Outcome
from edgeprune_core.error_codes import unknown_name, user_error
from edgeprune_core.metrics.answers import answer_margin, answers_lead
from edgeprune_core.task import Task
from edgeprune_core.tasks.base import Pair
from edgeprune_core.tasks.encode import EncodedPair, encoded, joined
from edgeprune_core.tasks.tokenizer import Tokenizer
from edgeprune_core.weights import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class PromptTask(Task):
    """answers, foils: token ids of each input, -1 for padding; of corrupted inputs all -1."""

    answers: Int[Tensor, "input answer"]
    foils: Int[Tensor, "input foil"]

    _of_inputs: ClassVar[tuple[str, ...]] = (*Task._of_inputs, "answers", "foils")

    def margins(
        self, outputs: Float[Tensor, "circuit item 1 vocab"], items: Int[Tensor, "item 2"]
    ) -> Float[Tensor, "circuit item"]:
        """log p(answers) - log p(foils) at the scored position, in nats: the logit difference."""
        clean = items[:, 0]
        return answer_margin(outputs[:, :, 0], self.answers[clean], self.foils[clean])

    def leads(
        self, outputs: Float[Tensor, "circuit item 1 vocab"], items: Int[Tensor, "item 2"]
    ) -> Float[Tensor, "circuit item"]:
        """1 where the likeliest token at the scored position is an answer, else 0."""
        clean = items[:, 0]
        return answers_lead(outputs[:, :, 0], self.answers[clean])

    def under(self, ablation: str) -> PromptTask:
        """The same prompts under another ablation of the table, with the corrupted prompts as its reference inputs.

        Errors: EP152, a name not in the table.
        """
        if (row := ABLATIONS.get(ablation)) is None:
            raise unknown_name("EP152", ablation, ABLATIONS)
        return replace(self, ablation=row.of(self.model, self._corrupted_by_length()))

    def _corrupted_by_length(self) -> list[Int[Tensor, "batch pos"]]:
        corrupted = self.items[:, 1]
        lengths = self.valid[corrupted].sum(1)
        return [self.tokens[corrupted[lengths == n], :n] for n in lengths.unique().tolist()]


def prompt_task(
    name: str,
    model: Model,
    pairs: Iterable[Pair],
    tokenizer: Tokenizer,
    *,
    ablation: Ablation | None = None,
    tolerance_nats: float = 0.1,
    seed: int = 0,
) -> PromptTask:
    """The task of these pairs. Their tokens are held in memory, and not their texts.

    ablation: None for resampling from the corrupted prompts. Errors: as of `encoded`, and EP187 where a prompt is
    longer than the model's context or has tokens that the model does not know.
    """
    batch = joined(_known(pair, model) for pair in encoded(pairs, tokenizer))
    n = len(batch.clean)
    rows, last = torch.arange(n), batch.scored.int().argmax(1, keepdim=True)
    return PromptTask(
        name=name,
        model=model,
        ablation=Resample() if ablation is None else ablation,
        tokens=torch.cat([batch.clean, batch.corrupted]).to(model.device),
        valid=torch.cat([batch.valid, batch.valid]).to(model.device),
        scored=torch.ones(2 * n, 1, dtype=torch.bool, device=model.device),
        places=torch.cat([last, last]).to(model.device),
        items=torch.stack([rows, rows + n], 1).to(model.device),
        outcome=Outcome(categorical=True, criterion="kl", tolerance=tolerance_nats),
        seed=seed,
        answers=torch.cat([batch.answers, torch.full_like(batch.answers, -1)]).to(model.device),
        foils=torch.cat([batch.foils, torch.full_like(batch.foils, -1)]).to(model.device),
    )


def _known(pair: EncodedPair, model: Model) -> EncodedPair:
    spec = model.spec
    if len(pair.clean) > spec.n_ctx:
        raise user_error("EP187.length", where=pair.where, got=f"{len(pair.clean)} tokens", n_ctx=spec.n_ctx)
    largest = max(*pair.clean, *pair.corrupted, *pair.answers, *pair.foils)
    if largest >= min(spec.d_vocab, spec.d_out):
        raise user_error(
            "EP187.token", where=pair.where, got=f"id {largest}", n=min(spec.d_vocab, spec.d_out)
        )
    return pair
