"""The residual stream during a run: what was written so far, and what each reader sees of it.

`Stream` serves masked runs. It holds the running sum of the background, and for each live writer its difference from the
background, as a row of one buffer (`deltas`). A read is one product of mask rows with a prefix of that buffer. `Plain`
serves unmasked runs: every reader sees the whole stream, so one sum is enough.

Both have the same methods. Axes: `circuit reader batch pos d_model`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from edgeprune_core.engine.blocks.attention import Ports, projected
from edgeprune_core.engine.write_buffer import Deltas, Read, ReadHeads, ReadLast, Write, last
from edgeprune_core.weights import Model


class Stream:
    """The stream of a masked run. `alive`: writers that are computed."""

    summed = False  # each head's output is kept separate, since each is a writer

    def __init__(
        self, model: Model, mask: Tensor, background: Tensor | None, shape: Sequence[int], alive: list[bool]
    ) -> None:
        self.model = model
        self.shape = (*shape, model.spec.d_model)
        self.background = background
        mask = mask.to(model.dtype)
        self.mask = mask if all(alive) else mask[:, :, [w for w, on in enumerate(alive) if on]]
        self.alive = alive
        self.base = torch.zeros(self.shape, dtype=model.dtype, device=model.device)
        self.written = 0
        self.deltas = Deltas(self.base.new_empty(len(mask), sum(alive), self.base.numel()))
        # A scalar that threads autograd through the in-place buffer; None if no gradient is wanted.
        self.tape: Tensor | None = None
        if torch.is_grad_enabled() and mask.requires_grad:
            self.tape = self.base.new_zeros((), requires_grad=True)

    def write(self, out: Float[Tensor, "circuit writer batch pos d_model"], writers: Sequence[int]) -> None:
        background = None
        if self.background is not None:
            background = self.background[_span(writers)]
            self.base = self.base + background.sum(0)
        keep = [i for i, w in enumerate(writers) if self.alive[w]]
        if len(keep) < len(writers):
            out, background = out[:, keep], None if background is None else background[keep]
        slots = slice(self.written, self.written + len(keep))
        if self.tape is None:
            self.deltas.fill(slots, out, background)
        else:
            self.tape = Write.apply(self.tape, out, background, self.deltas, slots)
        self.written += len(keep)

    def skip(self, writers: Sequence[int]) -> None:
        """Adds the background of dead writers, which are not computed."""
        if self.background is not None and writers:
            self.base = self.base + self.background[_span(writers)].sum(0)

    def add_bias(self, bias: Float[Tensor, " d_model"]) -> None:
        """Adds an output bias, which belongs to no writer."""
        self.base = self.base + bias

    def heads(
        self, layer: int, rows: Sequence[int], heads: list[int], kv_heads: list[int], *, with_mlp: bool
    ) -> tuple[Ports, Tensor | None]:
        """Queries, keys and values of the readers in `rows`. `with_mlp`: the last row is the MLP's reader; its input is also returned."""
        spec, w = self.model.spec, self.model.weights
        sizes = [len(heads), len(kv_heads), len(kv_heads)]
        if self.tape is None or spec.norm not in ("none", "rms"):
            *ports, rest = self._read(rows, self.base, 0).split([*sizes, int(with_mlp)], 1)
            return projected(
                self.model, layer, ports, heads=heads, kv_heads=kv_heads
            ), rest if with_mlp else None
        chosen = heads if len(heads) < spec.n_heads else slice(None)
        weights = w.w_q[layer][chosen], w.w_k[layer][chosen], w.w_v[layer][chosen]
        biases = w.b_q[layer][chosen], w.b_k[layer][chosen], w.b_v[layer][chosen]
        slots, eps = slice(0, self.written), spec.norm_eps if spec.norm == "rms" else None
        p, rest = ReadHeads.apply(
            self.tape, self._rows(rows)[:, :, slots], self.base, self.deltas, slots, weights, biases, eps
        )
        ports = p.unflatten(2, self.shape[:2]).split(sizes, 1)
        return ports, rest.view(len(rest), 1, *self.shape) if with_mlp else None

    def read(self, row: int) -> Tensor:
        """The input of one reader."""
        return self._read([row], self.base, 0)

    def continue_read(self, row: int, seen: Tensor, base: Tensor, written: int) -> Tensor:
        """The input of one reader, from `seen`: what it read when the stream held `base` and `written` writers."""
        seen = seen + (self.base - base)
        return self._read([row], seen[:, 0], written) if self.written > written else seen

    def read_last(
        self, row: int, places: Int[Tensor, " place"] | None
    ) -> Float[Tensor, "circuit place d_model"]:
        """The input of `out`, at these places of `batch*pos`, or at every place."""
        rows = self._rows([row])
        if self.tape is None:
            return last(rows, self.base, self.deltas, places)
        return ReadLast.apply(self.tape, rows, self.base, self.deltas, places)

    def _read(self, rows: Sequence[int], base: Tensor, start: int) -> Tensor:
        slots = slice(start, self.written)
        part = self._rows(rows)[:, :, slots]
        if self.tape is None:
            mixed = self.deltas.mixed(part, base, slots)
        else:
            mixed = Read.apply(self.tape, part, base, self.deltas, slots)
        return mixed.view(len(part), len(rows), *self.shape)

    def _rows(self, rows: Sequence[int]) -> Tensor:
        return self.mask[:, _span(rows)]


class Plain:
    """The stream of an unmasked run: `base` is all of it. `writers`: what each one wrote, where `keep` is set."""

    written = 0

    def __init__(self, model: Model, shape: Sequence[int], n_writers: int, *, keep: bool) -> None:
        self.model = model
        self.alive = [True] * n_writers
        self.base = torch.zeros(*shape, model.spec.d_model, dtype=model.dtype, device=model.device)
        self.writers = self.base.new_empty(n_writers, *self.base.shape) if keep else None
        self.summed = not keep

    def write(self, out: Float[Tensor, "1 writer batch pos d_model"], writers: Sequence[int]) -> None:
        if self.writers is not None:
            self.writers[_span(writers)] = out[0]
        self.base = self.base + out[0].sum(0)

    def skip(self, writers: Sequence[int]) -> None:
        assert not writers

    def add_bias(self, bias: Float[Tensor, " d_model"]) -> None:
        self.base = self.base + bias

    def heads(
        self, layer: int, rows: Sequence[int], heads: list[int], kv_heads: list[int], *, with_mlp: bool
    ) -> tuple[Ports, Tensor | None]:
        seen = self.base[None, None]
        return projected(self.model, layer, (seen, seen, seen)), seen if with_mlp else None

    def read(self, row: int) -> Tensor:
        return self.base[None, None]

    def continue_read(self, row: int, seen: Tensor, base: Tensor, written: int) -> Tensor:
        return self.base[None, None]

    def read_last(self, row: int, places: Int[Tensor, " place"] | None) -> Float[Tensor, "1 place d_model"]:
        flat = self.base.flatten(0, 1)[None]
        return flat if places is None else flat[:, places]


def _span(indices: Sequence[int]) -> slice | list[int]:
    """A slice where they are consecutive: a view and no copy."""
    if indices and list(indices) == list(range(indices[0], indices[-1] + 1)):
        return slice(indices[0], indices[-1] + 1)
    return list(indices)
