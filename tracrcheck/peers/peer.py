"""`hooked(task)`: a task as other tools expect it: a HookedTransformer, batches of pairs, a metric, and names of edges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from edgeprune_core.discovery import Discovery, Scores
from edgeprune_core.graph import Edge
from edgeprune_core.methods.selectors import Selector
from edgeprune_core.task import Task
from tracrcheck.error_codes import unknown_name, user_error
from tracrcheck.peers.answers import NodeScores, Rest, node_scores_of, scores_of
from tracrcheck.peers.device import OwnDevice
from tracrcheck.peers.installed import require_transformer_lens
from tracrcheck.peers.names import Correspondence

if TYPE_CHECKING:
    from tracrcheck.peers.hooked_model import HookedProgram, LensFile

Batch = tuple[Tensor, Tensor, Tensor]
Metric = Callable[[Tensor, Any, Any, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class Peer:
    """A task as a TransformerLens model.

    model: its outputs, and those of every circuit, are those of `task.model` up to rounding.
    intervention: what EAP-IG calls the task's ablation.
    """

    task: Task
    model: HookedProgram
    intervention: Literal["patching", "zero"]
    correspondence: Correspondence

    def name(self, edge: Edge | str, names: str) -> str | None:
        """The tool's name of one of our edges. names: `eap_ig`, `autocircuit` or `transformer_lens`. Errors: TC195."""
        return self.correspondence.name(edge, names)

    def edge(self, name: str, names: str) -> Edge | None:
        """Our edge of that name; None for an edge of the front layer or of a dead head. Errors: TC195."""
        return self.correspondence.edge(name, names)

    def items(self, *, at_most: int | None = None, length: int | None = None) -> Tensor:
        """Rows of (clean, corrupted) of the task's list: those of one length, or at most so many, drawn by the task's seed.

        length: tokens, BOS counted. Errors: TC196.
        """
        items = self.task.items
        if length is not None:
            lengths = self.task.valid.sum(1)
            items = items[lengths[items[:, 0]] == length]
            if not len(items):
                known = ", ".join(map(str, lengths.unique().tolist()))
                raise user_error("TC196.length", got=length, wanted=f"one of {known}")
        if at_most is not None and at_most < 1:
            raise user_error("TC196.at_most", got=at_most)
        if at_most is None or len(items) <= at_most:
            return items
        generator = torch.Generator().manual_seed(self.task.seed)
        return items[torch.randperm(len(items), generator=generator)[:at_most].sort()[0]]

    def loader(self, *, at_most: int | None = 256, batch: int = 64, length: int | None = None) -> list[Batch]:
        """Batches of (clean tokens, corrupted tokens, items), each of one length, so without padding.

        The items go to the metric: tools call them labels. Errors: TC196.
        """
        items, lengths = self.items(at_most=at_most, length=length), self.task.valid.sum(1)
        found = []
        for n in lengths[items[:, 0]].unique().tolist():
            for part in items[lengths[items[:, 0]] == n].split(batch):
                clean, corrupted = self.task.tokens[part[:, 0], :n], self.task.tokens[part[:, 1], :n]
                found.append((clean, corrupted, part))
        return found

    def metric(self, name: Literal["margin", "deviation"] = "margin") -> Metric:
        """A metric as EAP-IG calls it: of (logits, clean logits, input lengths, items), smaller is nearer to the model.

        margin:    minus the margins of a batch, summed (`Task.margins`): what the gradient methods need.
        deviation: how far the worst scored coordinate of each item moves. Its gradient at the clean input is zero: it is
                   for methods that cut edges.
        """
        metrics: dict[str, Metric] = {"margin": self._margin, "deviation": self._deviation}
        if name not in metrics:
            raise unknown_name("TC196.metric", name, metrics)
        return metrics[name]

    def _margin(self, logits: Tensor, clean_logits: Any, input_lengths: Any, items: Tensor) -> Tensor:
        rest = self.task.reference[items[:, 0], logits.shape[1] :].to(logits.dtype)
        return -self.task.margins(torch.cat([logits, rest], 1)[None], items)[0].sum()

    def _deviation(self, logits: Tensor, clean_logits: Any, input_lengths: Any, items: Tensor) -> Tensor:
        clean, n = items[:, 0], logits.shape[1]
        want = self.task.reference[clean, :n].to(logits.dtype)
        return self.task.outcome.deviation(logits, want, self.task.scored[clean, :n])

    def own_device(self) -> OwnDevice:
        """A context in which tools that ask for "cuda", whatever the machine, get the model's own device."""
        return OwnDevice(self.model.cfg.device)

    def discovery(
        self,
        scores: Mapping[str, Any],
        *,
        names: str,
        by_magnitude: bool | None = None,
        rest: Rest | None = None,
        select: Selector | None = None,
    ) -> Discovery | Scores:
        """Scores by a tool's names of edges, as an answer.

        by_magnitude: whether an edge counts by the size of its score, whatever its sign. It must be given where scores
                      are negative. rest: "cut" if edges without a score are cut; without it every edge needs one.
        select:       what makes a circuit of the scores; None: the gate judges the ranking. Errors: TC193-TC195.
        """
        found = scores_of(scores, self.correspondence, names=names, by_magnitude=by_magnitude, rest=rest)
        if select is None:
            return Scores(scores=found)
        circuit = select(self.task, found)
        return Discovery(circuit=circuit, scores=found, notes={"selector": select.name})

    def node_scores(
        self, scores: Mapping[str, Any], *, names: str, by_magnitude: bool | None = None
    ) -> NodeScores:
        """Scores of heads and MLPs by a tool's names of them, as an answer: `a1.h0` of EAP-IG, `A1.0` of AutoCircuit,
        `blocks.1.hook_mlp_out` of TransformerLens. Errors: TC193-TC195."""
        return node_scores_of(scores, self.correspondence, names=names, by_magnitude=by_magnitude)


