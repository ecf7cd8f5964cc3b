"""Folding norms into the adjacent weights changes no output and no gradient of the mask.

The gain and bias of a norm act linearly after it, and LayerNorm's mean acts linearly before it (derived in
`edgeprune_core/fold_norms.py`). So a folded model computes the same function of its mask by other, fused, products: two ways
to the same outputs and gradients. Both are sums of products of order 1, rounded in double precision.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.engine import outputs, run, trace
from edgeprune_core.fold_norms import folded
from edgeprune_core.weights import Model
from tracrcheck.invariants.base import Violations, close, invariant, of_largest
from tracrcheck.invariants.circuits import mask_of
from tracrcheck.invariants.subjects import Subject, generator_of, has_no_norm, some_items

CLOSE = 1e-9  # of the largest entry: thousands of terms, each rounded by 1e-16, through a few layers


@invariant(
    "folding norms into weights changes no output and no gradient of the mask",
    applies=lambda subject: not has_no_norm(subject),
)
def folding(subject: Subject, seed: int) -> Violations:
    task = subject.tasks["resample"]
    items, draw = some_items(task, seed), generator_of(seed)
    clean, corrupted = task.tokens[items[:, 0]], task.tokens[items[:, 1]]
    valid, folded_model = task.valid[items[:, 0]], folded(task.model)
    shares = torch.rand(
        2, *mask_of(task, Circuit.full(task.graph)).shape[1:], generator=draw, dtype=torch.float64
    )
    weigh = torch.randn(*clean.shape, subject.spec.d_out, generator=draw, dtype=torch.float64)

    def found(model: Model, mask: Tensor, cut: str) -> tuple[Tensor, Tensor]:
        background = trace(model, corrupted, valid=valid).writers if cut == "resample" else None
        leaf = mask.clone().requires_grad_()
        got = (run(model, clean, leaf, background, valid=valid) * weigh)[:, valid]
        (gradient,) = torch.autograd.grad(got.sum(), leaf)
        return got.detach(), gradient

    got, want = (outputs(model, clean, valid=valid)[valid] for model in (folded_model, task.model))
    yield from close("norms folded, the unmasked run", got, want, of_largest(want, CLOSE))
    for cut in ("resample", "zero"):
        for mask in (shares, shares[:1]):
            both = (found(model, mask, cut) for model in (folded_model, task.model))
            for what, got, want in zip(("outputs", "gradients"), *both, strict=True):
                case = f"norms folded, {what} of {len(mask)} masks under {cut}"
                yield from close(case, got, want, of_largest(want, CLOSE))
