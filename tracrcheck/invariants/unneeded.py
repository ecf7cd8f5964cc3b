"""Edges that carry nothing change nothing; and what adding an edge to a truth does.

Outside `permitted`, a product of weights is zero (derived in `truth/permitted.py`), so keeping such an edge or not changes no
output, in any circuit. An edge that no kept path joins to `out` (found by names) changes no output either, under any
ablation. A node none of whose ports keeps an edge is on no path from an input: under resampling it writes what it wrote on
the corrupted input, which is what its cut edges carry, so its edges change nothing. Under zero or mean ablation this is not a
law: such a node still writes a constant, which is not its background.

Adding a permitted edge to a unique truth leaves it faithful. Reported only, because it is not a law.

In most programs a further edge carries what it carried in the model, and nothing is lost. But faithfulness is not monotone.
Take two equal heads, one subtracted from the other by an MLP that is needed for something else: they cancel in the model,
and neither is in the truth. An edge from one of them alone adds what nothing cancels.
"""

from __future__ import annotations

from edgeprune_core.circuit import Circuit
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violations, each_task, equal, invariant
from tracrcheck.invariants.circuits import mask_of, some_circuits
from tracrcheck.invariants.expected import expected
from tracrcheck.invariants.subjects import has_no_norm, is_program, some_items
from tracrcheck.truth import permitted as structure
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting


def fed(circuit: Circuit) -> Circuit:
    """The circuit without the edges of nodes that read nothing."""
    kept = set(circuit.edges)
    for writer in circuit.graph.writers:  # the readers of a node come after everything it may read
        ports = circuit.graph.readers_of(writer)
        if ports and not any(edge.reader in ports for edge in kept):
            kept = {edge for edge in kept if edge.writer != writer}
    return Circuit(circuit.graph, frozenset(kept))


@invariant("edges outside `permitted` change no output of any circuit", applies=has_no_norm)
@each_task()
def outside_permitted(task: Task, seed: int) -> Violations:
    if task.ablation.within_span:
        allowed = structure.permitted(task.model, task.tokens)
        circuits = [*some_circuits(task.graph, seed), Circuit.full(task.graph)]
        without = [circuit & allowed for circuit in circuits]
        yield from _same(task, seed, circuits, without, "edges outside `permitted`")


def joined(circuit: Circuit) -> list[str]:
    """The edges on some path of kept edges to `out`, by names alone."""
    group = circuit.graph.n_heads // circuit.graph.n_kv_heads
    reached, before = {"out"}, 0
    while len(reached) > before:
        before = len(reached)
        for edge in circuit.edges:
            writer = edge.writer
            if str(edge.reader) not in reached or writer.kind not in ("head", "mlp"):
                continue
            at = f"a{writer.layer}.h{writer.head // group}"
            ports = (f"{writer}.q", f"{at}.k", f"{at}.v") if writer.kind == "head" else (str(writer),)
            reached.update(ports)
    return [str(edge) for edge in circuit if str(edge.reader) in reached]


@invariant(
    "edges without a path to `out` change nothing; under resample, neither do those of nodes that read nothing"
)
@each_task()
def dangling(task: Task, seed: int) -> Violations:
    circuits = some_circuits(task.graph, seed, (0.15, 0.3, 0.5))
    connected = [circuit.connected() for circuit in circuits]
    for circuit, found in zip(circuits, connected, strict=True):
        yield from equal("a circuit without its dangling edges", found.texts, joined(circuit))
    yield from _same(task, seed, circuits, connected, "edges without a path to `out`")
    if task.ablation.name == "resample":
        yield from _same(task, seed, circuits, list(map(fed, circuits)), "edges of nodes that read nothing")


def _same(task: Task, seed: int, before: list[Circuit], after: list[Circuit], what: str) -> Violations:
    items, mask = some_items(task, seed), mask_of(task, *before)
    want = expected(task, mask, items).around(task.outputs(mask, items))
    yield from want.violations(f"{what}, kept and cut", task.outputs(mask_of(task, *after), items))


def unfaithful_additions(task: Task, truth: Circuit, permitted: Circuit) -> list[str]:
    """Permitted edges that make a faithful circuit unfaithful when added alone."""
    more = sorted((permitted - truth).edges)
    if not more:
        return []
    larger = [truth | Circuit.of(truth.graph, [edge]) for edge in more]
    worst = task.deviations(larger).amax(1).tolist()
    return [str(edge) for edge, off in zip(more, worst, strict=True) if off > task.outcome.limit]


@invariant(
    "a unique truth plus one permitted edge is faithful (not a law: reported only)",
    applies=is_program,
    law=False,
)
@each_task()
def adding_back(task: Task, seed: int) -> Violations:
    if task.accepts(Circuit.empty(task.graph)):
        return
    certificate = certify(task, Setting(ablation=task.ablation.name))
    if "unique" in certificate.proved:
        bad = unfaithful_additions(task, certificate.required, certificate.permitted)
        yield from equal("permitted edges that make the truth unfaithful when added alone", bad, [])
