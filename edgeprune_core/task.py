"""Task: everything a discovery method may see. It has no field for the truth, and never will."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Literal, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from edgeprune_core.ablations import Ablation
from edgeprune_core.circuit import Circuit
from edgeprune_core.criterion import Outcome, decode
from edgeprune_core.engine import open_edges, outputs, run, trace
from edgeprune_core.error_codes import user_error
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.mask import to_mask
from edgeprune_core.metrics.divergence import Divergence, bounded, kl, sharp_temperature
from edgeprune_core.weights import Model

# Floats of writer outputs held at once while a long list is processed: 64 MiB in float64.
CHUNK_FLOATS = 8_000_000
# Up to this many bytes, what every writer writes on every input is kept; beyond, it is recomputed.
HELD_BYTES = 320 * 2**20
# The same for the unpruned model's outputs on every input.
HELD_OUTPUT_BYTES = 128 * 2**20

# A number that is nearer to the mean than this share of the outputs' range counts as equal to it: far above the
# rounding of either precision (float32: about 1e-7), far below any difference that a program makes on purpose.
AT_MEAN = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """A model, an ablation, a list of items and the criterion by which a circuit is accepted.

    tokens, valid: `input pos`: distinct inputs, and which positions hold tokens.
    scored:  `input place`: which outputs are judged.
    places:  `input place`: the positions whose outputs are wanted, distinct in a row; None: every position.
    items:   `item 2`: rows of (clean, corrupted) inputs, of equal length. Ablations that need no
             corruption pair each input with itself (`Ablation.paired`).
    sampled: the size of the full list, where `items` is a sample of it (or "unknown"); else None.
    seed:    seeds every random choice a method makes: the same seed gives the same circuit.
    """

    name: str
    model: Model
    ablation: Ablation
    tokens: Int[Tensor, "input pos"]
    valid: Bool[Tensor, "input pos"]
    scored: Bool[Tensor, "input place"]
    items: Int[Tensor, "item 2"]
    outcome: Outcome
    places: Int[Tensor, "input place"] | None = None
    sampled: int | Literal["unknown"] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        lengths = self.valid.sum(1)
        if (lengths[self.items[:, 0]] != lengths[self.items[:, 1]]).any():
            raise user_error("EP161", where=self.name)

    @cached_property
    def graph(self) -> ResidualGraph:
        return ResidualGraph.of(self.model.spec)

    @cached_property
    def reference(self) -> Float[Tensor, "input place d_out"]:
        """The unpruned model's outputs."""
        found = torch.empty(
            *self.scored.shape, self.model.spec.d_out, dtype=self.model.dtype, device=self.model.device
        )
        for rows in torch.arange(len(self.tokens)).split(self._at_once(1, 4)):
            places = None if self.places is None else self.places[rows]
            found[rows] = outputs(self.model, self.tokens[rows], valid=self._valid(rows), places=places)
        return found

    def wanted(self, inputs: Int[Tensor, " input"]) -> Float[Tensor, "input place d_out"]:
        """The unpruned model's outputs on these inputs: of `reference`, or computed here where it would be too large."""
        size = self.scored.numel() * self.model.spec.d_out * self.model.dtype.itemsize
        if size <= HELD_OUTPUT_BYTES or "reference" in vars(self):
            return self.reference[inputs]
        places = None if self.places is None else self.places[inputs]
        return outputs(self.model, self.tokens[inputs], valid=self._valid(inputs), places=places)

    # Fields with a row for each input.
    _of_inputs: ClassVar[tuple[str, ...]] = ("tokens", "valid", "scored", "places")

    def part(self, rows: Int[Tensor, " item"]) -> Self:
        """The task with these items of its list alone, and their inputs: few enough to keep what is written on them."""
        inputs, items = self.items[rows].unique(return_inverse=True)
        given = {name: getattr(self, name) for name in self._of_inputs}
        return replace(self, items=items, **{name: t[inputs] for name, t in given.items() if t is not None})

    def to(self, dtype: torch.dtype) -> Task:
        """The same task in another precision."""
        return replace(self, model=self.model.to(dtype), ablation=self.ablation.to(dtype))

    @cached_property
    def writers(self) -> Float[Tensor, "writer input pos d_model"]:
        """What every writer writes in the unpruned model."""
        return trace(self.model, self.tokens, valid=self.valid).writers

    @cached_property
    def _held(self) -> bool:
        """Whether `writers` is small enough to keep in memory."""
        floats = self.tokens.numel() * len(self.graph.writers) * self.model.spec.d_model
        return floats * self.model.dtype.itemsize <= HELD_BYTES

    def wrote(self, inputs: Int[Tensor, " item"]) -> Float[Tensor, "writer item pos d_model"]:
        """What every writer writes in the unpruned model on these inputs."""
        if self._held:
            return self.writers[:, inputs]
        return trace(self.model, self.tokens[inputs], valid=self.valid[inputs]).writers

    def background(self, items: Int[Tensor, "item 2"]) -> Float[Tensor, "writer item pos d_model"] | None:
        """What cut edges carry on these items."""
        if self.ablation.interchange and self._held:
            return self.writers[:, items[:, 1]]
        return self.ablation.background(self.model, self.tokens[items[:, 1]], self.valid[items[:, 1]])

    def outputs(
        self,
        mask: Float[Tensor, "circuit reader writer"],
        items: Int[Tensor, "item 2"],
        *,
        edges: Bool[Tensor, "reader writer"] | None = None,
        first_layer: int = 0,
        recompute: bool = False,
    ) -> Float[Tensor, "circuit item place d_out"]:
        """Outputs of masked models on these items. edges, first_layer, recompute: as of `engine.run`."""
        clean = items[:, 0]
        return run(
            self.model,
            self.tokens[clean],
            mask,
            self.background(items),
            valid=self._valid(clean),
            places=None if self.places is None else self.places[clean],
            edges=edges,
            first_layer=first_layer,
            written=self.writers[:, clean] if first_layer else None,
            recompute=recompute,
        )

    def open_edges(self, mask: Float[Tensor, "circuit reader writer"]) -> Bool[Tensor, "reader writer"]:
        """The edges that can matter in a run of these masks, for `outputs`."""
        return open_edges(mask, self.graph, fed=self.ablation.interchange)

    def deviation(
        self, outputs: Float[Tensor, "circuit item place d_out"], items: Int[Tensor, "item 2"]
    ) -> Float[Tensor, "circuit item"]:
        """How far these outputs are from the model's, by the criterion (`Outcome.deviation`)."""
        want, scored = self._wanted(outputs, items)
        return self.outcome.deviation(outputs, want.expand_as(outputs), scored.expand(outputs.shape[:-1]))

    def divergence(
        self,
        outputs: Float[Tensor, "circuit item place d_out"],
        items: Int[Tensor, "item 2"],
        which: Divergence | None = None,
    ) -> Float[Tensor, " circuit"]:
        """The mean over scored positions of a divergence from the model's outputs (`metrics/divergence.py`); differentiable.

        which: None: kl where outputs are categorical, else bounded.
        """
        want, scored = self._wanted(outputs, items)
        if (which or ("kl" if self.outcome.categorical else "bounded")) == "kl":
            return kl(outputs, want, scored, self.temperature)
        return bounded(outputs, want, scored, self.outcome.scale)

    def _wanted(self, outputs: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """The model's own outputs on these items, in the precision of `outputs`, and which positions are scored."""
        clean = items[:, 0]
        return self.wanted(clean).to(outputs.dtype), self.scored[clean]

    def margins(
        self, outputs: Float[Tensor, "circuit item place d_out"], items: Int[Tensor, "item 2"]
    ) -> Float[Tensor, "circuit item"]:
        """How far outputs favour what the model says, summed over scored positions; differentiable.

        Categorical: the score of the model's own value less the mean of the others'. Numerical: the value, with
        the sign of the model's own beyond its mean over the list, so that inputs do not cancel; 0 at the mean.
        """
        clean = items[:, 0]
        want, scored = self.wanted(clean), self.scored[clean]
        if self.outcome.categorical:
            own = torch.zeros_like(want).scatter_(-1, decode(want)[..., None], 1.0)
            weight = own - (1 - own) / max(want.shape[-1] - 1, 1)
        else:
            beyond = want - self.reference[self.scored].mean(0)
            weight = torch.where(beyond.abs() > AT_MEAN * (self.outcome.scale or 1.0), beyond.sign(), 0.0)
        return ((outputs * weight).sum(-1) * scored).sum(-1)

    def leads(
        self, outputs: Float[Tensor, "circuit item place d_out"], items: Int[Tensor, "item 2"]
    ) -> Float[Tensor, "circuit item"]:
        """1 where the likeliest outputs are right, else 0. Here the model's own are right: there are no other answers."""
        return self.matches(outputs, items)

    def matches(
        self, outputs: Float[Tensor, "circuit item place d_out"], items: Int[Tensor, "item 2"]
    ) -> Float[Tensor, "circuit item"]:
        """1 where outputs decode to the same as the model's at every scored position, else 0."""
        clean = items[:, 0]
        same = (decode(outputs) == decode(self.wanted(clean))) | ~self.scored[clean]
        return same.all(-1).to(outputs.dtype)

    @property
    def temperature(self) -> float:
        """What outputs are divided by before a KL divergence: the one-hot scores of compiled models are sharpened."""
        return 1.0 if self.outcome.criterion == "kl" else sharp_temperature(self.model.spec.d_out)

    def _valid(self, clean: Tensor) -> Tensor | None:
        valid = self.valid[clean]
        return None if bool(valid.all()) else valid

    @torch.no_grad()
    def deviations(
        self,
        circuits: Circuit | list[Circuit] | Float[Tensor, "circuit reader writer"],
        items: Int[Tensor, "item 2"] | None = None,
    ) -> Float[Tensor, "circuit item"]:
        """How far each circuit, or mask, moves the outputs of each item of the list, or of `items`."""
        mask = circuits
        if not isinstance(mask, Tensor):
            mask = to_mask(circuits, dtype=self.model.dtype, device=self.model.device)
        return torch.cat([self.deviation(got, part) for part, got in self.in_parts(mask, items)], 1)

    @torch.no_grad()
    def divergences(
        self,
        mask: Float[Tensor, "circuit reader writer"],
        which: Divergence | None = None,
        *,
        first_layer: int = 0,
    ) -> Float[Tensor, " circuit"]:
        """The `divergence` of each mask over the whole list.

        first_layer: the caller guarantees that the masks keep every edge into earlier layers.
        """
        total, n = mask.new_zeros(len(mask)), 0
        for items, got in self.in_parts(mask, first_layer=first_layer if self._held else 0):
            scored = int(self.scored[items[:, 0]].sum())
            total += self.divergence(got, items, which) * scored
            n += scored
        return total / max(n, 1)

    def in_parts(
        self,
        mask: Float[Tensor, "circuit reader writer"],
        items: Int[Tensor, "item 2"] | None = None,
        *,
        first_layer: int = 0,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Some items and the outputs of every mask on them, until all items were run: memory is bounded."""
        edges, items = self.open_edges(mask), self.items if items is None else items
        rows = int(edges.any(0).sum()) + 4 * self.graph.n_heads
        for part in items.split(self._at_once(len(mask), rows)):
            yield part, self.outputs(mask, part, edges=edges, first_layer=first_layer)

    def _at_once(self, circuits: int, rows: int) -> int:
        """How many inputs fit into CHUNK_FLOATS, with `rows` streams and the outputs for each circuit."""
        each = rows * self.model.spec.d_model * self.tokens.shape[1]
        each += self.model.spec.d_out * self.scored.shape[1]
        return max(1, CHUNK_FLOATS // max(circuits * each, 1))

    def accepts(self, circuit: Circuit) -> bool:
        """Whether the worst scored coordinate over the whole list meets the tolerance."""
        return bool(self.deviations(circuit).max() <= self.outcome.limit)
