"""A comparison of methods: a curve for each method and seed. It can be resumed, and run in several processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from edgeprune_core.graph import ResidualGraph
from edgeprune_core.methods import METHODS
from tracrcheck.error_codes import user_error
from tracrcheck.executors.dask_cluster import Cluster
from tracrcheck.executors.pool import sweep
from tracrcheck.rasp.library import Library
from tracrcheck.records.journal import Ledger
from tracrcheck.records.sources import sources_of
from tracrcheck.runs.base import ResumableRun, header
from tracrcheck.runs.results import File, RunKind, RunResults, coverage
from tracrcheck.trained import fetched
from tracrcheck.trained import prompts as prompt_lists
from tracrcheck.trained.curve import LEVELS, Curve
from tracrcheck.trained.pareto import Job, curve_elsewhere, failed, sweep_of

# What a curve depends on: the sweeps and what they import, and the methods, which they take from a table.
ROOTS = ("tracrcheck.trained.pareto", *sorted({type(method).__module__ for method in METHODS.values()}))


class Asked(TypedDict):
    task: str
    model: str
    ablation: str
    methods: list[str]
    seeds: list[int]
    prompts: int
    n_graph_edges: int


class CompareFile(File):
    curves: list[Curve]


@dataclass(frozen=True, kw_only=True)
class CompareResults(RunResults):
    curves: tuple[Curve, ...]

    schema = "tracrcheck.compare/1"
    file, asked = CompareFile, Asked
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
        ]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """model: as `--model` names it. prompts: of each list. jobs, cluster: as of the other sweeps."""

    task: str
    model: str
    ablation: str
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    prompts: int
    jobs: int = 1
    cluster: str | None = None

    @property
    def units(self) -> list[Job]:
        return [
            Job(
                task=self.task, model=self.model, ablation=self.ablation, method=method, seed=seed,
                prompts=self.prompts,
            )
            for seed in self.seeds
            for method in self.methods
        ]  # fmt: skip

    def checked(self) -> Plan:
        """Errors: those of a wrong method, model or task, before any work."""
        for name in self.methods:
            sweep_of(name)
        subject = fetched.load_model(self.model)
        for seed in self.seeds[:1]:
            prompt_lists.both_lists(self.task, subject.tokenizer, n=self.prompts, seed=seed)
        return self

    def header(self, command: str) -> dict[str, Any]:
        """What the run is, and what it is made with."""
        asked: Asked = {
            "task": self.task,
            "model": self.model,
            "ablation": self.ablation,
            "methods": list(self.methods),
            "seeds": list(self.seeds),
            "prompts": self.prompts,
            "n_graph_edges": ResidualGraph.of(fetched.load_model(self.model).model.spec).n_edges,
        }
        return header("compare", command, asked, sources(self.task))


def sources(task: str) -> dict[str, str | None]:
    """The task is a file among them, where it is one."""
    return sources_of([Path(task)] if Path(task).is_file() else [], roots=ROOTS)


class Comparing(ResumableRun[Job, Curve]):
    """A curve for each method and seed."""

    things, label, row = "curves", "curves", Curve

    def __init__(self, plan: Plan, header: Mapping[str, Any], ledger: Ledger | None = None) -> None:
        super().__init__(header, ledger)
        self.plan = plan
        self.units = {(job.method, job.seed): job for job in plan.units}

    def key(self, row: Curve) -> tuple[str, int]:
        return row.method, row.seed

    def make(self, units: list[Job]) -> Iterator[Curve]:
        plan = self.plan
        files = (str(Path(plan.task).resolve()),) if Path(plan.task).is_file() else ()
        cluster = Cluster(address=plan.cluster, files=files) if plan.cluster else None
        for _, made in sweep(curve_elsewhere, units, jobs=plan.jobs, lost=failed, cluster=cluster):
            yield made

    def results(self, path: Path | None = None) -> CompareResults:
        return CompareResults(path=path or Path(), run=self.record(), curves=tuple(self.done))


def again(
    results: CompareResults, curves: Sequence[Curve], library: Library
) -> Iterator[tuple[Curve, Curve]]:
    asked = {name: results.run["asked"][name] for name in ("task", "model", "ablation", "prompts")}
    for then in curves:
        yield then, curve_elsewhere(Job(method=then.method, seed=then.seed, **asked))


def same(then: Curve, now: Curve, elsewhere: bool) -> bool:
    """The fewest edges at each level are equal; on another machine, it is a curve at all."""
    if elsewhere or then.fault or now.fault:
        return bool(then.fault) == bool(now.fault)
    return all(then.fewest(level) == now.fewest(level) for level in LEVELS)


def _outcome(curve: Curve, other: Curve | None) -> str:
    if curve.fault:
        return f"failed ({curve.fault})"
    return " ".join(str(curve.fewest(level)) for level in LEVELS) + " edges at the levels"


COMPARE = RunKind(
    results=CompareResults,
    name="a comparison of methods",
    command="compare",
    sources=lambda asked, library: sources(asked["task"]),
    again=again,
    same=same,
    named=lambda curve: f"curve of {curve.method}, seed {curve.seed}",
    outcome=_outcome,
)


def check_methods(names: tuple[str, ...]) -> tuple[str, ...]:
    """Errors: TC117, where one is named twice, or none."""
    if not names:
        raise user_error("TC117.no_method", where="--methods")
    if twice := {name for name in names if names.count(name) > 1}:
        raise user_error("TC117.twice", where="--methods", got=", ".join(sorted(twice)))
    return names
