"""How far a model's logits favour the right answers over the wrong ones."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def answer_margin(
    logits: Float[Tensor, "*lead item vocab"],
    answers: Int[Tensor, "item answer"],
    foils: Int[Tensor, "item foil"],
) -> Float[Tensor, "*lead item"]:
    """log p(some answer) - log p(some foil), in nats, of logits at the scored position; negative ids are padding.

    With one answer and one foil this is the logit difference (Wang et al. 2022, section 2); with many, the log odds
    of the two sets. Where there is no foil, every other token is one.
    """
    right = _log_total(logits, answers)
    wrong = _log_total(logits, foils)
    if (none := (foils < 0).all(-1)).any():
        others = _log_total(logits.scatter(-1, _everywhere(answers, logits), -torch.inf), None)
        wrong = torch.where(none, others, wrong)
    return right - wrong


def answers_lead(
    logits: Float[Tensor, "*lead item vocab"], answers: Int[Tensor, "item answer"]
) -> Float[Tensor, "*lead item"]:
    """1 where the likeliest token is an answer, else 0: the mean is the accuracy."""
    top = logits.argmax(-1)
    return (top[..., None] == answers).any(-1).to(logits.dtype)


def _log_total(logits: Tensor, ids: Tensor | None) -> Tensor:
    if ids is None:
        return logits.logsumexp(-1)
    if ids.shape[-1] == 0:
        return logits.new_full(logits.shape[:-1], -torch.inf)
    chosen = logits.gather(-1, _everywhere(ids, logits))
    return chosen.masked_fill(ids < 0, -torch.inf).logsumexp(-1)


def _everywhere(ids: Tensor, logits: Tensor) -> Tensor:
    """The ids for every leading index; padding points at a row's first id, which is there already."""
    ids = torch.where(ids < 0, ids[..., :1], ids)
    return ids.clamp_min(0).expand(*logits.shape[:-1], ids.shape[-1])
