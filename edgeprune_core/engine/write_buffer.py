"""The buffer of what writers wrote beyond the background, its gradient twin, and the autograd of reading and writing.

In the backward pass every read adds its share to its prefix of the twin, in place, and every write takes its row out of
it, complete by then. Plain autograd would join and split a new tensor for each read. Autograd sees neither buffer, so a
scalar `tape`, passed from write to write, makes it visit reads and writes in reverse order.

`heads` is a read, a normalisation and a projection in one, for streams whose normalisation is one number a token
(`folding`): with r = (|x|^2 / d + eps)^(-1/2) and p = r (x W), the output is p + b, and for its gradient g

    d / dx  =  r (g W^T)  -  (g . p) r^2 / d  x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

# Rows of `Deltas`: consecutive, or some.
Slots = slice | Int[Tensor, " slot"]


@dataclass
class Deltas:
    """values: `circuit writer batch*pos*d_model`; gradient: its twin, once the last reader has gone back.

    copies: room for rows copied together, used again by each read: fresh memory would cost as much as the copying.
    """

    values: Tensor
    gradient: Tensor | None = None
    copies: Tensor | None = None

    def fill(self, slots: slice, out: Tensor, background: Tensor | None) -> None:
        """out: `circuit writer batch pos d_model`; background: the same without circuits, or None for zeros."""
        slot, flat = self.values[:, slots], out.flatten(2)
        if background is None:
            slot.copy_(flat.expand_as(slot))
        else:
            torch.sub(flat.expand_as(slot), background.flatten(1), out=slot)

    def mixed(
        self,
        rows: Float[Tensor, "circuit reader writer"],
        base: Float[Tensor, "*circuit batch pos d_model"],
        slots: Slots,
    ) -> Float[Tensor, "circuit reader flat"]:
        return torch.baddbmm(base.reshape(-1, 1, self.values.shape[-1]), rows, self._at(slots))

    def collect(self, rows: Tensor, of_inputs: Float[Tensor, "circuit reader flat"], slots: Slots) -> Tensor:
        """The gradient of `rows`; that of the writers goes into the twin."""
        assert self.gradient is not None
        if isinstance(slots, slice):
            self.gradient[:, slots].baddbmm_(rows.mT, of_inputs)
        else:
            self.gradient.index_add_(1, slots, torch.bmm(rows.mT, of_inputs))
        return torch.bmm(of_inputs, self._at(slots).mT)

    def _at(self, slots: Slots) -> Float[Tensor, "circuit slot flat"]:
        """A view of consecutive rows, a copy of others, until the next call: what is left out is worth more than the copy."""
        if isinstance(slots, slice):
            return self.values[:, slots]
        circuits, _, flat = self.values.shape
        size = circuits * len(slots) * flat
        if self.copies is None or len(self.copies) < size:
            self.copies = self.values.new_empty(size)
        return torch.index_select(
            self.values, 1, slots, out=self.copies[:size].view(circuits, len(slots), flat)
        )


class Write(torch.autograd.Function):
    """tape, out, background, deltas, slots -> tape."""

    @staticmethod
    def forward(ctx, tape, out, background, deltas, slots):
        deltas.fill(slots, out, background)
        ctx.deltas, ctx.slots, ctx.shape = deltas, slots, out.shape
        return tape.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, of_tape):
        own = ctx.deltas.gradient[:, ctx.slots].view(ctx.shape) if ctx.needs_input_grad[1] else None
        return of_tape, own, None, None, None


class Read(torch.autograd.Function):
    """tape, rows, base, deltas, slots -> inputs of readers, flat. Only a single reader's base may have a gradient."""

    @staticmethod
    def forward(ctx, tape, rows, base, deltas, slots):
        ctx.save_for_backward(rows)
        ctx.deltas, ctx.slots, ctx.base = deltas, slots, base.shape
        return deltas.mixed(rows, base, slots)

    @staticmethod
    @once_differentiable
    def backward(ctx, of_inputs):
        of_inputs = of_inputs.contiguous()
        of_rows = ctx.deltas.collect(*ctx.saved_tensors, of_inputs, ctx.slots)
        of_base = of_inputs.reshape(ctx.base) if ctx.needs_input_grad[2] else None
        return of_rows.new_zeros(()), of_rows, of_base, None, None


