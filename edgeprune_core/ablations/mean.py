"""Mean ablation: a cut edge carries the writer's mean output in the unpruned model.

The mean is taken over fixed reference inputs *of the same length*, per position. The reference inputs are
a set, fixed by `of`: the current batch has no influence, and repeats count once. `mean_pooled` pools the lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from edgeprune_core.ablations.base import Ablation
from edgeprune_core.engine import trace
from edgeprune_core.error_codes import user_error
from edgeprune_core.weights import Model

# Inputs traced at once.
AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class Mean(Ablation):
    """`table[n]` holds the means of inputs of n tokens (BOS included), `writer pos d_model`: empty until `of`."""

    pooled: bool = False
    table: dict[int, Float[Tensor, "writer pos d_model"]] = field(default_factory=dict, repr=False)
    within_span: bool = True

    @property
    def name(self) -> str:
        return "mean_pooled" if self.pooled else "mean"

    def of(self, model: Model, inputs: Sequence[Int[Tensor, "batch pos"]]) -> Mean:
        """Means over the distinct rows of `inputs`, tensors of one length each. Summed in float64."""
        exact = model.to(torch.float64)
        lengths = sorted({t.shape[1] for t in inputs})
        inputs = [torch.cat([t for t in inputs if t.shape[1] == n]).unique(dim=0) for n in lengths]
        sums = {len(t[0]): _sum_of_writers(exact, t) for t in inputs}
        counts = {len(t[0]): len(t) for t in inputs}
        if not self.pooled:
            return replace(self, table={n: (s / counts[n]).to(model.dtype) for n, s in sums.items()})
        table = {}
        for n in sums:
            rows = []
            for p in range(n):
                longer = [m for m in sums if m > p]
                total = torch.stack([sums[m][:, p] for m in longer]).sum(0)
                rows.append(total / sum(counts[m] for m in longer))
            table[n] = torch.stack(rows, 1).to(model.dtype)
        return replace(self, table=table)

    def to(self, dtype: torch.dtype) -> Mean:
        return replace(self, table={n: t.to(dtype) for n, t in self.table.items()})

    def background(self, model, corrupted, valid) -> Tensor:
        n_writers, _, d_model = next(iter(self.table.values())).shape
        batch, pos = valid.shape
        out = torch.zeros(n_writers, batch, pos, d_model, dtype=model.dtype, device=model.device)
        lengths = valid.sum(1)
        for n in lengths.unique().tolist():
            if n not in self.table:
                raise user_error("EP151", got=n, wanted=sorted(self.table))
            out[:, lengths == n, :n] = self.table[n].to(out)[:, None]
        return out


def _sum_of_writers(model: Model, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "writer pos d_model"]:
    """Over the inputs, a part at a time: what is written on all of them is never held."""
    parts = [trace(model, part).writers.sum(1) for part in tokens.split(AT_ONCE)]
    return torch.stack(parts).sum(0)
