"""Adding a permitted edge to a unique truth leaves it faithful. Reported only, because it is not a law.

In most programs a further edge carries what it carried in the model, and nothing is lost. But faithfulness is not monotone.
Take two equal heads, one subtracted from the other by an MLP that is needed for something else: they cancel in the model,
and neither is in the truth. An edge from one of them alone adds what nothing cancels.
"""

from __future__ import annotations

from edgeprune_core.circuit import Circuit
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.subjects import Subject, is_program
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


def adding_back(subject: Subject, seed: int) -> Violation | None:
    for name, task in subject.tasks.items():
        if task.accepts(Circuit.empty(task.graph)):
            continue
        certificate = certify(task, Setting(ablation=name))
        if "unique" not in certificate.proved:
            continue
        if bad := unfaithful_additions(task, certificate.required, certificate.permitted):
            return Violation(
                f"the truth with one permitted edge more, under {name}", "unfaithful with " + ", ".join(bad)
            )
    return None


ADDING_BACK = Invariant(
    name="adding_back",
    statement="a unique truth plus one permitted edge is faithful (not a law: reported only)",
    check=adding_back,
    applies=is_program,
    law=False,
)
