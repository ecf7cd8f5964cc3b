"""What "the output is the same" means: the criterion by which a circuit is accepted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Criterion = Literal["value", "decoded", "kl"]

# Two outputs nearer than this decode as a tie, which goes to the lower index: it bounds the noise of a
# float64 forward (below 1e-9 on outputs of order 1) so that no machine breaks a tie by rounding. No larger:
# what leaks through a softmax may be as small as 4e-9, and decides the argmax as exact arithmetic would.
DECODE_TIE = 1e-9


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The criterion of a setting.

    categorical: the coordinates are one-hot scores of a value; else they are numbers.
    scale:       the range of the scored coordinates of the unpruned model (1 for categorical outputs);
                 0 where a numerical output is constant.
    tolerance:   in units of `scale`: how far a scored coordinate may move under `value`; in nats under `kl`.
    """

    categorical: bool
    criterion: Criterion = "value"
    scale: float = 1.0
    tolerance: float = 0.01

    def deviation(
        self,
        got: Float[Tensor, "*lead pos d_out"],
        want: Float[Tensor, "*lead pos d_out"],
        scored: Bool[Tensor, "*lead pos"],
    ) -> Float[Tensor, "*lead"]:
        """How far each output is from the wanted one, worst scored position and coordinate first.

        `value`: in units of `scale`. `decoded` (categorical): 1 where some scored position decodes
        otherwise, else 0. `kl`: KL(wanted || got) of their softmax, in nats. An output that is not a number deviates
        infinitely.
        """
        if self.by_decoding:
            off = (decode(got) != decode(want)).to(got.dtype)
            off = off.masked_fill(got.isnan().any(-1), torch.inf)
        elif self.criterion == "kl":
            p, q = want.log_softmax(-1), got.log_softmax(-1)
            off = (p.exp() * (p - q)).sum(-1)
        else:
            off = (got - want).abs().amax(-1) / (self.scale or 1.0)
        off = torch.nan_to_num(off, nan=torch.inf, posinf=torch.inf)
        return torch.where(scored, off, 0.0).amax(-1)

    @property
    def by_decoding(self) -> bool:
        return self.criterion == "decoded" and self.categorical

    @property
    def limit(self) -> float:
        """The largest deviation of a faithful circuit. Where the output is constant, every circuit is."""
        if self.scale == 0:
            return math.inf
        return 0.0 if self.by_decoding else self.tolerance


def decode(outputs: Float[Tensor, "*lead d_out"]) -> Tensor:
    """The index of the largest coordinate; ties go to the lowest index."""
    top = outputs.amax(-1, keepdim=True)
    return (outputs >= top - DECODE_TIE).to(torch.uint8).argmax(-1)
