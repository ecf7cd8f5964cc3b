"""Automatic circuit discovery (Conmy et al. 2023, "Towards Automated Circuit Discovery for Mechanistic
Interpretability", arXiv 2304.14997, Algorithm 1).

Readers from `out` back to the first layer, a reader's edges from the latest writer back to the embeddings (the paper
leaves that order open; the authors' code goes by layers likewise): an edge is cut for good where the divergence from
the full model, its mean over the whole list, grows by less than tau. A node without a kept edge to anything later is
skipped, its incoming edges cut, as the authors do; so whatever is kept is joined to `out`.

The divergence is KL(model || circuit) of categorical outputs, as in the paper, and the bounded squared distance of
numerical ones (`metrics/divergence.py`; for Tracr programs the authors' code takes the squared distance of any, since
KL of one-hot scores says nothing: ours are sharpened). A shift of all logits alike is invisible to KL: where the
criterion is by value, cutting an edge that does no more than that fails it whatever tau is.

We differ: where no tau is given, it is the largest of a geometric sweep whose circuit meets the task's tolerance, so
that the method can be asked without tuning by hand (the paper reports all of a sweep); the ablation is the task's. If
none is accepted, the circuit is that of the smallest, and `notes` say so.

Speed: edges of a reader are cut in a guess that some in a row go (twice as many after a right guess, half as many after
a wrong one), one more in each row of a batch of masks; rows up to the first edge that stays are those that one edge at
a time would have run, and the rest is thrown away. Divergences are remembered by mask, since runs of neighbouring taus
begin alike. Layers before the reader's are whole, and what they write is taken from the model's own run. None of these
changes a decision, up to rounding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from edgeprune_core.deviations import Divergence, divergences_of
from edgeprune_core.discovery import Discovery
from edgeprune_core.graph import Reader
from edgeprune_core.mask import edge_values, legal, to_circuit
from edgeprune_core.methods.base import Candidate
from edgeprune_core.task import Task
from edgeprune_core.training.prices import geometric


@dataclass(frozen=True, slots=True, kw_only=True)
class Acdc:
    """tau: the threshold, in units of the divergence (nats, or in [0, 1]); None: the largest accepted of a sweep.

    largest, ratio, count: of the sweep, tau = largest * ratio^i for i = 0 .. count - 1 (at least 1): by default from
                           10, where hardly anything stays, to 1e-10, below which rounding decides.
    swept:                 the thresholds of `sweep`: by default from where hardly anything stays to where hardly anything goes.
    divergence:            kl or bounded; None: kl for categorical outputs, else bounded.
    circuits_at_once:      masks in one run, at most; it changes speed and memory, not the result.
    """

    tau: float | None = None
    largest: float = 10.0
    ratio: float = 10**-0.5
    count: int = 23
    swept: tuple[float, ...] = tuple(geometric(0.1, 1e-6, 20))
    divergence: Divergence | None = None
    circuits_at_once: int = 16

    @property
    def taus(self) -> tuple[float, ...]:
        """To try, largest first."""
        if self.tau is not None:
            return (self.tau,)
        return tuple(self.largest * self.ratio**i for i in range(self.count))

    def __call__(self, task: Task) -> Discovery:
        metric, tried = _Remembered(self, task), 0
        for tau in self.taus:
            kept, growth = _prune(metric, tau)
            circuit = to_circuit(task.graph, kept).connected()
            tried += 1
            if accepted := task.accepts(circuit):
                break
        return Discovery(
            circuit=circuit,
            scores=edge_values(task.graph, growth),
            hard_evaluations=metric.runs + tried,
            notes={"tau": tau, "accepted": accepted},
        )

    def sweep(self, task: Task) -> Iterator[Candidate]:
        """The circuit of each threshold, accepted or not: the paper's curves. Runs that begin alike are shared."""
        metric = _Remembered(self, task)
        for tau in self.swept:
            yield f"tau {tau:.2g}", to_circuit(task.graph, _prune(metric, tau)[0]).connected()


@dataclass(slots=True)
class _Remembered:
    """The divergence of masks from the model, each run once. runs: how many were. width: of the next guess."""

    method: Acdc
    task: Task
    runs: int = 0
    width: int = 1
    known: dict[bytes, float] = field(default_factory=dict)

    def of(self, masks: Tensor, whole_before: int = 0) -> list[float]:
        keys = [hashlib.blake2b(m.cpu().numpy().tobytes(), digest_size=16).digest() for m in masks]
        new = [i for i, key in enumerate(keys) if key not in self.known]
        if new:
            values = divergences_of(
                self.task,
                masks[new].to(self.task.model.dtype),
                self.method.divergence,
                whole_before=whole_before,
            )
            self.runs += len(new)
            self.known |= {keys[i]: value for i, value in zip(new, values.tolist(), strict=True)}
        return [self.known[key] for key in keys]


def _prune(metric: _Remembered, tau: float) -> tuple[Tensor, Tensor]:
    """Algorithm 1: `reader writer`, what is kept, and how much the divergence grew when each edge was tried.

    Edges of skipped nodes were not tried: cutting them changes nothing, and their growth is 0.
    """
    graph = metric.task.graph
    kept = legal(graph, device=metric.task.model.device)
    growth = torch.zeros(kept.shape, dtype=metric.task.model.dtype, device=kept.device)
    (now,) = metric.of(kept[None])
    nodes = _nodes(metric.task)
    for reader in reversed(graph.readers):
        if reader in nodes and not kept[:, nodes[reader]].any():
            kept[reader.index] = False
            continue
        now = _prune_reader(metric, tau, reader.index, kept, growth, now)
    return kept, growth


def _prune_reader(
    metric: _Remembered, tau: float, reader: int, kept: Tensor, growth: Tensor, now: float
) -> float:
    """Tries every edge into a reader, changing `kept` and `growth`; the divergence afterwards."""
    left = list(reversed(range(metric.task.graph.reach[reader])))
    layer = metric.task.graph.readers[reader].layer
    while left:
        width = metric.width
        guess = left[:width]
        chain = kept.repeat(len(guess), 1, 1)
        for row, writer in enumerate(guess):
            chain[row:, reader, writer] = False
        for writer, value in zip(guess, metric.of(chain, layer), strict=True):
            left.pop(0)
            growth[reader, writer] = value - now
            if not value - now < tau:
                metric.width = max(1, width // 2)
                break
            kept[reader, writer] = False
            now = value
        else:
            metric.width = min(2 * width, metric.method.circuits_at_once)
    return now


def _nodes(task: Task) -> dict[Reader, list[int]]:
    """The writers that a reader's own node has: several where heads share keys and values. None for `out`."""
    nodes: dict[Reader, list[int]] = {}
    for writer in task.graph.writers:
        for reader in task.graph.readers_of(writer):
            nodes.setdefault(reader, []).append(writer.index)
    return nodes
