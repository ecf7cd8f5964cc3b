"""Breaks of what is cut and how outputs are judged: ablations, criteria, metrics and certificates."""

from __future__ import annotations

import importlib
from dataclasses import replace

import torch

from edgeprune_core import criterion, faithfulness, task
from edgeprune_core.ablations import Mean
from edgeprune_core.circuit import Circuit
from edgeprune_core.criterion import Outcome
from edgeprune_core.metrics import answers
from tracrcheck.truth import cache, certify
from tracrcheck.truth import permitted as structure


def repeats_count(patch) -> None:
    unique = torch.Tensor.unique
    patch.setattr(torch.Tensor, "unique", lambda t, *a, dim=None, **k: t if dim == 0 else unique(t, *a, **k))


def clean_and_corrupted_swapped(patch) -> None:
    background = task.Task.background
    patch.setattr(task.Task, "background", lambda self, items: background(self, items.flip(1)))


def too_little_permitted(patch) -> None:
    permitted = structure.permitted

    def fewer(model, tokens, **more):
        found = permitted(model, tokens, **more)
        return found - Circuit(found.graph, frozenset(e for e in found.edges if e.writer.kind == "tok"))

    patch.setattr(structure, "permitted", fewer)


def truth_by_head_number(patch) -> None:
    permitted = certify.permitted

    def fewer(model, tokens):
        found = permitted(model, tokens)
        cut = frozenset(e for e in found.edges if (e.reader.port, e.reader.head) == ("v", 0))
        return found - Circuit(found.graph, cut)

    patch.setattr(certify, "permitted", fewer)


def ends_swapped(patch) -> None:
    circuits = faithfulness._circuits

    def swapped(*args):
        rows = circuits(*args)
        return rows[[1, 0, *range(2, len(rows))]]

    patch.setattr(faithfulness, "_circuits", swapped)


def margins_rounded_apart(patch) -> None:
    """No break: where both margins coincide, the model's differs from the empty circuit's by rounding.

    A processor may round so or not, by its kernels. Here it always does: 2^-44 of the margins' size is more than the
    mean of a dozen margins can round away (two means of n terms: 2n * 2^-53), and less than any effect.
    """
    values = faithfulness._values

    def rounded(*args):
        found = values(*args)
        model, empty = found["recovered"][:2]
        if torch.allclose(model, empty):
            model.copy_(empty + 2**-44 * empty.abs().mean())
        return found

    patch.setattr(faithfulness, "_values", rounded)


def rounding_is_a_difference(patch) -> None:
    margins_rounded_apart(patch)
    patch.setattr(faithfulness, "COINCIDE", 0.0)


def gap_forgotten(patch) -> None:
    record = cache.to_record
    patch.setattr(cache, "to_record", lambda certificate: record(certificate) | {"gap_above": None})


def mean_of_the_last_batch(patch) -> None:
    background = Mean.background
    patch.setattr(
        Mean,
        "background",
        lambda mean, model, t, valid: background(mean, model, t, valid) * (1 + 1e-3 * len(t)),
    )


def everything_scored(patch) -> None:
    deviation = Outcome.deviation
    patch.setattr(
        Outcome,
        "deviation",
        lambda criterion, got, want, scored: deviation(criterion, got, want, torch.ones_like(scored)),
    )


def not_a_number_passes(patch) -> None:
    to_num = torch.nan_to_num
    patch.setattr(torch, "nan_to_num", lambda off, *, nan, **more: to_num(off, nan=0.0, **more))


def rounding_decides(patch) -> None:
    patch.setattr(criterion, "DECODE_TIE", 0.0)


def padding_is_an_answer(patch) -> None:
    total = answers._log_total
    patch.setattr(
        answers, "_log_total", lambda logits, ids: total(logits, None if ids is None else ids.clamp_min(0))
    )


def last_batch_alone(patch) -> None:
    of = Mean.of

    def fewer(mean, model, inputs):
        return of(mean, model, list({t.shape[1]: t for t in inputs}.values()))

    patch.setattr(Mean, "of", fewer)


def arguments_swapped(patch) -> None:
    kl = task.kl
    patch.setattr(task, "kl", lambda got, want, *rest: kl(want.expand_as(got), got, *rest))


def scored_one_early(patch) -> None:
    tasks = importlib.import_module(
        "edgeprune_core.tasks.prompt_task"
    )  # a function of the package bears its name
    joined = tasks.joined

    def early(pairs):
        batch = joined(pairs)
        return replace(batch, scored=batch.scored.roll(-1, 1))

    patch.setattr(tasks, "joined", early)


def knocked_out_is_kept(patch) -> None:
    circuits = faithfulness._circuits

    def same(*args):
        rows = circuits(*args)
        rows[3] = rows[2]
        return rows

    patch.setattr(faithfulness, "_circuits", same)


def rounding_has_a_sign(patch) -> None:
    patch.setattr(task, "AT_MEAN", 0.0)
