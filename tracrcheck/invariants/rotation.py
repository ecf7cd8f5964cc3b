"""Two rewritings of a model change nothing: rotating its stream, and folding its norms.

Rotating the residual stream changes nothing where there is no norm.

With Q orthogonal, let every writer write x Q and every reader read x Q^T. Each product of the two is unchanged, and nothing
else reads the stream. A norm does: its gain is per direction, so this is about models without one.

Rotated weights are rounded by at most d^(3/2) u of their norms (`truth/permitted.py`), instead of u of each entry. So the bound
of `forward.py` is taken on the rotated model, with its unit multiplied by d^(3/2).

Folding norms into the adjacent weights changes no output and no gradient of the mask.

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
from edgeprune_core.task import Task
from edgeprune_core.weights import Model, Weights
from tracrcheck.invariants.base import Violations, close, each_task, invariant, of_largest
from tracrcheck.invariants.circuits import mask_of, some_circuits
from tracrcheck.invariants.expected import expected
from tracrcheck.invariants.forward import DOUBLE
from tracrcheck.invariants.renumbering import with_model
from tracrcheck.invariants.subjects import Subject, generator_of, has_no_norm, some_items

WRITES = ("tok", "pos", "w_o", "b_o", "w_out", "b_out")
READS = ("w_q", "w_k", "w_v", "w_in", "w_gate", "unembed")


def turned(task: Task, seed: int) -> Task:
    """The same task with the stream rotated by a random orthogonal matrix."""
    d = task.model.spec.d_model
    q, _ = torch.linalg.qr(torch.randn(d, d, generator=generator_of(seed), dtype=torch.float64))
    tensors = {
        name: t @ q if name in WRITES else q.T @ t if name in READS else t
        for name, t in task.model.weights.tensors().items()
    }
    return with_model(task, Model(task.model.spec, Weights(**tensors)))


@invariant("rotating the residual stream changes no output where there is no norm", applies=has_no_norm)
@each_task()
def rotation(task: Task, seed: int) -> Violations:
    unit, other = DOUBLE * task.model.spec.d_model**1.5, turned(task, seed)
    items, mask = some_items(task, seed), mask_of(task, *some_circuits(task.graph, seed))
    want = expected(other, mask, items, unit=unit).around(task.outputs(mask, items))
    yield from want.violations("the stream turned", other.outputs(mask, items))


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
