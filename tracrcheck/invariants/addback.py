"""Adding a permitted edge to a unique truth leaves it faithful. Reported only, because it is not a law.

In most programs a further edge carries what it carried in the model, and nothing is lost. But faithfulness is not monotone.
Take two equal heads, one subtracted from the other by an MLP that is needed for something else: they cancel in the model,
and neither is in the truth. An edge from one of them alone adds what nothing cancels.
"""

from __future__ import annotations

from edgeprune_core.circuit import Circuit
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Violations, each_task, equal, invariant
from tracrcheck.invariants.subjects import is_program
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting


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
