"""Memory and FLOPs of a training step, estimated without the hardware by running the step on tensors without values.

torch's `meta` device computes shapes only, so the engine runs there at any size in seconds. The meter counts what it
really does: every allocation until it is freed, and every matrix product. Nothing here repeats the engine's arithmetic,
so a change to the engine changes the estimate.

The step is one of `edge_pruning` under resampling: sampling gates, running the corrupted prompts, the masked run, KL at
the last position of each prompt, and the backward pass. Not counted: the workspace of kernels, what the allocator wastes,
the CUDA context, and the optimiser's own pass, which comes after the rest is freed.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from edgeprune_core.distributed.sharded_weights import gathered, unit_of
from edgeprune_core.engine import run, trace
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.mask import mask_from_edge_values
from edgeprune_core.metrics.divergence import kl
from edgeprune_core.spec import ModelSpec
from edgeprune_core.training.gates import HardConcrete
from edgeprune_core.weights import Model, Weights, expected_shapes

_META = torch.device("meta")
# Gates and their optimiser are in single precision whatever the model is in.
_GATES = torch.float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """batch: prompts computed by this process. pos: tokens per prompt. circuits: masks per step.

    recompute: layers are recomputed in the backward pass. gathered: weights are sharded, and gathered one layer at a time.
    """

    batch: int
    pos: int
    circuits: int = 1
    dtype: torch.dtype = torch.bfloat16
    recompute: bool = True
    gathered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Bytes at the peak of memory, without the weights; and the arithmetic.

    gates:          log-alphas, their gradient and moments, the sampled gates and the mask.
    background:     what cut edges carry.
    writer_outputs: of the masked run. of_writers: their gradient, of the same size; 0 before the backward pass.
    kept:           activations saved for the backward pass. at_work: the layer being computed, and its gradients.
    peak:           all of these together.
    flops:          multiplications and additions in matrix products: forward, recomputed and backward.
    weights_used:   bytes of weights gathered in a step.
    """

    gates: int
    background: int
    writer_outputs: int
    of_writers: int
    kept: int
    at_work: int
    flops: int
    weights_used: int

    @property
    def peak(self) -> int:
        return self.gates + self.background + self.writer_outputs + self.of_writers + self.kept + self.at_work


def weight_count(spec: ModelSpec) -> int:
    """How many numbers a model's weights have, counting zero biases and untied embeddings."""
    return sum(torch.Size(shape).numel() for shape in expected_shapes(spec).values())


def cost(spec: ModelSpec, step: Step) -> Cost:
    """The cost of one step in one process, without its share of the weights."""
    model: Model = _Unchecked(spec, _weights(spec, step.dtype))
    meter = _Meter(there_before=model.weights.tensors().values())
    shelf = _Shelf(model)
    if step.gathered:
        model = gathered(model, shelf, _META)
    with meter:
        _step(model, step, meter)
    each = step.batch * step.pos * spec.d_model * step.dtype.itemsize  # bytes of one writer's output
    buffer = step.circuits * each * len(ResidualGraph.of(spec).writers)
    back = min(buffer, meter.at_peak["back"])
    return Cost(
        gates=meter.at_peak["gates"],
        background=meter.at_peak["background"],
        writer_outputs=buffer,
        of_writers=back,
        kept=meter.at_peak["forward"] - buffer,
        at_work=meter.at_peak["back"] - back,
        flops=meter.flops,
        weights_used=shelf.handed_out,
    )


def _step(model: Model, step: Step, meter: _Meter) -> None:
    """One step of `edge_pruning`, divided into phases for the meter."""
    graph, gate = ResidualGraph.of(model.spec), HardConcrete()
    tokens = torch.zeros(step.batch, step.pos, dtype=torch.long, device=_META)
    places = torch.zeros(step.batch, 1, dtype=torch.long, device=_META)
    with meter.phase("gates"):
        log_alpha = torch.zeros(graph.n_edges, dtype=_GATES, device=_META, requires_grad=True)
        moments = torch.zeros(2, graph.n_edges, dtype=_GATES, device=_META)
        noise = torch.zeros(step.circuits, graph.n_edges, dtype=_GATES, device=_META)
        gates = gate.sample(log_alpha, noise)
        mask = mask_from_edge_values(graph, gates)
    with meter.phase("background"):
        background = trace(model, tokens).writers
    with meter.phase("forward"):
        got = run(model, tokens, mask, background, places=places, recompute=step.recompute).to(_GATES)
        want = torch.zeros(got.shape[1:], dtype=_GATES, device=_META)
        loss = kl(got, want, torch.ones(step.batch, 1, dtype=torch.bool, device=_META)).mean()
        loss = loss + gate.p_kept(log_alpha).sum()
    with meter.phase("back"):
        loss.backward()
    del moments


class _Unchecked(Model):
    """Skips the check that weights are finite: these have no values."""

    def __post_init__(self) -> None: ...


def _weights(spec: ModelSpec, dtype: torch.dtype) -> Weights:
    shapes = expected_shapes(spec)
    return Weights(**{n: torch.empty(shape, dtype=dtype, device=_META) for n, shape in shapes.items()})


@dataclass(eq=False)
class _Shelf:
    """Hands out units as a process group does: gathered in one piece, then copied to tensors."""

    model: Model
    unit: int | None = None
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    handed_out: int = 0

    def take(self, unit: int) -> Mapping[str, Tensor]:
        if unit != self.unit:
            self.tensors = {}
            parts = unit_of(self.model, unit)
            in_one = torch.empty(sum(t.numel() for t in parts.values()), dtype=self.model.dtype, device=_META)
            self.tensors = {name: torch.empty_like(t) for name, t in parts.items()}
            self.unit = unit
            self.handed_out += in_one.numel() * in_one.element_size()
        return self.tensors


class _Meter(TorchDispatchMode):
    """Counts the bytes of storages until they are freed, by the phase that allocated them, and the FLOPs of products."""

    def __init__(self, *, there_before: Iterable[Tensor]) -> None:
        super().__init__()
        self.now: Counter[str] = Counter()
        self.at_peak: Counter[str] = Counter()
        self.flops = 0
        self._phase = ""
        self._known: weakref.WeakSet[Any] = weakref.WeakSet(t.untyped_storage() for t in there_before)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self._phase = name
        yield
        self._phase = ""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if (product := _PRODUCTS.get(func.overloadpacket)) is not None:
            left, right = args[product : product + 2]
            self.flops += 2 * left.numel() * right.shape[-1]
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self._made(tensor.untyped_storage())
        return out

    def _made(self, storage: Any) -> None:
        if storage in self._known:
            return
        self._known.add(storage)
        phase, size = self._phase, storage.nbytes()
        self.now[phase] += size
        weakref.finalize(storage, self._freed, phase, size)
        if self.now.total() > self.at_peak.total():
            self.at_peak = self.now.copy()

    def _freed(self, phase: str, size: int) -> None:
        self.now[phase] -= size


_ATEN = torch.ops.aten
# Matrix products, and the position of the left factor.
_PRODUCTS = {_ATEN.mm: 0, _ATEN.bmm: 0, _ATEN.addmm: 1, _ATEN.baddbmm: 1, _ATEN.addmm_: 1, _ATEN.baddbmm_: 1}