def hooked(
    task: Task, *, split_pos: bool = True, min_heads: int = 2, dtype: torch.dtype = torch.float64
) -> Peer:
    """A task of a compiled program as a TransformerLens model.

    split_pos: with a front layer, whose MLP is the position embedding: without it no tool can cut that.
    min_heads: heads in a layer at least; EAP-IG needs two. Errors: TC190-TC192.
    """
    require_transformer_lens()
    from tracrcheck.peers.hooked_model import hooked_model

    _check_model(task)
    intervention = _intervention(task)
    n_heads = max(task.graph.n_heads, min_heads)
    return Peer(
        task=task,
        model=hooked_model(task, split_pos=split_pos, n_heads=n_heads, dtype=dtype),
        intervention=intervention,
        correspondence=Correspondence(task.graph, split_pos, n_heads),
    )


def lens_file(task: Task) -> LensFile:
    """The model that `hooked` makes, for a file. Errors: TC190, TC191."""
    require_transformer_lens()
    from tracrcheck.peers import hooked_model

    _check_model(task)
    return hooked_model.lens_file(task)


def _check_model(task: Task) -> None:
    spec = task.model.spec
    odd = {
        f"norm {spec.norm}": spec.norm != "none",
        f"positions {spec.positions}": spec.positions != "learned",
        "keys that heads share": spec.n_kv_heads != spec.n_heads,
        "gated MLPs": spec.gated_mlp,
        f"activation {spec.activation}": spec.activation != "relu",
        "parallel blocks": spec.parallel_blocks,
        "outputs at chosen places": task.places is not None,
    }
    if wrong := [what for what, there in odd.items() if there]:
        raise user_error("TC191", where=task.name, got=", ".join(wrong))


def _intervention(task: Task) -> Literal["patching", "zero"]:
    if task.ablation.interchange:
        return "patching"
    if task.ablation.name == "zero":
        return "zero"
    raise user_error("TC192.ablation", where=task.name, got=task.ablation.name)
