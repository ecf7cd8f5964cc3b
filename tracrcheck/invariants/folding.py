"""Folding norms into the adjacent weights changes no output and no gradient of the mask.

The gain and bias of a norm act linearly after it, and LayerNorm's mean acts linearly before it (derived in
`edgeprune_core/fold_norms.py`). So a folded model computes the same function of its mask by other, fused, products: two ways
to the same outputs and gradients. Both are sums of products of order 1, rounded in double precision.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgeprune_core.engine import outputs, run, trace
from edgeprune_core.fold_norms import folded
from edgeprune_core.weights import Model
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.subjects import Subject, generator_of, has_no_norm, some_items

CLOSE = 1e-9  # of the largest entry: thousands of terms, each rounded by 1e-16, through a few layers


def folding(subject: Subject, seed: int) -> Violation | None:
    task = subject.tasks["resample"]
    items, graph = some_items(task, seed), task.graph
    clean, corrupted = task.tokens[items[:, 0]], task.tokens[items[:, 1]]
    valid = task.valid[items[:, 0]]
    other = folded(task.model)
    shares = torch.rand(
        2, len(graph.readers), len(graph.writers), generator=generator_of(seed), dtype=torch.float64
    )
    weigh = torch.randn(
        len(items), clean.shape[1], subject.spec.d_out, generator=generator_of(seed), dtype=torch.float64
    )

    def found(model: Model, mask: Tensor, cut: str) -> tuple[Tensor, Tensor]:
        background = trace(model, corrupted, valid=valid).writers if cut == "resample" else None
        leaf = mask.clone().requires_grad_()
        got = (run(model, clean, leaf, background, valid=valid) * weigh)[:, valid]
        (gradient,) = torch.autograd.grad(got.sum(), leaf)
        return got.detach(), gradient

    plain = [outputs(model, clean, valid=valid)[valid] for model in (task.model, other)]
    if wrong := _apart("the unmasked run", *plain):
        return wrong
    for cut in ("resample", "zero"):
        for mask in (shares, shares[:1]):
            first, second = (found(model, mask, cut) for model in (task.model, other))
            for what, got, want in zip(("outputs", "gradients"), second, first, strict=True):
                if wrong := _apart(f"{what} of {len(mask)} masks under {cut}", got, want):
                    return wrong
    return None


def _apart(what: str, got: Tensor, want: Tensor) -> Violation | None:
    off = float((got - want).abs().max())
    most = CLOSE * float(want.abs().max().clamp_min(1))
    return (
        None if off <= most else Violation(f"norms folded, {what}", f"{off:.2g} apart", f"at most {most:.2g}")
    )


FOLDING = Invariant(
    name="folding",
    statement="folding norms into weights changes no output and no gradient of the mask",
    check=folding,
    applies=lambda subject: not has_no_norm(subject),
)
