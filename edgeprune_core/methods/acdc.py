"""Automatic circuit discovery (Conmy et al. 2023, "Towards Automated Circuit Discovery for Mechanistic
Interpretability", arXiv 2304.14997, Algorithm 1).

Edges are tried by reader from `out` back to the first layer, and for each reader from the latest writer back to the
embeddings (the paper leaves that order open; the authors' code also goes by layers). An edge is cut for good if the
divergence from the full model, its mean over the whole list, grows by less than tau. A node without a kept edge to
anything later is skipped and its incoming edges are cut, as in the authors' code, so whatever is kept is joined to `out`.

The divergence is KL(model || circuit) of categorical outputs, as in the paper, and the bounded squared distance of
numerical ones (`metrics/divergence.py`; for Tracr programs the authors' code always takes the squared distance, since KL
of one-hot scores says nothing: ours are sharpened). KL cannot see a shift of all logits by the same amount: under a
criterion by value, cutting an edge that only does that fails whatever tau is.

We differ: without a given tau, we take the largest of a geometric series whose circuit meets the task's tolerance, so the
method needs no tuning by hand (the paper reports the whole series); the ablation is the task's. If no circuit is accepted,
the one of the smallest tau is returned, and `notes` say so.

Speed: the method guesses that several edges of a reader in a row will be cut (twice as many after a right guess, half as
many after a wrong one) and runs a batch of masks, each with one more edge cut. Rows up to the first edge that stays are
what trying one edge at a time would have run; the rest is discarded. Divergences are cached by mask, since runs of
neighbouring taus begin alike. Layers before the reader's have all their edges, so their writers' outputs are taken from
the model's own run. Up to rounding, none of this changes a decision.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from edgeprune_core.discovery import Discovery
from edgeprune_core.graph import Reader
from edgeprune_core.mask import circuit_from_mask, edge_mask, edge_values
from edgeprune_core.methods.base import Candidate
from edgeprune_core.metrics.divergence import Divergence
from edgeprune_core.task import Task
from edgeprune_core.training.prices import geometric


@dataclass(frozen=True, slots=True, kw_only=True)
class Acdc:
    """tau: the threshold, in units of the divergence (nats, or in [0, 1]); None: the largest accepted of a series.

    largest, ratio, count: the series tau = largest * ratio^i for i = 0 .. count - 1 (at least 1): by default from
                           10, where hardly anything stays, to 1e-10, below which rounding decides.
    swept:                 the thresholds of `sweep`: by default from where hardly anything stays to where hardly anything goes.
    divergence:            kl or bounded; None: kl for categorical outputs, else bounded.
    circuits_at_once:      masks per run, at most; changes speed and memory, not the result.
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
        """The thresholds to try, largest first."""
        if self.tau is not None:
            return (self.tau,)
        return tuple(self.largest * self.ratio**i for i in range(self.count))

    def __call__(self, task: Task) -> Discovery:
        metric, tried = _Remembered(self, task), 0
        for tau in self.taus:
            kept, growth = _prune(metric, tau)
            circuit = circuit_from_mask(task.graph, kept).connected()
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
        """The circuit of each threshold in `swept`, accepted or not. Runs that begin alike are shared."""
        metric = _Remembered(self, task)
        for tau in self.swept:
            yield f"tau {tau:.2g}", circuit_from_mask(task.graph, _prune(metric, tau)[0]).connected()


@dataclass(slots=True)
class _Remembered:
    """The divergence of masks from the model, each run once. runs: how many were run. width: of the next guess."""

    method: Acdc
    task: Task
    runs: int = 0
    width: int = 1
    known: dict[bytes, float] = field(default_factory=dict)

    def of(self, masks: Tensor, first_layer: int = 0) -> list[float]:
        keys = [hashlib.blake2b(m.cpu().numpy().tobytes(), digest_size=16).digest() for m in masks]
        new = [i for i, key in enumerate(keys) if key not in self.known]
        if new:
            own = masks[new].to(self.task.model.dtype)
            values = self.task.divergences(own, self.method.divergence, first_layer=first_layer)
            self.runs += len(new)
            self.known |= {keys[i]: value for i, value in zip(new, values.tolist(), strict=True)}
        return [self.known[key] for key in keys]


def _prune(metric: _Remembered, tau: float) -> tuple[Tensor, Tensor]:
    """Algorithm 1. Returns, as `reader writer`, which edges are kept and how much cutting each increased the divergence.

    Edges of skipped nodes are not tried: cutting them changes nothing, and their increase is 0.
    """
    graph = metric.task.graph
    kept = edge_mask(graph, device=metric.task.model.device)
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
    """Tries every edge into a reader, updates `kept` and `growth`, and returns the divergence afterwards."""
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
    """The writers of each reader's node: several where heads share keys and values; `out` has no entry."""
    nodes: dict[Reader, list[int]] = {}
    for writer in task.graph.writers:
        for reader in task.graph.readers_of(writer):
            nodes.setdefault(reader, []).append(writer.index)
    return nodes
