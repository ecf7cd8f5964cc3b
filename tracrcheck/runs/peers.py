"""The table of published methods (`ci/peers.py`): a verdict for each method, ablation and program. It can be resumed.

Every method has the same time limit, and every method that scores edges gets its circuit by the same selector, so that all are
judged alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

from edgeprune_core.methods import METHODS
from tracrcheck.compiler.compile import Compiled
from tracrcheck.grading.judge import Judge
from tracrcheck.grading.verdict import Verdict
from tracrcheck.rasp.library import Library
from tracrcheck.records.sources import sources_of
from tracrcheck.runs import base, gate
from tracrcheck.runs.gate_units import Plan as GatePlan
from tracrcheck.runs.gate_units import gate as judged
from tracrcheck.runs.results import RunKind, coverage
from tracrcheck.truth.program_check import prepare
from tracrcheck.truth.setting import Setting

# What a row depends on, beside what judges: this file, our methods, and what stands around the tools.
ROOTS = (
    "tracrcheck.runs.peers", *METHODS.modules, "tracrcheck.peers.eap_ig", "tracrcheck.peers.autocircuit"
)  # fmt: skip
TOOLS = ("eap", "auto-circuit", "transformer-lens")
Key = tuple[str, str, str]  # method, ablation, program


@dataclass(frozen=True, kw_only=True)
class Plan(base.Plan):
    """methods: each with the ablations that it takes. own_circuit: those whose own circuit is judged; the circuit of all others is
    made of their scores by `select`. programs: a share of the `n_programs` there are, drawn from those with at most `most_inputs` inputs
    (null: from all). timeout: seconds. tools: their versions."""

    methods: dict[str, list[str]]
    own_circuit: list[str]
    select: str
    programs: list[str]
    n_programs: int
    most_inputs: int | None
    timeout: float
    tools: dict[str, str]

    kind = "peers"

    def units(self) -> list[Key]:
        return [(m, a, p) for m, ablations in self.methods.items() for a in ablations for p in self.programs]

    def of_method(self, method: str, ablation: str) -> GatePlan:
        select = None if method in self.own_circuit else self.select
        return GatePlan(
            settings=(Setting(ablation=ablation),), method=method, method_name=method, timeout=self.timeout,
            judge=Judge.of("auto", select),
        )  # fmt: skip

    def sources(self) -> dict[str, str | None]:
        return _sources(self.programs, Library.here())


def tools() -> dict[str, str]:
    """Those that are installed, with their versions, and the commit of one that was installed from Git."""
    found = {}
    for name in TOOLS:
        try:
            there = distribution(name)
        except PackageNotFoundError:
            continue
        origin = json.loads(there.read_text("direct_url.json") or "{}")
        commit = origin.get("vcs_info", {}).get("commit_id", "")
        found[name] = there.version + (commit and f" at {commit[:7]}")
    return found


def _sources(programs: Sequence[str], library: Library) -> dict[str, str | None]:
    return sources_of([entry.path for entry in library.chosen(programs)], roots=ROOTS)


@dataclass(frozen=True, kw_only=True)
class PeersResults(gate.VerdictResults):
    schema = "tracrcheck.peers/1"
    asked = Plan
    line_each = ("verdicts",)

    @property
    def exit_code(self) -> int:
        """0: a method that is not exact is a result, not a failure of the run."""
        return 0

    def problems(self) -> list[str]:
        found = [_key(v) for v in self.verdicts]
        return [
            *coverage("verdicts", found, self.plan.units(), finished=self.run["finished"]),
            *(p for n, v in enumerate(self.verdicts) for p in gate.contradictions(f"verdicts[{n}]", v)),
        ]


def _key(v: Verdict) -> Key:
    return v.method, v.ablation, v.program


class Peers(gate.VerdictRun[Key]):
    """programs: compiled, those of the plan. time_is_up: then the rest is left for a later call."""

    things, label, results_type = "verdicts", "peers", PeersResults

    def __init__(
        self,
        programs: Sequence[Compiled],
        plan: Plan,
        *rest: Any,
        time_is_up: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(*rest, units={key: key for key in plan.units()})
        self.programs, self.plan, self.time_is_up = programs, plan, time_is_up

    def key(self, row: Verdict) -> Key:
        return _key(row)

    def make(self, units: list[Key]) -> Iterator[Verdict]:
        for method, ablation in dict.fromkeys(unit[:2] for unit in units):
            left = {program for *what, program in units if what == [method, ablation]}
            programs = [compiled for compiled in self.programs if compiled.program.name in left]
            if self.time_is_up():
                return
            for verdict in judged(programs, self.plan.of_method(method, ablation)):
                yield verdict
                if self.time_is_up():
                    return


def again(
    results: PeersResults, verdicts: Sequence[Verdict], library: Library
) -> Iterator[tuple[Verdict, Verdict]]:
    """Errors: those of compiling."""
    ready, wrong = prepare(library.chosen(v.program for v in verdicts))
    for error in wrong:
        raise error
    by_name = {compiled.program.name: compiled for compiled in ready}
    for then in verdicts:
        (now,) = judged([by_name[then.program]], results.plan.of_method(then.method, then.ablation))
        yield then, now


def _gone(asked: Mapping[str, Any]) -> list[str]:
    then, now = asked["tools"], tools()
    return [
        f"{name} {then[name]} then, {now.get(name, 'not installed')} now"
        for name in then
        if then[name] != now.get(name)
    ]


PEERS = RunKind(
    results=PeersResults,
    name="a run of several methods",
    command="-m ci.peers",
    sources=lambda asked, library: _sources(asked["programs"], library),
    again=again,
    same=gate.same_verdict,
    named=lambda v: f"{v.method}, {gate.named(v)}",
    outcome=gate.outcome_of,
    gone=_gone,
)
