"""Adding a permitted edge back to a unique truth leaves it faithful: told where not, for it is no law.

In most programs a further edge brings what was there in the model as well, and nothing is lost. But faithfulness is not
monotone. Two equal heads, one subtracted from the other in an MLP that is needed for something else, cancel in the model
and are both absent from the truth; an edge from one of them alone adds what nothing cancels. So this is reported, and
never fails.
"""

from __future__ import annotations

from edgeprune_core.circuit import Circuit
from edgeprune_core.task import Task
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.subjects import Subject, is_program
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting


def unfaithful_additions(task: Task, truth: Circuit, permitted: Circuit) -> list[str]:
    """Permitted edges with any one of which a faithful circuit is faithful no more."""
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
    statement="a unique truth with one permitted edge more is faithful (no law: reported only)",
    check=adding_back,
    applies=is_program,
    law=False,
)
