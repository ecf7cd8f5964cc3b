"""Binary gates, trained by the score-function gradient: no backward pass, no half-open gates.

Each gate is kept with probability p = sigmoid(log_alpha), independently. With ok(g) = "circuit g is within the
tolerance on every item of the step", training maximises

    J(log_alpha) = log P(ok)  -  penalty * E[number of edges].

The logarithm matters where few circuits are ok: what counts is then what *they* have in common, and not how rare they
are, so a long chain of needed edges is not given up because it is hardly ever whole. (With a plain expectation the gain of
an edge is multiplied by the chance that all others are open, and the penalty wins.) Since
d log p(g) / d log_alpha = g - p (Williams 1992),

    dJ/dlog_alpha = E[g | ok] - E[g] - penalty * p (1 - p).

Dividing by the Fisher information p (1 - p) of a gate gives the natural gradient (Amari 1998): a gate that every ok
circuit has rises by 1/p - penalty whatever the others do, and one that does not matter falls by `penalty`. E[g | ok] and
E[g] are means over the same circuits. The second is the baseline: where all circuits are ok the two cancel, and the step
has no noise. A gate that falls below `off` stays closed, and so do edges that no open path joins to `out`; both make
later steps cheaper.

We differ from Bhaskar et al. 2024, who train hard-concrete gates by the pathwise gradient (`pathwise.py`), because half-open
gates break the saturated arithmetic of compiled models.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from edgeprune_core.mask import live_edges, mask_from_edge_values
from edgeprune_core.task import Task
from edgeprune_core.training.gates import stratified_uniform
from edgeprune_core.training.item_pool import ItemPool

# A chain is given up where its recent share of ok circuits is no larger than this.
GIVEN_UP = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSettings:
    """Settings of the score-function estimator; none depends on the model or program.

    steps:         at most.
    circuits:      sampled in each step.
    fresh, kept:   items of a step: random ones, and hard ones from earlier steps.
    start:         log-alpha of every gate at first: sigmoid(4) = 0.982, so that a circuit of 30 needed edges is
                   whole in 0.982^30 = 58 % of samples.
    learning_rate: of log-alpha, per step and unit of natural gradient.
    penalty:       of an edge, in units of log P(ok). An edge stays where more than 1 - exp(-penalty) = 22 % of the
                   circuits without it fail.
    off, top:      the log-alpha below which a gate is closed for good, and the largest log-alpha.
    enough:        ok circuits needed for a full step; with fewer, the step is proportionally shorter.
    clip:          the largest natural gradient of one gate.
    settled:       training ends after so many steps in which no gate closes and all open ones are above `sure`.
    hopeless:      steps after which a chain is given up if hardly any of its recent circuits was ok.
    """

    steps: int = 300
    circuits: int = 32
    fresh: int = 8
    kept: int = 8
    start: float = 4.0
    learning_rate: float = 0.8
    penalty: float = 0.25
    off: float = -4.0
    top: float = 6.0
    enough: int = 8
    clip: float = 4.0
    settled: int = 12
    sure: float = 3.0
    hopeless: int = 300


@dataclass
class Chains:
    """Gates in training: log-alphas, and which are closed for good; one row per chain. Chains share the items."""

    log_alpha: Float[Tensor, "chain edge"]
    closed: Bool[Tensor, "chain edge"]
    quiet: Int[Tensor, " chain"]
    ok_share: Float[Tensor, " chain"]
    steps: int = 0

    @classmethod
    def starting_at(cls, log_alpha: Float[Tensor, "chain edge"]) -> Chains:
        chains = len(log_alpha)
        closed = log_alpha.isneginf()
        return cls(log_alpha.clone(), closed, torch.zeros(chains, dtype=torch.long), torch.zeros(chains))

    def open(self) -> Bool[Tensor, "chain edge"]:
        """The circuits: gates more likely open than not."""
        return (self.log_alpha > 0) & ~self.closed


def train_by_score(
    task: Task, settings: ScoreSettings, start: Float[Tensor, "chain edge"], pool: ItemPool
) -> Chains:
    """Gates of a task, trained from `start` until they are decided, given up, or the steps run out."""
    state = Chains.starting_at(start)
    while state.steps < settings.steps:
        on = state.quiet < settings.settled
        if state.steps >= settings.hopeless:
            on &= state.ok_share > GIVEN_UP
        if not on.any():
            break
        _step(task, settings, state, pool, on.nonzero()[:, 0])
    return state


def _step(
    task: Task, settings: ScoreSettings, state: Chains, pool: ItemPool, on: Int[Tensor, " chain"]
) -> None:
    """One step of the chains `on`."""
    log_alpha = state.log_alpha[on]
    p = torch.where(state.closed[on], 0.0, log_alpha.sigmoid())
    gates = (stratified_uniform(settings.circuits, p.shape, pool.generator) < p).to(p.dtype)
    rows = pool.draw()
    wrong = wrong_items(task, gates.flatten(0, 1), rows)
    pool.remember_failures(rows, wrong)

    wrong = wrong.view(*gates.shape[:2], -1)  # circuit chain item
    weight, n_ok = _ok_weights(wrong)
    gain = torch.einsum("cn,cne->ne", weight, gates) - gates.mean(0)
    natural = (gain / (p * (1 - p)).clamp_min(1e-3)).clamp(-settings.clip, settings.clip)
    rate = settings.learning_rate * (n_ok / settings.enough).clamp(max=1)[:, None]
    state.log_alpha[on] = (log_alpha + rate * (natural - settings.penalty)).clamp(max=settings.top)
    state.ok_share[on] = 0.9 * state.ok_share[on] + 0.1 * (~wrong.any(2)).float().mean(0)
    state.steps += 1
    _close(task, settings, state, on)


def wrong_items(
    task: Task, gates: Float[Tensor, "circuit edge"], rows: Tensor
) -> Bool[Tensor, "circuit item"]:
    """Which circuits are outside the tolerance on which items. Those with the same live edges, of which there are many, are run once."""
    live, which = live_edges(task.graph, gates > 0).unique(dim=0, return_inverse=True)
    mask = mask_from_edge_values(task.graph, live.to(task.model.device, task.model.dtype))
    items = task.items[rows]
    with torch.no_grad():
        got = task.outputs(mask, items, edges=task.open_edges(mask))
        return (task.deviation(got, items) > task.outcome.limit).cpu()[which]


def _ok_weights(wrong: Bool[Tensor, "circuit chain item"]) -> tuple[Tensor, Tensor]:
    """Equal weights on a chain's ok circuits; if it has none, on those wrong on the fewest items."""
    share = wrong.float().mean(2)
    best = share <= share.amin(0)
    n = best.sum(0)
    return best / n, n


def _close(task: Task, settings: ScoreSettings, state: Chains, on: Int[Tensor, " chain"]) -> None:
    """Closes for good the gates that fell below `off`, and those no longer joined to `out`."""
    falling = (state.log_alpha <= settings.off) & ~state.closed
    state.closed |= falling
    changed = falling.any(1)
    state.closed[changed] |= ~live_edges(task.graph, ~state.closed[changed])
    sure = ((state.log_alpha >= settings.sure) | state.closed).all(1) & ~falling.any(1)
    state.quiet[on] = torch.where(sure, state.quiet + 1, 0)[on]
