"""Edge pruning of compiled models: the gates of `edge_pruning.py`, trained until the worst item is within the tolerance.

The divergence is bounded, 1 - exp(-squared distance), since KL of one-hot scores says nothing; the circuit is the gates
more likely open than closed; and where it is not accepted, training starts again (`candidates.py`).

Where a model's arithmetic is saturated (sharp attention, steps made of two ReLUs), an output as a function of one
gate is a staircase: its derivative is zero but for narrow ramps, and the gradient of the mean loss, though unbiased,
sits in rare spikes. A needed edge whose ramp no sample hit falls in step with those that are not needed, and a
loss that is largest half-way even pulls it down. What helps is samples: many circuits on few items each, since a ramp
is hit by a gate and not by an item, and small steps, since Adam's mean is over steps. So training starts fast, and
each restart is slower than the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.methods.candidates import Candidates, Restarts, open_circuit
from edgeprune_core.metrics.divergence import Divergence
from edgeprune_core.task import Task
from edgeprune_core.training.pathwise import PathwiseSettings, PathwiseTraining
from edgeprune_core.training.prices import FixedPrice


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePruningBounded(PathwiseSettings):
    """The settings of the trainer in the first training. `price` is in units of the loss, which lies in [0, 1].

    restarts: while no candidate was accepted.
    dtype:    training runs in it; candidates are judged in the task's own.
    """

    steps: int = 300
    circuits: int = 64
    fresh: int = 2
    kept: int = 2
    start: float = 4.0
    learning_rate: float = 0.05
    price: FixedPrice = field(default_factory=lambda: FixedPrice(per_edge=0.01))
    divergence: Divergence | None = "bounded"
    restarts: Restarts = field(default_factory=Restarts)
    dtype: torch.dtype = torch.float32

    def __call__(self, task: Task) -> Discovery:
        run = Candidates(task, self.dtype)

        def train(gentler: float) -> tuple[Circuit, Tensor]:
            training = PathwiseTraining(self.slower(gentler), run.training, run.generator)
            while not training.done:
                training.advance()
            run.steps += training.taken
            scores = training.scores()
            return open_circuit(task, scores > 0), scores

        run.search(train, self.restarts)
        return run.discovery()

    def slower(self, factor: float) -> EdgePruningBounded:
        """Of a restart: `factor` times the penalty and the learning rate, and more circuits and steps to make up for it."""
        more = factor ** (-2 / 3)
        return replace(
            self,
            steps=round(self.steps * more),
            circuits=round(self.circuits * more),
            learning_rate=self.learning_rate * factor,
            price=replace(self.price, per_edge=self.price.per_edge * factor),
        )
