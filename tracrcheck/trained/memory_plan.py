"""Whether a step of training fits, before a machine is rented: what it takes on each of so many GPUs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from edgeprune_core.distributed.step_cost import Cost, Step, cost, weight_count
from edgeprune_core.families.presets import shape_of
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.spec import ModelSpec
from tracrcheck.error_codes import unknown_name, user_error

DTYPES = {name: getattr(torch, name) for name in ("bfloat16", "float16", "float32", "float64")}
# Of the memory, left free: the tests hold the count to within this share of what is measured.
MARGIN = 0.15
GATE_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class Plan:
    """gpus: that share the batch and the weights. step: of one of them. memory: bytes of each, or None.

    weights: bytes that each holds. cost: of a step there; without: the same with all activations kept.
    """

    model: str
    spec: ModelSpec
    batch: int
    gpus: int
    step: Step
    weights: int
    cost: Cost
    without: Cost
    memory: int | None

    @property
    def n_edges(self) -> int:
        return ResidualGraph.of(self.spec).n_edges

    @property
    def peak(self) -> int:
        """Bytes on each GPU, weights and all."""
        return self.weights + self.cost.peak

    @property
    def peak_without(self) -> int:
        return self.weights + self.without.peak

    @property
    def flops(self) -> int:
        """Of the whole step, on all GPUs."""
        return self.gpus * self.cost.flops

    @property
    def flops_again(self) -> int:
        """Those of them that compute a layer once more."""
        return self.gpus * (self.cost.flops - self.without.flops)

    @property
    def received(self) -> int:
        """Bytes of weights that each GPU is sent in a step by the others."""
        return self.cost.weights_used * (self.gpus - 1) // self.gpus

    @property
    def summed(self) -> int:
        """Bytes of gradients of gates that are added up over the GPUs."""
        return GATE_BYTES * self.n_edges if self.gpus > 1 else 0

    def within(self, peak: int) -> bool | None:
        """Whether so much fits with the margin; None where no memory was stated."""
        return None if self.memory is None else peak * (1 + MARGIN) <= self.memory

    @property
    def fits(self) -> bool | None:
        return self.within(self.peak)

    @property
    def largest_batch(self) -> int | None:
        """On all GPUs, at least: as if all but weights and gates grew with the batch."""
        if self.memory is None:
            return None
        left = self.memory / (1 + MARGIN) - self.weights - self.cost.gates
        each = (self.cost.peak - self.cost.gates) / self.step.batch
        return max(0, int(left / each)) * self.gpus


def plan(
    model: str,
    *,
    batch: int,
    pos: int,
    gpus: int = 1,
    circuits: int = 1,
    dtype: str = "bfloat16",
    memory: float | None = None,
) -> Plan:
    """batch: prompts of a step, on all GPUs. pos: tokens of each. memory: of a GPU, in GB of 10^9 bytes.

    Errors: TC117 (no such dtype), TC181 (too long, or too few prompts), and those of `shape_of`.
    """
    if dtype not in DTYPES:
        raise unknown_name("TC117.dtype", dtype, DTYPES, where="--dtype")
    spec = shape_of(model)
    if pos > spec.n_ctx:
        raise user_error("TC181.seq", where="--seq", got=f"{pos} tokens", n_ctx=f"{spec.n_ctx:,}")
    if gpus > batch:
        raise user_error("TC181.gpus", where="--gpus", got=f"{batch} and {gpus}")
    step = Step(batch=-(-batch // gpus), pos=pos, circuits=circuits, dtype=DTYPES[dtype], gathered=gpus > 1)
    return Plan(
        model=model,
        spec=spec,
        batch=batch,
        gpus=gpus,
        step=step,
        weights=-(-weight_count(spec) * step.dtype.itemsize // gpus),
        cost=cost(spec, step),
        without=cost(spec, replace(step, recompute=False, gathered=False)),
        memory=None if memory is None else round(memory * 1e9),
    )
