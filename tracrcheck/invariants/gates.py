"""Mask variables: P(0), P(1) and the expected L0 in closed form match sampling; stratified noise fills its strata.

By hand (Louizos et al. 2018, arXiv 1712.01312, eqs. 10-12): with logistic noise L, s = sigmoid((L + a) / b) and
z = min(1, max(0, s (r - l) + l)),

    z = 0   where   (L + a) / b <= log(-l / r)             P = sigmoid(b log(-l / r) - a)
    z = 1   where   (L + a) / b >= log((1 - l) / (r - 1))  P = sigmoid(a - b log((1 - l) / (r - 1)))

and E[L0] = sum of 1 - P(z = 0).

Statistics. The mean of N independent draws of a variable in [0, 1] is off by more than t with probability at most
2 exp(-2 N t^2) (Hoeffding 1963, theorem 2). Here t is chosen so that this is FALSE_ALARM for all comparisons of one check
together. Whole circuits are compared as well: over draws, the number of edges kept varies as for independent gates, with
variance sum p (1 - p). If edges shared noise, pairs would be kept together more often than p q.

Stratified noise is (j + r) / n, where j takes each value from 0 to n - 1 once over the n circuits of a gate, and r is uniform
on [0, 1). So the j-th smallest of the n values of a gate lies within [j/n, (j+1)/n], rounding included, without exception.
n times its distance from j/n is r. The largest gap between the share of N such values below x and x itself exceeds t with
probability at most 2 exp(-2 N t^2) (Dvoretzky, Kiefer and Wolfowitz 1956, with the constant of Massart 1990), which is
FALSE_ALARM for this t.
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
IN_STRATA = 1024  # draws for each gate
STRATA_ASKED = (1, 2, STRATA)
FALSE_ALARM = 1e-10  # per check; a seed has about four subjects with two checks each


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


def strata(subject: Subject, seed: int) -> Violation | None:
    n, draw = subject.graph.n_edges, generator_of(seed)
    for circuits in STRATA_ASKED:
        u = stratified_uniform(circuits, (IN_STRATA // circuits, n), draw)
        low = torch.arange(circuits, dtype=torch.float64)[:, None, None]
        above = circuits * u.double().sort(0).values - low  # within the j-th stratum: from 0 to 1
        rounding = 2 * circuits * torch.finfo(u.dtype).eps
        if not ((above >= -rounding) & (above <= 1 + rounding)).all():
            got = f"{float(above.min()):.3f} to {float(above.max()):.3f} of one"
            return Violation(f"noise of {circuits} strata, one in each", got, "0 to 1")
        if wrong := _uniform(f"noise within one of {circuits} strata", above.flatten(), rounding):
            return wrong
    return None


def _uniform(what: str, x: Tensor, rounding: float) -> Violation | None:
    """Whether the shares below each `x` agree with independent uniform draws."""
    n = len(x)
    t = math.sqrt(math.log(2 * len(STRATA_ASKED) / FALSE_ALARM) / (2 * n)) + rounding
    below = torch.arange(n, dtype=torch.float64) / n
    x = x.sort().values
    gap = float(torch.maximum(x - below, below + 1 / n - x).max())
    return Violation(what, f"shares off by {gap:.4f}", f"at most {t:.4f}") if gap > t else None


def _off(what: str, seen: Tensor, p: Tensor, t: float) -> Violation | None:
    off = (seen.double().mean(0) - p).abs()
    if (i := int(off.argmax())) >= 0 and float(off[i]) > t:
        return Violation(
            f"{what}, gate {i}", f"{float(seen.double().mean(0)[i]):.4f}", f"{float(p[i]):.4f} within {t:.4f}"
        )
    return None


def _log_alphas(subject: Subject, seed: int) -> Tensor:
    """One for each edge, from nearly always shut to nearly always open."""
    return 2 * torch.randn(subject.graph.n_edges, generator=generator_of(seed), dtype=torch.float64)


CLOSED_FORMS = Invariant(
    name="closed_forms",
    statement="P(z = 0), P(z = 1), the expected L0 and the noise-free gate are those of the papers",
    check=closed_forms,
)
SAMPLED_GATES = Invariant(
    name="sampled_gates",
    statement=f"sampled gates have those probabilities, independently (false alarms: {FALSE_ALARM:g} per check)",
    check=sampled_gates,
)
STRATA_FILLED = Invariant(
    name="strata",
    statement=f"stratified noise: each gate has one draw in each stratum, uniform there (false alarms: {FALSE_ALARM:g} per check)",
    check=strata,
)
