"""What has been written so far in one run, and what readers see of it.

`Stream` is a masked run's: the background's running sum, and each live writer's difference from it, a row of one
buffer. Reading is one product of mask rows with a prefix of that buffer. For a gradient the buffer has a twin of the
same shape: going back, every read adds its share to its prefix of the twin, in place, and every write takes its row,
finished by then, out of it. Autograd would instead join and split a new tensor on each read. Since it sees neither
buffer, a scalar `tape` that each write hands on makes it go through reads and writes in reverse.

`Plain` is an unmasked run's: every reader sees the whole stream, so a sum does.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from edgeprune_core.weights import Model


@dataclass
class Deltas:
    """values: `circuit writer batch*pos*d_model`, what live writers wrote beyond the background; gradient: its twin."""

    values: Tensor
    gradient: Tensor | None = None

    def collect(self, rows: Float[Tensor, "circuit reader writer"], of_inputs: Tensor, slots: slice) -> None:
        """Adds what readers' gradients `circuit reader batch*pos*d_model` say of the writers in `slots`.

        The last reader reads all writers, and goes back first: it starts the twin.
        """
        if self.gradient is None:
            self.gradient = torch.bmm(rows.mT, of_inputs)
        else:
            self.gradient[:, slots].baddbmm_(rows.mT, of_inputs)


class Stream:
    """A masked run's. Without a gradient nothing but `values` is kept."""

    def __init__(
        self, model: Model, mask: Tensor, background: Tensor | None, shape: tuple[int, int], alive: list[bool]
    ) -> None:
        batch, pos = shape
        self.shape = (batch, pos, model.spec.d_model)
        self.background = background
        mask = mask.to(model.dtype)
        self.mask = mask if all(alive) else mask[:, :, [w for w, on in enumerate(alive) if on]]
        self.alive = alive
        self.base = torch.zeros(self.shape, dtype=model.dtype, device=model.device)
        self.written = 0
        self.circuits = len(mask)
        flat = batch * pos * model.spec.d_model
        self.deltas = Deltas(self.base.new_empty(self.circuits, sum(alive), flat))
        self.tape: Tensor | None = None
        if torch.is_grad_enabled() and mask.requires_grad:
            self.tape = self.base.new_zeros((), requires_grad=True)

    def write(self, out: Float[Tensor, "circuit writer batch pos d_model"], writers) -> None:
        writers = list(writers)
        base = None
        if self.background is not None:
            base = self.background[writers[0] : writers[-1] + 1]
            if len(writers) < len(base):
                base = self.background[writers]
            self.base = self.base + base.sum(0)
        keep = [i for i, w in enumerate(writers) if self.alive[w]]
        if len(keep) < len(writers):
            out, base = out[:, keep], None if base is None else base[keep]
        slots = slice(self.written, self.written + len(keep))
        if self.tape is None:
            _fill(self.deltas.values[:, slots], out, base)
        else:
            self.tape = _Write.apply(self.tape, out, base, self.deltas, slots)
        self.written += len(keep)

    def skip(self, writers: list[int]) -> None:
        """Dead writers write nothing but their background (or are in GQA layers computed with the rest)."""
        if self.background is not None and writers:
            self.base = self.base + self.background[writers].sum(0)

    def read(
        self, rows: list[int], base: Tensor, start: int = 0, stop: int | None = None
    ) -> Float[Tensor, "circuit reader batch pos d_model"]:
        """Inputs of these readers: `base`, and what writers number `start` to `stop` add to it."""
        slots = slice(start, self.written if stop is None else stop)
        part = self._rows(rows)[:, :, slots]
        if self.tape is None:
            mixed = _mixed(part, base, self.deltas, slots)
        else:
            mixed = _Read.apply(self.tape, part, base, self.deltas, slots)
        return mixed.view(self.circuits, len(rows), *self.shape)

    def _rows(self, rows: list[int]) -> Tensor:
        if rows[-1] - rows[0] == len(rows) - 1:
            return self.mask[:, rows[0] : rows[-1] + 1]
        return self.mask[:, rows]


def _fill(slot: Tensor, out: Tensor, base: Tensor | None) -> None:
    flat = out.flatten(2)
    if base is None:
        slot.copy_(flat.expand_as(slot))
    else:
        torch.sub(flat.expand_as(slot), base.flatten(1), out=slot)


def _mixed(rows: Tensor, base: Tensor, deltas: Deltas, slots: slice) -> Tensor:
    flat = base.reshape(-1, 1, deltas.values.shape[-1])
    return torch.baddbmm(flat, rows, deltas.values[:, slots])


class _Write(torch.autograd.Function):
    @staticmethod
    def forward(ctx, tape, out, base, deltas, slots):
        _fill(deltas.values[:, slots], out.detach(), base)
        ctx.deltas, ctx.slots, ctx.shape = deltas, slots, out.shape
        return tape.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, of_tape):
        own = ctx.deltas.gradient[:, ctx.slots].view(ctx.shape) if ctx.needs_input_grad[1] else None
        return of_tape, own, None, None, None


class _Read(torch.autograd.Function):
    @staticmethod
    def forward(ctx, tape, rows, base, deltas, slots):
        ctx.save_for_backward(rows)
        ctx.deltas, ctx.slots, ctx.base = deltas, slots, base.shape
        return _mixed(rows, base, deltas, slots)

    @staticmethod
    @once_differentiable
    def backward(ctx, of_inputs):
        (rows,) = ctx.saved_tensors
        of_inputs = of_inputs.contiguous()
        of_rows = torch.bmm(of_inputs, ctx.deltas.values[:, ctx.slots].mT)
        ctx.deltas.collect(rows, of_inputs, ctx.slots)
        of_base = of_inputs.reshape(ctx.base) if ctx.needs_input_grad[2] else None
        return of_rows.new_zeros(()), of_rows, of_base, None, None
