"""Builds the task of a compiled program in a setting. The task does not contain the truth."""

from __future__ import annotations

import random

import torch

from edgeprune_core.criterion import Outcome
from edgeprune_core.engine import trace
from edgeprune_core.task import Task
from tracrcheck.compiler.compile import Compiled
from tracrcheck.error_codes import user_error
from tracrcheck.rasp.domain import MOST_HELD, Domain, Total, domain_of, too_many, total_of
from tracrcheck.truth.setting import Setting

# Numbers whose range is below this share of the largest are a constant: what leaks through a softmax moves them by up to
# e^-20 for each position, 1e-7 at length 32; no program makes so small a difference on purpose.
CONSTANT = 1e-6
# Inputs per forward pass.
AT_ONCE = 512
_SEED = 20_240_624  # for the sample of pairs, where the whole list is too long


def task_of(compiled: Compiled, setting: Setting) -> Task:
    """The task that a method receives and a certificate describes. Errors: TC112 where no input has the lengths."""
    domain = _inputs(compiled, setting)
    tokens, valid = compiled.encode(domain.inputs)
    scored = _scored(compiled, domain, valid, setting.score_bos)
    items, of = _items(compiled, domain, setting)
    lengths = valid.sum(1)
    by_length = [tokens[lengths == n, :n] for n in lengths.unique().tolist()]
    return Task(
        name=compiled.program.name,
        model=compiled.model,
        ablation=setting.row.of(compiled.model, by_length),
        tokens=tokens,
        valid=valid,
        scored=scored,
        items=items,
        outcome=_outcome(compiled, setting, tokens, valid, scored),
        sampled=of,
    )


def _inputs(compiled: Compiled, setting: Setting) -> Domain:
    same = compiled.domain.most == setting.inputs
    domain = compiled.domain if same else domain_of(compiled.program, setting.inputs)
    if setting.lengths is None:
        return domain
    domain = domain.of_lengths(*setting.lengths)
    if not domain.inputs:
        low, high = setting.lengths
        raise user_error(
            "TC112", got=f"{low}-{high}", program=compiled.program.name, longest=compiled.program.max_seq_len
        )
    return domain


def _scored(compiled: Compiled, domain: Domain, valid: torch.Tensor, score_bos: bool) -> torch.Tensor:
    """Positions whose output counts: not BOS (unless `score_bos`), and not where the program returns None."""
    scored = torch.zeros_like(valid)
    scored[:, 0] = score_bos
    for row, tokens in enumerate(domain.inputs):
        for place, value in enumerate(compiled.interpret(tokens), start=1):
            scored[row, place] = value is not None
    return scored


def _outcome(compiled: Compiled, setting: Setting, tokens, valid, scored) -> Outcome:
    scale = 1.0
    if not compiled.categorical:
        parts = zip(tokens.split(AT_ONCE), valid.split(AT_ONCE), strict=True)
        found = torch.cat([trace(compiled.model, part, valid=real).outputs for part, real in parts])
        values = found[scored]
        least, most = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
        scale = most - least
        if scale < CONSTANT * max(1.0, abs(least), abs(most)):
            scale = 0.0
    return Outcome(categorical=compiled.categorical, criterion=setting.criterion, scale=scale)


def _items(compiled: Compiled, domain: Domain, setting: Setting) -> tuple[torch.Tensor, Total | None]:
    """Rows of (clean, corrupted), and the size of the full list where they are a sample of it, else None."""
    if not setting.paired:
        each = torch.arange(len(domain.inputs))
        return torch.stack([each, each], 1), domain.sampled
    by_length: dict[int, list[int]] = {}
    for row, tokens in enumerate(domain.inputs):
        by_length.setdefault(len(tokens), []).append(row)
    total = sum(len(rows) ** 2 for rows in by_length.values())
    most = MOST_HELD if setting.inputs is None else setting.inputs
    if setting.inputs is None and total > most:
        raise too_many(compiled.program, total)
    rng, pairs, left = random.Random(_SEED), [], most
    for done, rows in enumerate(by_length.values()):
        n = len(rows)
        share = left // (len(by_length) - done)
        numbers = range(n * n) if total <= most or n * n <= share else sorted(rng.sample(range(n * n), share))
        pairs += [(rows[i // n], rows[i % n]) for i in numbers]
        left = most - len(pairs)
    if total <= most and domain.sampled is None:
        return torch.tensor(pairs), None
    return torch.tensor(pairs), total_of(None if n is None else n * n for n in domain.totals.values())
