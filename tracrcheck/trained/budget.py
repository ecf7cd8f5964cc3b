"""How much of an evaluation fits into some minutes: how many prompts, and how many random circuits.

The cost is that of masked forward passes, one per circuit and prompt, so it is measured on a few and scaled up. Prompts are
given up before random circuits are: below `FEW_DRAWS`, the interval of random circuits says little.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from edgeprune_core.circuit import Circuit
from edgeprune_core.faithfulness import faithfulness
from edgeprune_core.metrics import Metric
from edgeprune_core.task import Task

FEW_DRAWS, FEW_PROMPTS = 10, 8
# What the cost is measured on.
TRIED_PROMPTS = 8
TRIED_DRAWS = 2
# Circuits besides the random ones: the full, the empty, the circuit and what it leaves out.
OWN = 4


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many prompts and random circuits an evaluation uses, of those that were wanted, and what it takes."""

    prompts: int
    draws: int
    wanted_prompts: int
    wanted_draws: int
    seconds: float

    @property
    def whole(self) -> bool:
        return (self.prompts, self.draws) == (self.wanted_prompts, self.wanted_draws)

    def sentence(self) -> str:
        text = f"evaluation on {self.prompts:,} prompts against {self.draws:,} random circuits: about {_span(self.seconds)}"
        if self.whole:
            return text
        return f"{text}; {self.wanted_prompts:,} prompts and {self.wanted_draws:,} circuits were wanted (--minutes)"


def fitted(*, prompts: int, draws: int, ablations: int, each: float, seconds: float) -> Plan:
    """The largest plan within so many seconds, but never less than a few prompts and draws.

    each: seconds per circuit and prompt. ablations: how often all circuits run.
    """

    runs = (
        seconds / (each * ablations) + 1e-6
    )  # how many pairs of a circuit and a prompt fit, whatever the rounding
    n, d = prompts, draws
    if n * (OWN + 2 * d) > runs:
        d = max(min(FEW_DRAWS, draws), _most_draws(runs / n))
        n = max(min(FEW_PROMPTS, prompts), min(prompts, int(runs / (OWN + 2 * d))))
    if n * (OWN + 2 * d) > runs:
        d = max(2, min(d, _most_draws(runs / n)))
    cost = each * ablations * n * (OWN + 2 * d)
    return Plan(prompts=n, draws=d, wanted_prompts=prompts, wanted_draws=draws, seconds=cost)


def _most_draws(circuits: float) -> int:
    return int((circuits - OWN) / 2)


def seconds_each(few: Task, circuit: Circuit, *, metrics: Sequence[Metric] | None = None) -> float:
    """Seconds per circuit and prompt, measured on these few prompts and circuits."""
    started = time.monotonic()
    faithfulness({"": few}, circuit, metrics=metrics, draws=TRIED_DRAWS, resamples=2)
    return (time.monotonic() - started) / (len(few.items) * (OWN + 2 * TRIED_DRAWS))


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
