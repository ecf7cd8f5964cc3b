"""Methods on a trained model: a curve for each method and seed. It can be resumed, and run in several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgeprune_core.graph import ResidualGraph
from edgeprune_core.methods import METHODS
from tracrcheck.rasp.library import Library
from tracrcheck.records.reading import LATER
from tracrcheck.records.sources import sources_of
from tracrcheck.runs import base
from tracrcheck.runs.results import File, RunKind, RunResults, coverage
from tracrcheck.trained import fetched
from tracrcheck.trained.curve import LEVELS, Curve
from tracrcheck.trained.pareto import Job, curve_elsewhere, failed, sweep_of

# What a curve depends on: the sweeps and what they import, and the methods, which they take from a table.
ROOTS = ("tracrcheck.trained.pareto", *METHODS.modules)


@dataclass(frozen=True, kw_only=True)
class Plan(base.Plan):
    """model: as `--model` names it. prompts: of each list. only_right: those on which the model leads with an answer.
    device: auto, cpu or cuda; which of the two, after `checked`. n_graph_edges: of the model, filled in by it.

    timeout, memory: seconds and MiB of each curve; None: no limit.
    """

    task: str
    model: str
    ablation: str
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    prompts: int
    only_right: bool = field(default=False, metadata=LATER)
    device: str = field(default="cpu", metadata=LATER)
    n_graph_edges: int = 0
    timeout: float | None = field(default=None, metadata=LATER)
    memory: int | None = field(default=None, metadata=LATER)

    kind = "compare"

    def job(self, method: str, seed: int) -> Job:
        return Job(
            task=self.task, model=self.model, ablation=self.ablation, method=method, seed=seed,
            prompts=self.prompts, only_right=self.only_right, device=self.device, timeout=self.timeout, memory=self.memory,
        )  # fmt: skip

    @property
    def jobs(self) -> dict[tuple[str, int], Job]:
        """By method and seed."""
        return {(m, seed): self.job(m, seed) for seed in self.seeds for m in self.methods}

    def checked(self, *, tell: Callable[[str], Any]) -> Plan:
        """tell: hears how many prompts were kept, if not all. Errors: those of a wrong method, model or task, before any work."""
        for name in self.methods:
            sweep_of(name)
        first = self.job(self.methods[0], self.seeds[0])
        subject = first.subject()
        lists = first.prompt_lists(subject)
        if self.only_right:
            tell(f"seed {first.seed}: {lists.sentence()}")
        n_edges = ResidualGraph.of(subject.model.spec).n_edges
        return replace(self, device=subject.model.device.type, n_graph_edges=n_edges)

    def sources(self) -> dict[str, str | None]:
        return sources(self.task)


class CompareFile(File):
    curves: list[Curve]


@dataclass(frozen=True, kw_only=True)
class CompareResults(RunResults):
    curves: tuple[Curve, ...]

    schema = "tracrcheck.compare/1"
    file, asked = CompareFile, Plan
    rows_name = rows_field = units_are = "curves"
    line_each = ("curves",)

    @property
    def exit_code(self) -> int:
        """0 if every curve was made."""
        return int(any(curve.fault for curve in self.curves))

    def problems(self) -> list[str]:
        asked = self.run["asked"]
        wanted = [(method, seed) for method in asked["methods"] for seed in asked["seeds"]]
        found = [(curve.method, curve.seed) for curve in self.curves]
        return [
            *coverage("curves", found, wanted, finished=self.run["finished"]),
            *(
                f"curves: that of {c.method}, seed {c.seed} is no frontier"
                for c in self.curves
                if not c.is_frontier
            ),
            *(
                f"curves: CPR and CMD of {c.method}, seed {c.seed}, are not those of its faithfulness"
                for c in self.curves
                if c.mib is not None and not c.mib.consistent
            ),
        ]


def sources(task: str) -> dict[str, str | None]:
    """The task is a file among them, where it is one."""
    return sources_of([Path(task)] if Path(task).is_file() else [], roots=ROOTS)


class Comparing(base.ResumableRun[Job, Curve]):
    """A curve for each method and seed."""

    things, label, row, results_type = "curves", "curves", Curve, CompareResults

    def __init__(self, plan: Plan, header: Mapping[str, Any], *rest: Any) -> None:
        super().__init__(header, *rest, units=plan.jobs)
        self.files = [plan.task] if Path(plan.task).is_file() else []

    def key(self, row: Curve) -> tuple[str, int]:
        return row.method, row.seed

    def make(self, units: list[Job]) -> Iterator[Curve]:
        return self.workers.each(curve_elsewhere, units, lost=failed, files=self.files)


def again(
    results: CompareResults, curves: Sequence[Curve], library: Library
) -> Iterator[tuple[Curve, Curve]]:
    plan: Plan = results.plan
    for then in curves:
        yield then, curve_elsewhere(plan.job(then.method, then.seed))


def same(then: Curve, now: Curve, elsewhere: bool) -> bool:
    """The fewest edges at each level are equal; on another machine, it is a curve at all."""
    if elsewhere or then.fault or now.fault:
        return bool(then.fault) == bool(now.fault)
    if then.mib is not None and now.mib is not None and not then.mib.near(now.mib):
        return False
    return all(then.fewest(level) == now.fewest(level) for level in LEVELS)


def _outcome(curve: Curve, other: Curve | None) -> str:
    if curve.fault:
        return f"failed ({curve.fault})"
    return " ".join(str(curve.fewest(level)) for level in LEVELS) + " edges at the levels"


def _gone(asked: Mapping[str, Any]) -> list[str]:
    name = asked["model"]
    missing = name in fetched.MODELS and not fetched.is_here(name)
    return [f"{name} is not on this machine: tracrcheck models get {name}"] if missing else []


COMPARE = RunKind(
    results=CompareResults,
    name="a comparison of methods",
    command="compare",
    sources=lambda asked, library: sources(asked["task"]),
    again=again,
    same=same,
    named=lambda curve: f"curve of {curve.method}, seed {curve.seed}",
    outcome=_outcome,
    gone=_gone,
)
