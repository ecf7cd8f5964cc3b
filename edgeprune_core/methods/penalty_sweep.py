"""Edge pruning at every size in one training: the price of an edge rises, and the gates are read on the way.

`edge_pruning_kl` at one price gives one ranking, which is only good near the size that the price leaves. A sweep over
sizes, as in the figures of Bhaskar et al. 2024 (arXiv 2406.16778, section 4: edges against faithfulness, a run for each
target), would train anew for each of them. Here the price rises in geometric steps from where hardly an edge goes to
where hardly one stays, so that each size starts from the gates of the one before it.

That needs gates which can still close. One that has been open for long drifts to a log-alpha where no sample moves it
(at 10, P(gate < 1) is 2e-4, and the price pulls with 1e-5 of itself), and stays there at any price: on the shipped
model's greater-than task 39 gates were still open at 0.3 nats an edge, where no edge at all costs less than 1 nat. So
log-alphas have a ceiling, past which opening a gate further would win next to nothing: at 7, P(gate = 1) is 0.995.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from jaxtyping import Float
from torch import Tensor

from edgeprune_core.methods.edge_pruning_kl import EdgePruningKl, KlTraining
from edgeprune_core.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class RisingPrice:
    """prices: first and last, in nats an edge. stops: how many prices. steps: of Adam, at each of them.

    warm_up: steps at the first price before it is read. ceiling: of log-alphas. method: its other settings.
    """

    prices: tuple[float, float] = (1e-4, 1.0)
    stops: int = 28
    steps: int = 40
    warm_up: int = 100
    ceiling: float = 7.0
    method: EdgePruningKl = field(
        default_factory=lambda: EdgePruningKl(circuits=4, fresh=6, kept=2, learning_rate=0.1)
    )

    @property
    def price_list(self) -> list[float]:
        first, last = self.prices
        return [first * (last / first) ** (i / max(self.stops - 1, 1)) for i in range(self.stops)]

    def sweep(self, task: Task) -> Iterator[tuple[float, Float[Tensor, " edge"]]]:
        """Each price and the log-alphas there, in the order of `graph.edges`; those above 0 are more open than closed."""
        # As if its steps never ended: the rate stays what it is.
        training = KlTraining(replace(self.method, steps=1_000_000_000), task)
        for number, price in enumerate(self.price_list):
            training.price.per_edge = price
            for _ in range(self.steps + (0 if number else self.warm_up)):
                training.advance()
                training.edges.data.clamp_(max=self.ceiling)
            yield price, training.scores().clone()
