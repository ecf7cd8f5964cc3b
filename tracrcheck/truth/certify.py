"""Finds the required circuit of a setting, and proves it, by running circuits. No method under test takes part.

There are three lists of items: the whole list of the setting; a *screen*, a part on which most unfaithful circuits
already fail; and the *kernel*, the few items on which the search of `search.py` runs. A circuit that fails on a part
fails on the whole list, so any part can prove that it is unfaithful. Only the whole list can prove that it is
faithful; an item on which a candidate fails there is added to the part that missed it.
"""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.task import Task
from tracrcheck.error_codes import user_error
from tracrcheck.truth.certificate import Certificate
from tracrcheck.truth.permitted import permitted
from tracrcheck.truth.search import Limits, SearchTooLarge, faithful_circuits
from tracrcheck.truth.setting import Setting

SCREEN = 256  # items of the first screen, evenly spaced
LIMITS = Limits()
NARROW = 10.0  # a deviation within this factor of the tolerance is too near to call


def certify(
    task: Task, setting: Setting, *, limits: Limits = LIMITS, allowed: Circuit | None = None
) -> Certificate:
    """The certificate of a task. `allowed` replaces `permitted` (a check of this check; leave it alone)."""
    started = time.monotonic()
    proof = _Proof(task, _permitted(task) if allowed is None else allowed, limits)
    certificate = proof.certificate(setting)
    return replace(certificate, seconds=time.monotonic() - started)


def _permitted(task: Task) -> Circuit:
    """The proof in `permitted.py` holds if cut edges carry what their writers can write; else every edge is permitted."""
    return permitted(task.model, task.tokens) if task.ablation.within_span else Circuit.full(task.graph)


class _Proof:
    def __init__(self, task: Task, allowed: Circuit, limits: Limits) -> None:
        self.task, self.allowed, self.limits = task, allowed, limits
        step = max(1, len(task.items) // SCREEN)
        self.screen = torch.arange(0, len(task.items), step)
        self.screened = task.part(self.screen)
        self.limit = task.outcome.limit

    def certificate(self, setting: Setting) -> Certificate:
        task = self.task
        off, _ = self._worst(self.allowed)
        if off > self.limit:
            raise user_error(
                "TC201", got=f"a deviation of {off:.2g}", task=task.name, limit=f"{self.limit:g}"
            )
        required = self._minimal(self.allowed)
        proved, unknown, other = ["sufficient", "minimal"], {}, None
        try:
            required, other = self._smallest(required)
            proved.append("smallest")
            if other is None:
                proved.append("unique")
        except SearchTooLarge as error:
            unknown = {"smallest": str(error), "unique": str(error)}
        gap_below, gap_above = self._gap(required)
        if not task.outcome.by_decoding and narrow(gap_below, gap_above, self.limit):
            below, above = ("none" if gap is None else f"{gap:.2g}" for gap in (gap_below, gap_above))
            why = f"a narrow gap: {below} to {above} around {self.limit:g}"
            proved, unknown = [], dict.fromkeys(("sufficient", "minimal", "smallest", "unique"), why)
        return Certificate(
            program=task.name,
            setting=setting,
            required=required,
            permitted=self.allowed,
            proved=tuple(proved),
            unknown=unknown,
            other=other,
            gap_below=gap_below,
            gap_above=gap_above,
            n_inputs=len(task.tokens),
            n_items=len(task.items),
            sampled=task.sampled,
            telling=tuple(self._kernel(required).tolist()),
        )

    # Passing and failing -------------------------------------------------------------------------------

    def _worst(self, circuit: Circuit) -> tuple[float, int]:
        """The largest deviation, and its item."""
        off = self.task.deviations(circuit)[0]
        row = int(off.argmax())
        return float(off[row]), row

    def _worst_on_screen(self, circuit: Circuit) -> float:
        return float(self.screened.deviations(circuit).max())

    def _learn(self, item: int) -> None:
        """Adds an item to the screen."""
        self.screen = torch.cat([self.screen, torch.tensor([item])])
        self.screened = self.task.part(self.screen)

    def _minimal(self, circuit: Circuit) -> Circuit:
        """A faithful circuit within `circuit` from which no single edge can be dropped."""
        while True:
            small = self._greedy(circuit)
            off, item = self._worst(small)
            if off > self.limit:
                self._learn(item)
                continue
            loose = [d for e in small if self._passes(d := small.without(e))]
            if not loose:
                return small
            circuit = loose[0]

    def _greedy(self, circuit: Circuit) -> Circuit:
        """Drops edges one at a time, last readers first, as long as the rest is faithful on the screen."""
        for edge in reversed(list(circuit)):
            if edge in circuit:
                smaller = circuit.without(edge).connected()
                if self._worst_on_screen(smaller) <= self.limit:
                    circuit = smaller
        return circuit

    def _passes(self, circuit: Circuit) -> bool:
        """Whether it is faithful on the whole list. Tries the screen first, and adds the worst item that it missed."""
        if self._worst_on_screen(circuit) > self.limit:
            return False
        off, item = self._worst(circuit)
        if off > self.limit:
            self._learn(item)
        return off <= self.limit

    # Smallest and unique -------------------------------------------------------------------------------

    def _smallest(self, required: Circuit) -> tuple[Circuit, Circuit | None]:
        """A smallest faithful circuit, and another one of its size if there is one."""
        kernel = self._kernel(required)
        other: Circuit | None = None
        while True:
            budget = len(required) - (other is not None)
            found = self._next(required, kernel, budget)
            if found is None:
                return required, other
            off, item = self._worst(found)
            if off > self.limit:
                kernel = torch.cat([kernel, torch.tensor([item])])
            elif len(found) < len(required):
                required, other = self._minimal(found), None
            else:
                other = found

    def _next(self, required: Circuit, kernel: Tensor, budget: int) -> Circuit | None:
        if budget < 0:
            return None
        items = self.task.items[kernel]
        for circuit in faithful_circuits(self.task, self.allowed, items, budget, self.limits):
            if circuit != required:
                return circuit
        return None

    def _kernel(self, required: Circuit) -> Tensor:
        """A few items on which dropping any edge of `required` fails."""
        if not len(required):
            return self.screen[:1]
        drops = [required.without(edge) for edge in required]
        fails = self.screened.deviations(drops) > self.limit
        missed, chosen = fails.any(1), []
        while missed.any():
            best = int(fails[missed].sum(0).argmax())
            chosen.append(int(self.screen[best]))
            missed = missed & ~fails[:, best]
        return torch.tensor(chosen or [0])

    # The gap -------------------------------------------------------------------------------------------

    def _gap(self, required: Circuit) -> tuple[float | None, float | None]:
        """Deviations on both sides of the tolerance: of `required`, of each drop from it and from the full one.

        `required` is measured on the whole list, the drops on the screen, where a larger deviation elsewhere
        can only move a failing drop further from the tolerance.
        """
        drops = [required.without(e) for e in required] + [self.allowed.without(e) for e in self.allowed]
        offs = [self._worst(required)[0]]
        if drops:
            offs += self.screened.deviations(drops).amax(1).tolist()
        below = [x for x in offs if x <= self.limit]
        above = [x for x in offs if x > self.limit]
        return max(below, default=None), min(above, default=None)


def narrow(below: float | None, above: float | None, limit: float) -> bool:
    """Whether a deviation on either side is too near to the tolerance to call."""
    return (below is not None and below > limit / NARROW) or (above is not None and above < limit * NARROW)
