"""Distractors: heads and MLPs that read anything and write only where no part of the program reads.

They are defined in the stream before its rotation: the program reads the first `n_read` coordinates and no others.
What they write is scaled later, when the stream is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# Noise added to a near copy's weights, relative to their standard deviation: the copy is close, but another function.
APART = 0.01
# Standard deviation of a dense distractor's attention scores: far from uniform, far from one-hot.
SCORES = 2.0
# Standard deviation of biases, relative to that of the weights' products.
BIAS = 0.5


@dataclass(frozen=True)
class Draw:
    """Random float64 tensors from one generator."""

    generator: torch.Generator

    @classmethod
    def of(cls, seed: int) -> Draw:
        return cls(torch.Generator().manual_seed(seed))

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator, dtype=torch.float64)

    def orthogonal(self, n: int) -> Tensor:
        """Uniform over rotations and reflections (Mezzadri 2007, math-ph/0609050)."""
        q, r = torch.linalg.qr(self.normal(n, n))
        return q * torch.where(r.diagonal() < 0, -1.0, 1.0)

    def below(self, n: int) -> int:
        return int(torch.randint(n, (), generator=self.generator))

    def order(self, n: int) -> Tensor:
        return torch.randperm(n, generator=self.generator)


@dataclass(frozen=True)
class Room:
    """A distractor's stream: its width, how much of it the program reads, and its usual length."""

    d_model: int
    n_read: int
    size: float


def dense_head(draw: Draw, room: Room, d_head: int) -> dict[str, Tensor]:
    """A head with dense weights and biases: its `w_q` ... `w_o`."""
    made = {}
    for port, gain in (("q", SCORES), ("k", 1.0), ("v", 1.0)):
        made[f"w_{port}"] = gain * draw.normal(room.d_model, d_head) / room.size
        made[f"b_{port}"] = gain * BIAS * draw.normal(d_head)
    return made | {"w_o": _outside(draw.normal(d_head, room.d_model - room.n_read), room)}


def copied_head(draw: Draw, room: Room, head: dict[str, Tensor]) -> dict[str, Tensor]:
    """Nearly the same queries, keys and values as a true head, but another output."""
    made = {}
    for port in "qkv":
        w = head[f"w_{port}"]
        made[f"w_{port}"] = w + APART * w.std() * draw.normal(*w.shape)
        made[f"b_{port}"] = head[f"b_{port}"]
    elsewhere = draw.normal(room.n_read, room.d_model - room.n_read)
    return made | {"w_o": _outside(head["w_o"][:, : room.n_read] @ elsewhere, room)}


def dense_mlp(draw: Draw, room: Room, d_mlp: int) -> dict[str, Tensor]:
    """An MLP with dense weights and biases: its `w_in` ... `b_out`."""
    outside = room.d_model - room.n_read
    return {
        "w_in": draw.normal(room.d_model, d_mlp) / room.size,
        "b_in": BIAS * draw.normal(d_mlp),
        "w_out": _outside(draw.normal(d_mlp, outside), room),
        "b_out": _outside(BIAS * draw.normal(outside), room),
    }


def copied_mlp(draw: Draw, room: Room, mlp: dict[str, Tensor]) -> dict[str, Tensor]:
    """Nearly the same units as a true MLP, but another output."""
    w, outside = mlp["w_in"], room.d_model - room.n_read
    elsewhere = draw.normal(room.n_read, outside)
    return {
        "w_in": w + APART * w.std() * draw.normal(*w.shape),
        "b_in": mlp["b_in"],
        "w_out": _outside(mlp["w_out"][:, : room.n_read] @ elsewhere, room),
        "b_out": _outside(mlp["b_out"][: room.n_read] @ elsewhere, room),
    }


def _outside(written: Tensor, room: Room) -> Tensor:
    """Extends directions to the whole stream, with zeros on the program's coordinates."""
    return torch.cat([written.new_zeros(*written.shape[:-1], room.n_read), written], -1)
