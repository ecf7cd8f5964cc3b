"""The residual stream during a run: what was written so far, and what each reader sees of it.

`Stream` serves masked runs. It holds the running sum of the background, and for each live writer its difference from the
background, as a row of one buffer (`deltas`). A read is one product of mask rows with a prefix of that buffer. `Plain`
serves unmasked runs: every reader sees the whole stream, so one sum is enough.

Both have the same methods. Axes: `circuit reader batch pos d_model`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from edgeprune_core.engine.blocks.attention import Ports, projected
from edgeprune_core.engine.write_buffer import Deltas, Read, ReadHeads, ReadLast, Slots, Write, last
from edgeprune_core.weights import Model

# Rows of at least this many floats are worth leaving out one by one: below, choosing costs more than computing.
LONG_ROWS = 8192
# The largest share of the writers that is copied together and summed; a larger one is summed with all others.
FEW = 0.7


class Stream:
    """The stream of a masked run. `alive`: writers that are computed."""

    summed = False  # each head's output is kept separate, since each is a writer

    def __init__(
        self,
        model: Model,
        mask: Tensor,
        background: Tensor | None,
        shape: Sequence[int],
        edges: Bool[Tensor, "reader writer"] | None,
    ) -> None:
        self.model = model
        self.shape = (*shape, model.spec.d_model)
        self.background = background
        self.alive = [True] * mask.shape[-1] if edges is None else edges.any(0).tolist()
        mask = mask.to(model.dtype)
        slots = [w for w, on in enumerate(self.alive) if on]
        self.mask = mask if all(self.alive) else mask[:, :, slots]
        self.base = torch.zeros(self.shape, dtype=model.dtype, device=model.device)
        self.written = 0
        self.deltas = Deltas(self.base.new_empty(len(mask), len(slots), self.base.numel()))
        # `reader slot`, in NumPy: which edges count. None where rows are short.
        self._edges = (
            edges.numpy()[:, slots] if edges is not None and self.base.numel() >= LONG_ROWS else None
        )
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
        self, layer: int, rows: Sequence[list[int]], heads: Sequence[list[int]], mlp_row: int | None
    ) -> tuple[Ports, Tensor | None]:
        """Queries, keys and values of the readers in `rows`, which are those of `heads`. With `mlp_row`: also what that reader sees."""
        if self._edges is None:
            return self._heads(layer, rows, heads, mlp_row)
        fed = [[bool(self._edges[r, : self.written].any()) for r in port] for port in rows]
        if all(map(all, fed)):
            return self._heads(layer, rows, heads, mlp_row)

        def those(numbers: Sequence[list[int]], on: bool) -> list[list[int]]:
            return [
                [n for n, has in zip(port, flags, strict=True) if has == on]
                for port, flags in zip(numbers, fed, strict=True)
            ]

        ports, seen = self._heads(layer, those(rows, True), those(heads, True), mlp_row)
        ablated = self.base[None, None]
        others = projected(self.model, layer, (ablated, ablated, ablated), those(heads, False))
        in_order = [sorted(range(len(flags)), key=lambda i: not flags[i]) for flags in fed]
        return [
            torch.cat([p, other.expand(len(p), -1, -1, -1, -1)], 1)[
                :, [order.index(i) for i in range(len(order))]
            ]
            for p, other, order in zip(ports, others, in_order, strict=True)
        ], seen

    def _heads(
        self, layer: int, rows: Sequence[list[int]], heads: Sequence[list[int]], mlp_row: int | None
    ) -> tuple[Ports, Tensor | None]:
        spec, w = self.model.spec, self.model.weights
        sizes, with_mlp = [len(port) for port in rows], mlp_row is not None
        every = [*rows[0], *rows[1], *rows[2], *([] if mlp_row is None else [mlp_row])]
        if spec.norm != "rms" and (self.tape is None or spec.norm != "none"):
            *ports, rest = self._read(every, self.base, 0).split([*sizes, int(with_mlp)], 1)
            return projected(self.model, layer, ports, heads), rest if with_mlp else None
        q, k, v = (
            _all_or(some, n)
            for some, n in zip(heads, (spec.n_heads, spec.n_kv_heads, spec.n_kv_heads), strict=True)
        )
        weights = w.w_q[layer][q], w.w_k[layer][k], w.w_v[layer][v]
        biases = w.b_q[layer][q], w.b_k[layer][k], w.b_v[layer][v]
        slots, eps = self._slots(every, 0), spec.norm_eps if spec.norm == "rms" else None
        p, rest = ReadHeads.apply(
            self.tape, self._rows(every)[:, :, slots], self.base, self.deltas, slots, weights, biases, eps
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
        slots = self._slots(rows, start)
        part = self._rows(rows)[:, :, slots]
        if self.tape is None:
            mixed = self.deltas.mixed(part, base, slots)
        else:
            mixed = Read.apply(self.tape, part, base, self.deltas, slots)
        return mixed.view(len(part), len(rows), *self.shape)

    def _rows(self, rows: Sequence[int]) -> Tensor:
        return self.mask[:, _span(rows)]

    def _slots(self, rows: Sequence[int], start: int) -> Slots:
        """Those that any of these readers reads, where they are few; else all that were written since `start`."""
        if self._edges is not None:
            used = start + np.flatnonzero(self._edges[rows, start : self.written].any(0))
            if len(used) <= FEW * (self.written - start):
                return torch.from_numpy(used).to(self.base.device)
        return slice(start, self.written)


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
        self, layer: int, rows: Sequence[list[int]], heads: Sequence[list[int]], mlp_row: int | None
    ) -> tuple[Ports, Tensor | None]:
        seen = self.base[None, None]
        return projected(self.model, layer, (seen, seen, seen)), None if mlp_row is None else seen

    def read(self, row: int) -> Tensor:
        return self.base[None, None]

    def continue_read(self, row: int, seen: Tensor, base: Tensor, written: int) -> Tensor:
        return self.base[None, None]

    def read_last(self, row: int, places: Int[Tensor, " place"] | None) -> Float[Tensor, "1 place d_model"]:
        flat = self.base.flatten(0, 1)[None]
        return flat if places is None else flat[:, places]


def _all_or(some: list[int], n: int) -> slice | list[int]:
    """A slice where these are all of `n`: a view and no copy."""
    return slice(None) if len(some) == n else some


def _span(indices: Sequence[int]) -> slice | list[int]:
    """A slice where they are consecutive: a view and no copy."""
    if indices and list(indices) == list(range(indices[0], indices[-1] + 1)):
        return slice(indices[0], indices[-1] + 1)
    return list(indices)