class ReadLast(torch.autograd.Function):
    """The same for the one reader that goes back first, and so starts the twin.

    places: of `batch*pos`, distinct: its input is wanted there only; None: everywhere.
    """

    @staticmethod
    def forward(ctx, tape, rows, base, deltas, places):
        ctx.save_for_backward(rows)
        ctx.deltas, ctx.places = deltas, places
        return last(rows, base, deltas, places)

    @staticmethod
    @once_differentiable
    def backward(ctx, of_input):
        (rows,) = ctx.saved_tensors
        deltas, d_model = ctx.deltas, of_input.shape[-1]
        of_input = of_input.flatten(1)[:, None]
        of_values = torch.bmm(rows.mT, of_input)
        if ctx.places is None:
            deltas.gradient = of_values
        else:
            deltas.gradient = torch.zeros_like(deltas.values)
            by_place = deltas.gradient.unflatten(2, (deltas.values.shape[2] // d_model, d_model))
            by_place[:, :, ctx.places] = of_values.unflatten(2, (len(ctx.places), d_model))
        of_rows = torch.bmm(of_input, _at(deltas.values, ctx.places, d_model).mT)
        return of_rows.new_zeros(()), of_rows, None, None, None


def last(
    rows: Tensor, base: Tensor, deltas: Deltas, places: Tensor | None
) -> Float[Tensor, "circuit place d_model"]:
    d_model = base.shape[-1]
    base = base.reshape(-1, d_model)
    base = (base if places is None else base[places]).reshape(1, 1, -1)
    return torch.baddbmm(base, rows, _at(deltas.values, places, d_model)).view(len(rows), -1, d_model)


def _at(values: Tensor, places: Tensor | None, d_model: int) -> Tensor:
    if places is None:
        return values
    return values.unflatten(2, (values.shape[2] // d_model, d_model))[:, :, places].flatten(2)


class ReadHeads(torch.autograd.Function):
    """tape, rows, base, deltas, slots, weights, biases, eps -> projections `circuit reader batch*pos d_head`, and the
    input of one reader more, as it is, where `rows` has one more than there are weights.

    weights, biases: per port, stacked over its readers: `reader d_model d_head` and `reader d_head`.
    eps: of the normalisation, None where there is none.
    """

    @staticmethod
    def forward(ctx, tape, rows, base, deltas, slots, weights, biases, eps):
        x = deltas.mixed(rows, base, slots)
        d_model = weights[0].shape[1]
        readers = sum(map(len, weights))
        inputs = x[:, :readers].unflatten(2, (x.shape[2] // d_model, d_model))
        p = _project(inputs, weights)
        scale = None
        if eps is not None:
            scale = (
                (torch.linalg.vector_norm(inputs, dim=-1, keepdim=True).square_().div_(d_model))
                .add_(eps)
                .rsqrt_()
            )
            p.mul_(scale)
        ctx.save_for_backward(rows, x, p, *(() if scale is None else (scale,)))
        ctx.deltas, ctx.slots, ctx.weights = deltas, slots, weights
        return p + torch.cat(list(biases))[:, None], x[:, readers:].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, g, of_rest):
        rows, x, p, *scale = ctx.saved_tensors
        readers, d_model = p.shape[1], ctx.weights[0].shape[1]
        of_inputs = torch.empty_like(x)
        of_inputs[:, readers:] = of_rest
        into = of_inputs[:, :readers].unflatten(2, (x.shape[2] // d_model, d_model))
        back = g * scale[0] if scale else g
        start = 0
        for w in ctx.weights:
            port = slice(start, start + len(w))
            if len(x) == 1:
                torch.bmm(back[0, port], w.mT, out=into[0, port])
            else:
                into[:, port] = back[:, port] @ w.mT
            start += len(w)
        if scale:
            along = (g * p).sum(-1, keepdim=True).mul_(scale[0].square()).div_(-d_model)
            into.addcmul_(along, x[:, :readers].view_as(into))
        of_rows = ctx.deltas.collect(rows, of_inputs, ctx.slots)
        return of_rows.new_zeros(()), of_rows, None, None, None, None, None, None


def _project(inputs: Tensor, weights: Sequence[Tensor]) -> Tensor:
    parts = inputs.split([len(w) for w in weights], 1)
    return torch.cat([part @ w for part, w in zip(parts, weights, strict=True)], 1)
