"""Builds the host: the program in its slots, then distractors layer by layer, then a rotation of the stream.

Before the rotation, the program reads the stream's first `n_read` coordinates and no others. A layer's distractors are
scaled on the stream at that layer, on a part of the domain: first each to its share, then all of a half-layer together
by the largest power of 1/2 that keeps the stream within its bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from edgeprune_core.engine.blocks.attention import heads_output
from edgeprune_core.engine.blocks.mlp import mlp_output
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.spec import ModelSpec
from edgeprune_core.weights import Model, Weights, expected_shapes
from tracrcheck.compiler.compile import Compiled
from tracrcheck.error_codes import user_error
from tracrcheck.planted.distractors import Draw, Room, copied_head, copied_mlp, dense_head, dense_mlp
from tracrcheck.planted.float32 import steps

# Limits on the length of the stream outside the program's coordinates, after the embeddings and after the last layer
# (interpolated in between), relative to the program's own stream at that position. The whole stream is then at most sqrt(1 + 1.4^2) = 1.72 times as long.
FIRST, LAST = 0.7, 1.4
# Relative to the program's shortest stream: the length of an embedding outside the program's coordinates, and of the sum of
# all distractors' outputs if they are independent. Below FIRST and LAST, so that little is scaled back.
EMBEDDED, WRITTEN = 0.3, 1.0
# Inputs on which the stream is measured to scale distractors, evenly spaced over the domain.
INPUTS = 256


class Host:
    """Call in order: `put_program`, `fill`, `turned`. distractors: a description of each. copied: which component each near copy imitates."""

    def __init__(self, compiled: Compiled, spec: ModelSpec, slots: Mapping[str, str], draw: Draw) -> None:
        self.compiled, self.own, self.draw = compiled, compiled.model, draw
        self.spec, self.n_read = spec, compiled.model.spec.d_model
        shapes = expected_shapes(spec)
        self.weights = Weights(**{k: torch.zeros(s, dtype=torch.float64) for k, s in shapes.items()})
        if self.own.weights.b_unembed is not None:
            self.weights = replace(self.weights, b_unembed=self.own.weights.b_unembed)
        self.model = Model(spec, self.weights)  # holds the same tensors
        self.heads: dict[tuple[int, int], tuple[int, int]] = {}
        self.mlps: dict[int, int] = {}
        graph, mine = ResidualGraph.of(spec), compiled.graph
        for name, slot in slots.items():
            here, there = mine.writer(name), graph.writer(slot)
            if here.kind == "head":
                self.heads[there.layer, there.head] = here.layer, here.head
            else:
                self.mlps[there.layer] = here.layer
        self.distractors: dict[str, str] = {}
        self.copied: dict[str, str] = {}

    # The program -----------------------------------------------------------------------------------------

    def put_program(self) -> None:
        """Copies every tensor of the program to its coordinates and slots."""
        w, own, n = self.weights, self.own.weights, self.n_read
        assert w.pos is not None
        assert own.pos is not None
        w.tok[:, :n], w.pos[:, :n], w.unembed[:n] = own.tok, own.pos, own.unembed
        for (layer, head), (of_layer, of_head) in self.heads.items():
            self._put_head(layer, head, of_layer, of_head)
        for of_layer in {of for of, _ in self.heads.values()}:
            last = max(layer for (layer, _), (of, _) in self.heads.items() if of == of_layer)
            w.b_o[last, :n] = own.b_o[of_layer]
        for layer, of_layer in self.mlps.items():
            self._put_mlp(layer, of_layer)

    def _put_head(self, layer: int, head: int, of_layer: int, of_head: int) -> None:
        """Scores are divided by sqrt(d_head), so queries grow with the root of a wider head's size."""
        w, own, n, e = self.weights, self.own.weights, self.n_read, self.own.spec.d_head
        wider = (self.spec.d_head / e) ** 0.5
        for port, gain in (("q", wider), ("k", 1.0), ("v", 1.0)):
            getattr(w, f"w_{port}")[layer, head, :n, :e] = gain * getattr(own, f"w_{port}")[of_layer, of_head]
            getattr(w, f"b_{port}")[layer, head, :e] = gain * getattr(own, f"b_{port}")[of_layer, of_head]
        w.w_o[layer, head, :e, :n] = own.w_o[of_layer, of_head]
        inside, values = self.draw.orthogonal(self.spec.d_head), self.draw.orthogonal(self.spec.d_head)
        for port, turn in (("q", inside), ("k", inside), ("v", values)):
            for tensor in (getattr(w, f"w_{port}"), getattr(w, f"b_{port}")):
                tensor[layer, head] = tensor[layer, head] @ turn
        w.w_o[layer, head] = values.T @ w.w_o[layer, head]

    def _put_mlp(self, layer: int, of_layer: int) -> None:
        """The units that write something, shuffled, and some of them split until all units of the host are used. The two units of
        a step stay neighbours (float32.py)."""
        w, own, n = self.weights, self.own.weights, self.n_read
        second = steps(own, of_layer)
        first = (own.w_out[of_layer] != 0).any(1).nonzero()[:, 0].tolist()
        groups = [[u, second[u]] if u in second else [u] for u in first if u not in second.values()]
        w.b_out[layer, :n] = own.b_out[of_layer]
        if not groups:
            return
        placed, room = list(groups), self.spec.d_mlp - len(first)
        while room:
            fitting = [group for group in groups if len(group) <= room] or groups
            placed.append(fitting[self.draw.below(len(fitting))][:room])
            room -= len(placed[-1])
        chosen = torch.tensor([u for k in self.draw.order(len(placed)).tolist() for u in placed[k]])
        parts = chosen.bincount()[chosen].to(torch.float64)
        w.w_in[layer, :n] = own.w_in[of_layer][:, chosen]
        w.b_in[layer] = own.b_in[of_layer][chosen]
        w.w_out[layer, :, :n] = own.w_out[of_layer][chosen] / parts[:, None]

    # The distractors -------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Fills every other slot, layer by layer, scaled to the stream at that layer."""
        inputs = self.compiled.domain.inputs
        ids, valid = self.compiled.encode(inputs[:: max(1, -(-len(inputs) // INPUTS))])
        w, n = self.weights, self.n_read
        assert w.pos is not None
        own = _lengths(w.tok[ids] + w.pos[: ids.shape[1]], n)[0][valid]
        if float(own.min()) == 0:
            raise user_error("TC160.stream", got=0, program=self.compiled.program.name)
        self.shortest, self.room = (
            float(own.min()),
            Room(self.spec.d_model, n, float(own.square().mean().sqrt())),
        )
        for table in (w.tok, w.pos):
            table[:, n:] = self._of_length(EMBEDDED, len(table))
        stream = w.tok[ids] + w.pos[: ids.shape[1]]
        for layer in range(self.spec.n_layers):
            stream = self._fill_heads(layer, stream, valid)
            stream = self._fill_mlp(layer, stream, valid)

    def _of_length(self, length: float, rows: int) -> Tensor:
        """Random rows outside the program's coordinates."""
        drawn = self.draw.normal(rows, self.spec.d_model - self.n_read)
        return length * self.shortest * drawn / drawn.norm(dim=-1, keepdim=True)

    @property
    def _share(self) -> float:
        """How long a distractor's output may be, relative to `shortest`; an attention bias counts as one distractor."""
        n = self.spec.n_layers * (self.spec.n_heads + 2) - len(self.heads) - len(self.mlps)
        return WRITTEN / n**0.5

    def _fill_heads(self, layer: int, stream: Tensor, valid: Tensor) -> Tensor:
        w = self.weights
        free = [h for h in range(self.spec.n_heads) if (layer, h) not in self.heads]
        true = [h for h in range(self.spec.n_heads) if (layer, h) in self.heads]
        copies = max(1, len(free) // 2) if true else 0
        for number, head in enumerate(free):
            if number < copies:
                of = true[number % len(true)]
                made = copied_head(self.draw, self.room, self._head(layer, of))
                self._note(f"a{layer}.h{head}", f"a{layer}.h{of}")
            else:
                made = dense_head(self.draw, self.room, self.spec.d_head)
                self._note(f"a{layer}.h{head}")
            for name, tensor in made.items():
                getattr(w, name)[layer, head] = tensor
        w.b_o[layer, self.n_read :] = self._of_length(self._share, 1)[0]
        seen = stream.expand(self.spec.n_heads, *stream.shape)
        written = heads_output(self.model, layer, seen, seen, seen, valid=valid)
        for head in free:
            gain = self._gain(written[head], valid)
            w.w_o[layer, head] *= gain
            written[head] *= gain
        base = stream + written[true].sum(0)
        base[..., : self.n_read] += w.b_o[layer, : self.n_read]
        added = written[free].sum(0)
        added[..., self.n_read :] += w.b_o[layer, self.n_read :]
        less = self._allowed(base, added, valid, half=2 * layer)
        for head in free:
            w.w_o[layer, head] *= less
        w.b_o[layer, self.n_read :] *= less
        return base + less * added

    def _fill_mlp(self, layer: int, stream: Tensor, valid: Tensor) -> Tensor:
        if layer in self.mlps:
            return stream + mlp_output(self.model, layer, stream)
        w, true = self.weights, sorted(self.mlps)
        if true and self.draw.below(2):
            of = true[self.draw.below(len(true))]
            mlp = {name: getattr(w, name)[of] for name in ("w_in", "b_in", "w_out", "b_out")}
            made = copied_mlp(self.draw, self.room, mlp)
            self._note(f"m{layer}", f"m{of}")
        else:
            made = dense_mlp(self.draw, self.room, self.spec.d_mlp)
            self._note(f"m{layer}")
        for name, tensor in made.items():
            getattr(w, name)[layer] = tensor
        added = mlp_output(self.model, layer, stream)
        gain = self._gain(added, valid)
        less = gain * self._allowed(stream, gain * added, valid, half=2 * layer + 1)
        w.w_out[layer] *= less
        w.b_out[layer] *= less
        return stream + less * added

    def _note(self, writer: str, copy_of: str = "") -> None:
        words = f"nearly {copy_of}" if copy_of else "dense random weights"
        self.distractors[writer] = f"distractor: {words}, read by no part of the program"
        if copy_of:
            self.copied[writer] = copy_of

    def _head(self, layer: int, head: int) -> dict[str, Tensor]:
        names = (*(f"{kind}_{port}" for port in "qkv" for kind in "wb"), "w_o")
        return {name: getattr(self.weights, name)[layer, head] for name in names}

    def _gain(self, written: Tensor, valid: Tensor) -> float:
        """The factor that scales a distractor's longest output to its share; 0 if it writes nothing here."""
        longest = float(written.norm(dim=-1)[valid].max())
        return self._share * self.shortest / longest if longest > 0 else 0.0

    def _allowed(self, stream: Tensor, added: Tensor, valid: Tensor, *, half: int) -> float:
        """The largest 2^-k such that, with `added`, the stream outside the program's stays within its bound."""
        bound = FIRST + (LAST - FIRST) * (half + 1) / (2 * self.spec.n_layers)
        for k in range(60):
            own, outside = _lengths(stream + added / 2**k, self.n_read)
            if bool((outside <= bound * own)[valid].all()):
                return 0.5**k
        return 0.0

    # The rotation ----------------------------------------------------------------------------------------

    def turned(self, turn: Float[Tensor, "d_model d_model"]) -> Model:
        """The same model with its stream multiplied by `turn`."""
        w = self.weights
        reads = {name: turn.T @ getattr(w, name) for name in ("w_q", "w_k", "w_v", "w_in", "unembed")}
        writes = {name: getattr(w, name) @ turn for name in ("tok", "pos", "w_o", "b_o", "w_out", "b_out")}
        return Model(self.spec, replace(w, **reads, **writes))


def _lengths(stream: Float[Tensor, "*lead d_model"], n_read: int) -> tuple[Tensor, Tensor]:
    """The lengths of the program's part of the stream, and of the rest."""
    return stream[..., :n_read].norm(dim=-1), stream[..., n_read:].norm(dim=-1)
