"""Gates: P(0), P(1) and the expected L0 in closed form are what sampling gives.

By hand (Louizos et al. 2018, arXiv 1712.01312, eqs. 10-12): with logistic noise L, s = sigmoid((L + a) / b) and
z = min(1, max(0, s (r - l) + l)),

    z = 0   where   (L + a) / b <= log(-l / r)             P = sigmoid(b log(-l / r) - a)
    z = 1   where   (L + a) / b >= log((1 - l) / (r - 1))  P = sigmoid(a - b log((1 - l) / (r - 1)))

and E[L0] = sum of 1 - P(z = 0).

The statistical part. For N independent draws of a variable in [0, 1], its mean is off by more than t with probability
at most 2 exp(-2 N t^2) (Hoeffding 1963, theorem 2). Here t is such that this is FALSE_ALARM for all comparisons of one
check together. Whole circuits are compared as well: over draws, the number of edges kept varies as independent gates do,
with variance sum p (1 - p); were noise shared between edges, pairs would be kept together more often than p q.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from edgeprune_core.training.gates import HardConcrete, stratified_uniform
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.subjects import Subject, generator_of

TEMPERATURE, LOW, HIGH = 2 / 3, -0.1, 1.1  # of both papers
DRAWS = 4096
STRATA = 16  # circuits of a step
FALSE_ALARM = 1e-9  # a check, over its seeds


def closed_forms(subject: Subject, seed: int) -> Violation | None:
    a = _log_alphas(subject, seed)
    zero = torch.sigmoid(TEMPERATURE * math.log(-LOW / HIGH) - a)
    one = torch.sigmoid(a - TEMPERATURE * math.log((1 - LOW) / (HIGH - 1)))
    gate = HardConcrete()
    stretched = (torch.sigmoid(a) * (HIGH - LOW) + LOW).clamp(0, 1)
    for what, got, want in (
        ("P(z = 0)", gate.p_zero(a), zero),
        ("P(z = 1)", gate.p_one(a), one),
        ("what a gate adds to L0", gate.p_kept(a), 1 - zero),
        ("the gate without noise", gate.mean_gate(a), stretched),
    ):
        if (off := float((got - want).abs().max())) > 1e-12:
            return Violation(what, f"off by {off:.2g}", 0)
    return None


def sampled_gates(subject: Subject, seed: int) -> Violation | None:
    a, gate = _log_alphas(subject, seed), HardConcrete()
    n, draw = len(a), generator_of(seed)
    u = stratified_uniform(1, (DRAWS, n), draw, dtype=torch.float64)[0]
    strata = stratified_uniform(STRATA, (DRAWS // STRATA, n), draw, dtype=torch.float64).flatten(0, 1)
    comparisons = 2 * (3 * n + 1) + 2 * n
    t = math.sqrt(math.log(2 * comparisons / FALSE_ALARM) / (2 * DRAWS))
    kept = gate.p_kept(a)
    for how, noise in (("one draw at a time", u), (f"{STRATA} strata", strata)):
        z = gate.sample(a, noise)
        if not ((z >= 0) & (z <= 1)).all():
            return Violation("gates", f"{float(z.min()):g} to {float(z.max()):g}", "within [0, 1]")
        for what, event, p in (
            ("P(z = 0)", z == 0, gate.p_zero(a)),
            ("P(z = 1)", z == 1, gate.p_one(a)),
            ("P(z > 0)", z > 0, kept),
        ):
            if wrong := _off(f"{what}, {how}", event, p, t):
                return wrong
        if wrong := _off(
            f"E[L0] / edges, {how}", (z > 0).double().mean(1, keepdim=True), kept.mean()[None], t
        ):
            return wrong
    for how, noise in (("one draw at a time", u), (f"{STRATA} strata", strata)):
        z = gate.sample(a, noise) > 0
        if wrong := _off(
            f"P(an edge and the next are kept), {how}", z & z.roll(1, 1), kept * kept.roll(1), t
        ):
            return wrong
    return None


def _off(what: str, seen: Tensor, p: Tensor, t: float) -> Violation | None:
    off = (seen.double().mean(0) - p).abs()
    if (i := int(off.argmax())) >= 0 and float(off[i]) > t:
        return Violation(
            f"{what}, gate {i}", f"{float(seen.double().mean(0)[i]):.4f}", f"{float(p[i]):.4f} within {t:.4f}"
        )
    return None


def _log_alphas(subject: Subject, seed: int) -> Tensor:
    """One an edge, from nearly always shut to nearly always open."""
    return 2 * torch.randn(subject.graph.n_edges, generator=generator_of(seed), dtype=torch.float64)


CLOSED_FORMS = Invariant(
    name="closed_forms",
    statement="P(z = 0), P(z = 1), the expected L0 and the gate without noise are those of the papers",
    check=closed_forms,
)
SAMPLED_GATES = Invariant(
    name="sampled_gates",
    statement=f"sampled gates have those probabilities, each by itself (false alarms: {FALSE_ALARM:g} a check)",
    check=sampled_gates,
)
