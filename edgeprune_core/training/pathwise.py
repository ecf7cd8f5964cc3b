"""Hard-concrete gates, trained by the pathwise (reparameterised) gradient with Adam: the one trainer of this kind.

Bhaskar et al. 2024 (arXiv 2406.16778), section 3: gates z ~ HardConcrete(log_alpha) multiply the edges, and

    the divergence from the full model, its mean over sampled circuits and items   +   the price of open gates

is minimised. `prices.py` has the prices, `metrics/divergence.py` the divergences.

We differ: only legal edges have gates, so no sparsity counts what cannot exist; several circuits are sampled in a step,
in strata; there is no weight decay on log-alphas or multipliers.

Log-alphas need a ceiling where a later price must still close gates. A gate that has long been open drifts to a
log-alpha where no sample moves it (at 10, P(gate < 1) is 2e-4, and the price pulls with 1e-5 of itself) and stays
there at any price: on the shipped model's greater-than task, 39 gates were still open at 0.3 nats per edge, where
cutting any edge costs less than 1 nat. Above the ceiling of a sweep, 7, opening a gate further gains next to nothing:
P(gate = 1) is 0.995.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from edgeprune_core.mask import mask_from_edge_values
from edgeprune_core.metrics.divergence import Divergence
from edgeprune_core.task import Task
from edgeprune_core.training.gates import EdgeGates, HardConcrete
from edgeprune_core.training.item_pool import ItemPool
from edgeprune_core.training.prices import Price


@dataclass(frozen=True, slots=True, kw_only=True)
class PathwiseSettings:
    """Settings of the trainer. Defaults that a method depends on are the method's.

    steps:         of Adam.
    circuits:      sampled in each step. fresh, kept: items of a step, at random and of those that failed before.
    start:         log-alpha of every gate at first. ceiling: of log-alphas.
    learning_rate: Adam's, for log-alphas. cool_down: the last share of the steps, over which it falls to a tenth.
    price:         of open gates. divergence: None: KL of categorical outputs, the bounded one of numerical outputs.
    """

    steps: int
    circuits: int
    fresh: int
    kept: int
    start: float
    learning_rate: float
    price: Price
    cool_down: float = 0.0
    ceiling: float = math.inf
    divergence: Divergence | None = None
    gate: HardConcrete = field(default_factory=HardConcrete)

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        if not self.cool_down:
            return self.learning_rate
        return self.learning_rate * min(1.0, 0.1 + 0.9 / self.cool_down * (1 - step / self.steps))


class PathwiseTraining:
    """Training on a task (`checkpoint.Training`, but for the discovery). loss: of the last step, its price included."""

    loss: Tensor

    def __init__(
        self,
        settings: PathwiseSettings,
        task: Task,
        generator: torch.Generator,
        start: Float[Tensor, " edge"] | None = None,
    ) -> None:
        """start: log-alphas of the edges, in place of the setting; an edge at -inf stays cut and is not trained."""
        self.settings, self.task, self.generator = settings, task, generator
        self.taken = 0
        self.pool = ItemPool(len(task.items), settings.fresh, settings.kept, generator)
        self.gates = EdgeGates(
            settings.gate,
            self._log_alphas(task.graph.n_edges, start),
            self._log_alphas(len(task.graph.writers)) if settings.price.trains_nodes else None,
            torch.tensor([edge.writer.index for edge in task.graph.edges], device=task.model.device),
        )
        params = list(self.gates.log_alphas.values())
        self.optimiser = torch.optim.Adam(params, lr=settings.learning_rate)
        for p in params:  # as Adam's first step would, so that the state always has the same names
            zeros = {"exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
            self.optimiser.state[p] = {"step": torch.tensor(0.0), **zeros}
        edges = self.gates.edges
        self.multipliers = torch.zeros(4, dtype=edges.dtype, device=edges.device, requires_grad=True)

    def _log_alphas(self, n: int, start: Tensor | None = None) -> Tensor:
        """In single precision at least: half precision would round small steps away."""
        model = self.task.model
        dtype = torch.promote_types(model.dtype, torch.float32)
        values = torch.full((n,), self.settings.start) if start is None else start
        return values.to(model.device, dtype, copy=True).requires_grad_()

    @property
    def done(self) -> bool:
        return self.taken >= self.settings.steps

    def advance(self) -> None:
        settings = self.settings
        for group in self.optimiser.param_groups:
            group["lr"] = settings.rate(self.taken)
        self.optimiser.zero_grad()
        self._backward(self._sampled(), self.pool.draw())
        self.optimiser.step()
        settings.price.ascend(self.multipliers)
        self.taken += 1
        if settings.ceiling < math.inf:
            for p in self.gates.log_alphas.values():
                p.data.clamp_(max=settings.ceiling)

    def _sampled(self) -> Float[Tensor, "circuit edge"]:
        return self.gates.sample(self.settings.circuits, self.generator)

    def _counted(self, mask: Float[Tensor, "circuit reader writer"]) -> Bool[Tensor, "reader writer"]:
        """The edges that a step computes."""
        return self.task.open_edges(mask)

    def _backward(self, gates: Float[Tensor, "circuit edge"], rows: Int[Tensor, " item"]) -> None:
        """Leaves the gradient of divergence and price on the parameters."""
        items, mask = self.task.items[rows], mask_from_edge_values(self.task.graph, gates)
        got = self.task.outputs(mask, items, edges=self._counted(mask)).to(gates.dtype)
        loss, wrong = self._judged(got, items)
        self.pool.remember_failures(rows, wrong)
        loss = loss + self._price()
        loss.backward()
        self.loss = loss.detach()

    def _judged(
        self, got: Float[Tensor, "circuit item place d_out"], items: Int[Tensor, "item 2"]
    ) -> tuple[Tensor, Bool[Tensor, "circuit item"]]:
        """The mean divergence of outputs of sampled circuits, and which circuit fails on which item."""
        with torch.no_grad():
            wrong = self.task.deviation(got, items) > self.task.outcome.limit
        return self.task.divergence(got, items, self.settings.divergence).mean(), wrong.cpu()

    def _price(self) -> Tensor:
        return self.settings.price.cost(self.gates, self.taken, self.multipliers)

    def scores(self) -> Float[Tensor, " edge"]:
        return self.gates.scores()

    def tensors(self) -> dict[str, Tensor]:
        """Everything that further steps depend on."""
        found = {
            "steps": torch.tensor(self.taken),
            "generator": self.generator.get_state(),
            "pool.hard": self.pool.hard,
            "pool.remembered": self.pool.remembered,
            "multipliers": self.multipliers.detach(),
        }
        for name, p in self.gates.log_alphas.items():
            found[name] = p.detach()
            found |= {f"{name}.{part}": t for part, t in self.optimiser.state[p].items()}
        return found

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        self.taken = int(tensors["steps"])
        self.generator.set_state(tensors["generator"])
        self.pool.hard, self.pool.remembered = tensors["pool.hard"], tensors["pool.remembered"]
        self.multipliers.copy_(tensors["multipliers"])
        for name, p in self.gates.log_alphas.items():
            p.copy_(tensors[name])
            for part, own in self.optimiser.state[p].items():
                own.copy_(tensors[f"{name}.{part}"])
