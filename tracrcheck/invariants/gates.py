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
from tracrcheck.invariants.base import Violations, close, invariant
from tracrcheck.invariants.subjects import Subject, generator_of

TEMPERATURE, LOW, HIGH = 2 / 3, -0.1, 1.1  # of both papers
DRAWS = 4096
STRATA = 16  # circuits of a step
IN_STRATA = 1024  # draws for each gate
STRATA_TRIED = (1, 2, STRATA)
FALSE_ALARM = 1e-10  # per check; a seed has about four subjects with two checks each


@invariant("P(z = 0), P(z = 1), the expected L0 and the noise-free gate are those of the papers")
def closed_forms(subject: Subject, seed: int) -> Violations:
    a, gate = _log_alphas(subject, seed), HardConcrete()
    zero = torch.sigmoid(TEMPERATURE * math.log(-LOW / HIGH) - a)
    one = torch.sigmoid(a - TEMPERATURE * math.log((1 - LOW) / (HIGH - 1)))
    stretched = (torch.sigmoid(a) * (HIGH - LOW) + LOW).clamp(0, 1)
    yield from close("P(z = 0)", gate.p_zero(a), zero, 1e-12)
    yield from close("P(z = 1)", gate.p_one(a), one, 1e-12)
    yield from close("what a gate adds to L0", gate.p_kept(a), 1 - zero, 1e-12)
    yield from close("the gate without noise", gate.mean_gate(a), stretched, 1e-12)


@invariant(f"sampled gates have those probabilities, independently (false alarms: {FALSE_ALARM:g} per check)")
def sampled_gates(subject: Subject, seed: int) -> Violations:
    a, gate = _log_alphas(subject, seed), HardConcrete()
    n, draw = len(a), generator_of(seed)
    u = stratified_uniform(1, (DRAWS, n), draw, dtype=torch.float64)[0]
    strata = stratified_uniform(STRATA, (DRAWS // STRATA, n), draw, dtype=torch.float64).flatten(0, 1)
    comparisons = 2 * (3 * n + 1) + 2 * n
    t = math.sqrt(math.log(2 * comparisons / FALSE_ALARM) / (2 * DRAWS))
    kept = gate.p_kept(a)
    for how, noise in (("one draw at a time", u), (f"{STRATA} strata", strata)):
        z = gate.sample(a, noise)
        on = z > 0
        yield from close(f"gates, {how}", z, z.clamp(0, 1), 0)
        for what, event, p in (
            ("P(z = 0)", z == 0, gate.p_zero(a)),
            ("P(z = 1)", z == 1, gate.p_one(a)),
            ("P(z > 0)", on, kept),
            ("E[L0] / edges", on.double().mean(1, keepdim=True), kept.mean()[None]),
            ("P(an edge and the next are kept)", on & on.roll(1, 1), kept * kept.roll(1)),
        ):
            yield from close(f"{what}, {how}", event.double().mean(0), p, t)


@invariant(
    "stratified noise: each gate has one draw in each stratum, uniform there "
    f"(false alarms: {FALSE_ALARM:g} per check)"
)
def strata(subject: Subject, seed: int) -> Violations:
    n, draw = subject.graph.n_edges, generator_of(seed)
    for circuits in STRATA_TRIED:
        u = stratified_uniform(circuits, (IN_STRATA // circuits, n), draw)
        low = torch.arange(circuits, dtype=torch.float64)[:, None, None]
        above = circuits * u.double().sort(0).values - low  # within the j-th stratum: from 0 to 1
        rounding = 2 * circuits * torch.finfo(u.dtype).eps
        yield from close(f"the place in one of {circuits} strata", above, above.clamp(0, 1), rounding)
        yield from _uniform(f"noise within one of {circuits} strata", above.flatten(), rounding)


def _uniform(what: str, x: Tensor, rounding: float) -> Violations:
    """Whether the shares below each `x` agree with independent uniform draws."""
    n = len(x)
    t = math.sqrt(math.log(2 * len(STRATA_TRIED) / FALSE_ALARM) / (2 * n)) + rounding
    below = torch.arange(n, dtype=torch.float64) / n
    x = x.sort().values
    yield from close(f"{what}, gap of shares", torch.maximum(x - below, below + 1 / n - x).max(), 0, t)


def _log_alphas(subject: Subject, seed: int) -> Tensor:
    """One for each edge, from nearly always shut to nearly always open."""
    return 2 * torch.randn(subject.graph.n_edges, generator=generator_of(seed), dtype=torch.float64)
