"""The one masked forward, used by training, evaluation and certification alike.

Every reader r sees

    x_r  =  sum_w background_w  +  biases  +  sum_{w before r} mask[r, w] * (out_w - background_w)

where `out_w` is what writer w writes *in this run* and `background_w` is what a cut edge carries instead
(the ablation). So a kept edge carries the recomputed value and a cut one the background; nothing is frozen.
Attention output biases belong to no head and are always there. Normalisation acts on x_r, after the sum, for
each reader by itself. A batch of circuits is run at once along the leading `circuit` axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from edgeprune_core.blocks.attention import heads_output
from edgeprune_core.blocks.mlp import mlp_output
from edgeprune_core.blocks.unembed import unembed
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.weights import Model


@dataclass(frozen=True)
class Trace:
    """One unmasked run: what every writer wrote, and the outputs."""

    writers: Float[Tensor, "writer batch pos d_model"]
    outputs: Float[Tensor, "batch pos d_out"]


def run(
    model: Model,
    tokens: Int[Tensor, "batch pos"],
    mask: Float[Tensor, "circuit reader writer"],
    background: Float[Tensor, "writer batch pos d_model"] | None = None,
    *,
    valid: Bool[Tensor, "batch pos"] | None = None,
    live: Bool[Tensor, " writer"] | None = None,
) -> Float[Tensor, "circuit batch pos d_out"]:
    """Outputs of every circuit on every input.

    background: None stands for zeros (zero ablation).
    valid:      marks real tokens where inputs of several lengths share a batch.
    live:       writers that need computing; the caller vouches that no kept path joins the others to `out`.
    """
    return _forward(model, tokens, mask, background, valid, live)[0]


@torch.no_grad()
def trace(
    model: Model, tokens: Int[Tensor, "batch pos"], *, valid: Bool[Tensor, "batch pos"] | None = None
) -> Trace:
    """The unpruned model's run: the clean reference, or the corrupted run that a resample ablation reads."""
    graph = ResidualGraph.of(model.spec)
    everything = torch.ones(1, len(graph.readers), len(graph.writers), dtype=model.dtype, device=model.device)
    outputs, stream = _forward(model, tokens, everything, None, valid, None)
    writers = stream.deltas[0].view(len(graph.writers), *tokens.shape, model.spec.d_model)
    return Trace(writers, outputs[0])


def live_writers(
    mask: Float[Tensor, "circuit reader writer"], graph: ResidualGraph
) -> Bool[Tensor, " writer"]:
    """Writers that some kept path of some circuit joins to `out`."""
    kept = (mask != 0).any(0).cpu()
    live = kept[-1].clone()
    for writer in reversed(graph.writers):
        if live[writer.index]:
            for reader in graph.readers_of(writer):
                live |= kept[reader.index]
    return live


def _forward(model, tokens, mask, background, valid, live) -> tuple[Tensor, _Stream]:
    spec, weights = model.spec, model.weights
    graph = ResidualGraph.of(spec)
    alive = [True] * len(graph.writers) if live is None else live.tolist()
    stream = _Stream(model, mask, background, tokens.shape, alive)

    embedded = [weights.tok[tokens]]
    if graph.has_pos:
        embedded.append(weights.pos[: tokens.shape[1]].expand_as(embedded[0]))
    stream.write(torch.stack(embedded)[None], range(graph.n_embeddings))

    row = 0
    for layer in range(spec.n_layers):
        first = graph.n_embeddings + layer * (spec.n_heads + 1)
        mlp = first + spec.n_heads
        heads = [h for h in range(spec.n_heads) if alive[first + h]]
        if heads and spec.n_kv_heads != spec.n_heads:
            heads = list(range(spec.n_heads))
        kv = heads if spec.n_kv_heads == spec.n_heads else list(range(spec.n_kv_heads))
        mlp_row = row + graph.readers_per_layer - 1
        before_heads = stream.written
        if heads:
            k_row = row + spec.n_heads
            v_row = k_row + spec.n_kv_heads
            q = stream.read([row + h for h in heads])
            k = stream.read([k_row + h for h in kv])
            v = stream.read([v_row + h for h in kv])
            out = heads_output(model, layer, q, k, v, heads=heads, kv_heads=kv, valid=valid)
            mlp_base = stream.base
            stream.write(out, [first + h for h in heads])
        else:
            mlp_base = stream.base
        stream.skip([first + h for h in range(spec.n_heads) if h not in heads])
        stream.base = stream.base + weights.b_o[layer]
        if alive[mlp]:
            seen = (before_heads, mlp_base) if graph.parallel_blocks else (stream.written, stream.base)
            x = stream.read([mlp_row], *seen)
            stream.write(mlp_output(model, layer, x), [mlp])
        else:
            stream.skip([mlp])
        row += graph.readers_per_layer
    return unembed(model, stream.read([row])[:, 0]), stream


class _Stream:
    """What has been written so far: the background's running sum, and each live writer's difference from it.

    Without a gradient the differences share one buffer that reads see a slice of; with one they are chunks,
    joined on reading, since autograd forbids writing into what it has saved.
    """

    def __init__(
        self, model: Model, mask: Tensor, background: Tensor | None, shape, alive: list[bool]
    ) -> None:
        batch, pos = shape
        self.shape = (batch, pos, model.spec.d_model)
        self.background = background
        self.mask = mask if all(alive) else mask[:, :, [w for w, on in enumerate(alive) if on]]
        self.alive = alive
        self.base = torch.zeros(self.shape, dtype=model.dtype, device=model.device)
        self.written = 0
        self.circuits = len(mask)
        flat = batch * pos * model.spec.d_model
        self.buffer = None
        self.chunks: list[Tensor] = []
        if not torch.is_grad_enabled() or not (mask.requires_grad or model.weights.tok.requires_grad):
            self.buffer = self.base.new_empty(self.circuits, sum(alive), flat)

    @property
    def deltas(self) -> Tensor:
        """`circuit writer batch*pos*d_model`, live writers only."""
        return torch.cat(self.chunks, 1) if self.buffer is None else self.buffer[:, : self.written]

    def write(self, out: Float[Tensor, "circuit writer batch pos d_model"], writers) -> None:
        writers = list(writers)
        if self.background is not None:
            base = self.background[writers]
            self.base = self.base + base.sum(0)
            out = out - base
        keep = [i for i, w in enumerate(writers) if self.alive[w]]
        if len(keep) < len(writers):
            out = out[:, keep]
        if self.buffer is None:
            out = out.expand(self.circuits, *out.shape[1:])
            self.chunks.append(out.reshape(self.circuits, len(keep), -1))
        else:
            slot = self.buffer[:, self.written : self.written + len(keep)]
            slot.copy_(out.flatten(2).expand_as(slot))
        self.written += len(keep)

    def skip(self, writers: list[int]) -> None:
        """Dead writers write nothing but their background (or are in GQA layers computed with the rest)."""
        if self.background is not None and writers:
            self.base = self.base + self.background[writers].sum(0)

    def read(self, rows: list[int], n: int | None = None, base: Tensor | None = None) -> Tensor:
        """Inputs of these readers: `circuit reader batch pos d_model`."""
        n = self.written if n is None else n
        base = self.base if base is None else base
        mixed = torch.bmm(self.mask[:, rows, :n], self.deltas[:, :n])
        return mixed.view(self.circuits, len(rows), *self.shape).add_(base)
