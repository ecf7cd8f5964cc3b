"""Robust circuits: faithful whichever of the other edges are cut, and not only when all of them are.

A circuit C is *robust* if every circuit S with C <= S <= permitted is faithful. A *break* of C is such an S that is not.

Whether C is robust. The search of `search.py` runs over the circuits between C and `permitted` instead of all of them, and
looks for unfaithful outputs instead of faithful ones. Merging circuits that make a node write the same is sound here as
it is there, and so is rule (b): the circuit with fewer edges is unfaithful too. A break shows on one item, so the list is
searched a part at a time.

The smallest robust circuit. A set that contains a robust circuit is robust. So C is robust exactly if it contains, for
every unfaithful S, an edge that S lacks: a hitting set of the complements of unfaithful circuits. As in the implicit hitting
set method (Chandrasekaran et al. 2011, arXiv 1102.1472; for explanations of classifiers Ignatiev et al. 2019, arXiv
1811.10656), a smallest hitting set of the complements known so far is tested; a break of it, enlarged until it becomes
faithful, gives another complement. The first hitting set that is robust is a smallest robust circuit.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import Edge, Writer
from edgeprune_core.task import Task
from tracrcheck.truth.certificate import PROPERTIES, Break, Certificate
from tracrcheck.truth.certify import narrow
from tracrcheck.truth.search import Limits, Node, Option, Search, SearchTooLarge

PART = 256  # items that are searched at once
SAMPLE = 1024  # circuits tried where there are too many to search
AT_ONCE = 64  # of these
_SEED = 20_261_130
LIMITS = Limits(combinations=200_000, seconds=60.0)


@dataclass(frozen=True)
class Probed:
    """found: a break, or None. tried: how many circuits were run, where not all were searched.
    largest: the largest deviation of theirs that is within the tolerance."""

    found: Break | None
    tried: int | None = None
    largest: float = 0.0


class _Between(Search):
    """The unfaithful circuits between two. largest: the largest deviation seen that is within the tolerance."""

    def __init__(self, task: Task, least: Circuit, most: Circuit, items: Tensor, limits: Limits) -> None:
        super().__init__(task, most, items, budget=len(most), limits=limits)
        self.least = least
        self.largest = 0.0

    def _options(self, node: Node, writer: Writer) -> list[Option]:
        kept = {p for p, reader in enumerate(node.readers) if Edge(writer, reader) in self.least}
        return [option for option in super()._options(node, writer) if kept <= set(option.ports)]

    def _wanted(self, off: Tensor) -> Tensor:
        faithful = super()._wanted(off)
        self.largest = max(self.largest, float(off[faithful].max())) if faithful.any() else self.largest
        return ~faithful


def probe(task: Task, circuit: Circuit, permitted: Circuit, limits: Limits = LIMITS) -> Probed:
    """Whether a circuit is robust: by a search where it ends within its limits, else on a sample."""
    least = circuit & permitted
    if task.model.spec.norm != "none" or task.model.spec.gated_mlp:
        return _sampled(task, least, permitted)
    ends = time.monotonic() + limits.seconds
    largest = 0.0
    try:
        for rows in _parts(task):
            left = replace(limits, seconds=ends - time.monotonic())
            search = _Between(task, least, permitted, task.items[rows], left)
            for found in search.circuits():
                if (broken := _break(task, found | least)) is not None:
                    return Probed(broken)
            largest = max(largest, search.largest)
    except SearchTooLarge:
        return _sampled(task, least, permitted)
    return Probed(None, largest=largest)


def _parts(task: Task) -> Iterator[Tensor]:
    """The rows of the list, `PART` at a time; each part is spread over the whole list."""
    n = -(-len(task.items) // PART)
    yield from (torch.arange(start, len(task.items), n) for start in range(n))


def _break(task: Task, circuit: Circuit) -> Break | None:
    off = task.deviations(circuit)[0]
    row = int(off.argmax())
    return Break(circuit, row) if off[row] > task.outcome.limit else None


def _sampled(task: Task, least: Circuit, most: Circuit) -> Probed:
    """Runs circuits that differ from either by one edge, and random ones between them."""
    others = list(most - least)
    chances = torch.rand(SAMPLE, len(others), generator=torch.Generator().manual_seed(_SEED))
    drawn = (itertools.compress(others, row) for row in (chances < 0.5).tolist())
    tries = [*([e] for e in others), *([d for d in others if d != e] for e in others), *map(list, drawn)]
    circuits = [Circuit(least.graph, least.edges | frozenset(edges)) for edges in tries]
    largest = 0.0
    for start in range(0, len(circuits), AT_ONCE):
        part = circuits[start : start + AT_ONCE]
        off = task.deviations(part)
        if (wrong := (off > task.outcome.limit).any(1).nonzero()[:, 0]).numel():
            first = int(wrong[0])
            return Probed(Break(part[first], int(off[first].argmax())), tried=len(tries))
        largest = max(largest, float(off.max()))
    return Probed(None, tried=len(tries), largest=largest)


def enlarged(task: Task, broken: Break, most: Circuit) -> Break:
    """A break within `most` that becomes faithful on its item with any edge more."""
    items = task.items[[broken.row]]
    kept = broken.kept
    for edge in most - kept:
        more = Circuit(kept.graph, kept.edges | {edge})
        if float(task.deviations(more, items).max()) > task.outcome.limit:
            kept = more
    return Break(kept, broken.row)


def shrunk(task: Task, broken: Break, least: Circuit) -> Break:
    """A break of `least` that becomes faithful on its item if any edge is cut that `least` lacks."""
    items = task.items[[broken.row]]
    kept = broken.kept
    for edge in reversed(list(broken.kept - least)):
        less = kept.without(edge)
        if float(task.deviations(less, items).max()) > task.outcome.limit:
            kept = less
    return Break(kept | least, broken.row)


# The smallest ------------------------------------------------------------------------------------------


def certify_robust(task: Task, faithful: Certificate, *, limits: Limits = LIMITS) -> Certificate:
    """The certificate of the smallest robust circuit. faithful: that of the same setting without `robust`."""
    started = time.monotonic()
    setting = replace(faithful.setting, robust=True)
    if not faithful.usable:
        return replace(faithful, setting=setting)
    try:
        found = _Smallest(task, faithful, limits).certificate()
    except SearchTooLarge as error:
        unknown = dict.fromkeys(PROPERTIES, str(error))
        found = replace(faithful, required=faithful.permitted, proved=(), unknown=unknown, other=None)
    return replace(found, setting=setting, seconds=time.monotonic() - started)


class _Smallest:
    def __init__(self, task: Task, faithful: Certificate, limits: Limits) -> None:
        self.task, self.faithful, self.limits = task, faithful, limits
        self.permitted = faithful.permitted
        self.deadline = time.monotonic() + limits.seconds
        self.breaks: list[Break] = []
        self.done: dict[frozenset[Edge], Probed] = {}

    def certificate(self) -> Certificate:
        first = self._probe(self.faithful.required)
        for edge in self.faithful.required:  # without it the required circuit is unfaithful by itself
            self._learn(self._unfaithful(self.faithful.required.without(edge)))
        required, other = self._found()
        result = self.done[required.edges]
        breaks = self._telling(required)
        offs = [float(self.task.deviations(b.kept, self.task.items[[b.row]])) for b in breaks]
        proved: tuple[str, ...] = PROPERTIES if other is None else PROPERTIES[:3]
        unknown: dict[str, str] = {}
        above = min(offs, default=None)
        if not self.task.outcome.by_decoding and narrow(result.largest, above, self.task.outcome.limit):
            why = f"a narrow gap: {result.largest:.2g} to {'none' if above is None else f'{above:.2g}'}"
            proved, unknown = (), dict.fromkeys(PROPERTIES, why)
        return replace(
            self.faithful,
            required=required,
            other=other,
            proved=proved,
            unknown=unknown,
            gap_below=max(result.largest, self.faithful.gap_below or 0.0),
            gap_above=above,
            breaks=tuple(breaks),
            alone=first.found,
            tried=result.tried,
            telling=tuple(b.row for b in breaks),
        )

    def _found(self) -> tuple[Circuit, Circuit | None]:
        """A smallest robust circuit, and another one of its size if there is one."""
        robust: list[Circuit] = []
        for size in itertools.count():
            while (candidate := self._candidate(size, robust)) is not None:
                if self._probe(candidate).found is not None:
                    continue
                robust.append(candidate)
                if len(robust) == 2:
                    return robust[0], robust[1]
            if robust:
                return robust[0], None
        raise AssertionError("the permitted edges are robust")

    def _candidate(self, size: int, robust: list[Circuit]) -> Circuit | None:
        if time.monotonic() > self.deadline:
            raise SearchTooLarge(
                f"over {self.limits.seconds:g} s, looking for a robust circuit of {size} edges"
            )
        lacking = [(self.permitted - b.kept).edges for b in self.breaks]
        for edges in hitting_sets(lacking, size):
            circuit = Circuit(self.permitted.graph, edges)
            if circuit not in robust:
                return circuit
        return None

    def _probe(self, circuit: Circuit) -> Probed:
        result = probe(self.task, circuit, self.permitted, self.limits)
        self.done[circuit.edges] = result
        if result.found is not None:
            self._learn(result.found)
        return result

    def _unfaithful(self, circuit: Circuit) -> Break:
        broken = _break(self.task, circuit)
        assert broken is not None
        return broken

    def _learn(self, broken: Break) -> None:
        self.breaks.append(enlarged(self.task, broken, self.permitted))

    def _telling(self, required: Circuit) -> list[Break]:
        """For each required edge, a break that lacks it and no other required edge."""
        lacking = [(frozenset((required - b.kept).edges), b) for b in self.breaks]
        return [next(b for lack, b in lacking if lack == {edge}) for edge in required]


# Hitting sets -------------------------------------------------------------------------------------------


def hitting_sets(sets: list[frozenset[Edge]], size: int) -> Iterator[frozenset[Edge]]:
    """Every set of `size` edges or fewer that has an edge in each of `sets`; those with edges to spare are left out."""
    yield from _hit(sorted(sets, key=lambda s: (len(s), sorted(s))), frozenset(), frozenset(), size)


def _hit(
    sets: list[frozenset[Edge]], chosen: frozenset[Edge], barred: frozenset[Edge], room: int
) -> Iterator[frozenset[Edge]]:
    open_ = [s - barred for s in sets if not s & chosen]
    if not open_:
        yield chosen
        return
    if _disjoint(open_) > room:
        return
    tightest: frozenset[Edge] = min(open_, key=len)
    for edge in sorted(tightest):
        yield from _hit(open_, chosen | {edge}, barred, room - 1)
        barred |= {edge}  # what has it was found above


def _disjoint(sets: list[frozenset[Edge]]) -> int:
    """A lower bound on the edges that hit all: how many pairwise disjoint sets are found greedily."""
    taken: set[Edge] = set()
    n = 0
    for one in sorted(sets, key=len):
        if not one & taken:
            taken |= one
            n += 1
    return n
