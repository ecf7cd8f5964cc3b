"""A run of the gate: every program, certified and judged in every setting with every seed. It can be resumed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeprune_core.errors import CheckError
from tracrcheck.compiler.compile import Compiled
from tracrcheck.error_codes import user_error
from tracrcheck.grading.by_name import method_or_name
from tracrcheck.grading.judge import Judge
from tracrcheck.grading.method_process import examinee_of
from tracrcheck.grading.verdict import Key, Summary, Verdict
from tracrcheck.rasp.library import Library
from tracrcheck.records.reading import read
from tracrcheck.records.sources import sources_of
from tracrcheck.runs import base
from tracrcheck.runs.gate_units import Asked, Judged, Plan, certify_all, gate
from tracrcheck.runs.results import File, RunKind, RunResults, coverage
from tracrcheck.truth.certificate import Certificate
from tracrcheck.truth.program_check import prepare
from tracrcheck.truth.setting import Setting


class GateFile(File):
    verdicts: list[dict[str, Any]]
    summary: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class VerdictResults(RunResults):
    """Verdicts, and their summary."""

    verdicts: tuple[Verdict, ...]
    summary: dict[str, Any]

    file = GateFile
    rows_name = rows_field = units_are = "verdicts"

    @classmethod
    def of_file(cls, path: Path, parts: Mapping[str, Any], problems: list[str]) -> Any:
        verdicts = [
            read(Verdict, record, f"verdicts[{number}]", problems, {"detail": ""})
            for number, record in enumerate(parts["verdicts"])
        ]
        return cls(path=path, run=parts["run"], verdicts=tuple(verdicts), summary=parts["summary"])

    @property
    def summary_of_rows(self) -> dict[str, Any]:
        return Summary.of(self.verdicts, self.summary.get("seconds", 0.0)).to_json()

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document, with the summary last."""
        document = super().document
        summary = document.pop("summary")
        return document | {"summary": summary}


@dataclass(frozen=True, kw_only=True)
class Results(VerdictResults):
    schema = "tracrcheck.gate/1"
    asked = Asked

    def problems(self) -> list[str]:
        asked = self.run["asked"]
        wanted = itertools.product(asked["programs"], asked["ablations"], asked["criteria"], asked["seeds"])
        keys = [verdict.key for verdict in self.verdicts]
        return [
            *coverage("verdicts", keys, set(wanted), finished=self.run["finished"]),
            *(
                p
                for n, verdict in enumerate(self.verdicts)
                for p in contradictions(f"verdicts[{n}]", verdict, method=asked["method"])
            ),
        ]


def contradictions(where: str, v: Verdict, *, method: str | None = None) -> list[str]:
    """Where a verdict contradicts itself. method: the one that the run asked for, where it asked for one only."""
    holds = v.verdict == "HOLDS"
    found = [f"{where}.reason: {v.reason!r} where it {v.verdict}"] if holds != (v.reason is None) else []
    if holds and (v.missing or v.extra or v.n_found != v.n_required):
        found.append(f"{where}: it HOLDS, with differences")
    elif v.judged == "circuit" and v.n_found != (n := v.n_required + len(v.extra) - len(v.missing)):
        found.append(f"{where}.n_found: {v.n_found}, but with the missing and extra edges it is {n}")
    if method not in (None, v.method):
        found.append(f"{where}.method: {v.method!r}, but the run is of {method!r}")
    if v.seconds < 0:
        found.append(f"{where}.seconds: {v.seconds}, wanted at least 0")
    return found


class VerdictRun(base.ResumableRun[base.Unit, Verdict]):
    """Makes verdicts. The journal keeps the `detail` of each, which the file does not."""

    row = Verdict

    def line_of(self, row: Verdict) -> dict[str, Any]:
        return row.to_json() | {"detail": row.detail}

    def results(self, path: Path | None = None) -> Any:
        """With the `detail` of each verdict."""
        verdicts = tuple(replace(v, seconds=round(v.seconds, 3)) for v in self.done)  # as in the file
        summary = Summary.of(verdicts, self.seconds).to_json()
        return self.results_type(path=path or Path(), run=self.record(), verdicts=verdicts, summary=summary)  # type: ignore[call-arg]


class Run(VerdictRun[Key]):
    """A run of the gate: a verdict for each program, setting and seed."""

    things, label, results_type = "verdicts", "gate", Results

    def __init__(self, programs: Sequence[Compiled], plan: Plan, *rest: Any) -> None:
        super().__init__(*rest, units={key: key for key in plan.keys(programs)})
        self.programs, self.plan = programs, plan
        self.truths: dict[Judged, Certificate] = {}

    def phases(self) -> Iterator[tuple[Iterable[Any], int, str]]:
        settings = {key[:3] for key in self.units.keys() - self._found.keys()}
        yield self.certify(), len(settings), "certify"
        yield from super().phases()

    def certify(self) -> Iterator[Judged]:
        """Before the method runs."""
        for what, certificate in certify_all(
            self.programs, self.plan, done=self.units.keys() & self._found.keys()
        ):
            self.truths[what] = certificate
            yield what

    def make(self, units: list[Key]) -> Iterator[Verdict]:
        return gate(self.programs, self.plan, done=self.units.keys() - set(units), truths=self.truths)

    def key(self, row: Verdict) -> Key:
        return row.key

    @property
    def verdicts(self) -> list[Verdict]:
        return self.done


def wrong_calls(verdicts: Iterable[Verdict]) -> list[CheckError]:
    """Edges that the graph does not have, and answers that can be read in several ways: verdicts, and wrong calls as well."""
    rows = {"foreign_edges": "TC114.foreign", "refused": "TC114.refused"}
    return [
        user_error(
            rows[v.reason],
            where=f"{v.ablation}, seed {v.seed}:",
            got=v.detail,
            method=v.method,
            program=v.program,
        )
        for v in verdicts
        if v.reason in rows
    ]


# Made again --------------------------------------------------------------------------------------------


def again(
    results: Results, verdicts: Sequence[Verdict], library: Library
) -> Iterator[tuple[Verdict, Verdict]]:
    """Errors: those of compiling."""
    asked = results.run["asked"]
    names = list(dict.fromkeys(v.program for v in verdicts))
    ready, wrong = prepare(
        [entry for entry in library.chosen(asked["programs"]) if entry.program.name in names]
    )
    for error in wrong:
        raise error
    by_name = {compiled.program.name: compiled for compiled in ready}
    examinee = examinee_of(
        asked["method"], in_process=asked.get("in_process", False), memory_mib=asked.get("memory")
    )
    for then in verdicts:
        setting = Setting.of_record(asked, ablation=then.ablation, criterion=then.criterion)
        plan = Plan(
            settings=(setting,), method=examinee, method_name=then.method, seeds=(then.seed,), timeout=asked["timeout"],
            judge=Judge.of(asked.get("judge", "auto"), asked.get("select")), halves=asked.get("halves", False),
        )  # fmt: skip
        (now,) = gate([by_name[then.program]], plan)
        yield then, now


def same_verdict(then: Verdict, now: Verdict, elsewhere: bool) -> bool:
    """The edges found are equal, and all that follows from them; of a failure on another machine, the truth alone.

    Scores, and so their figures, depend on how a machine rounds.
    """
    truth = (then.key, then.n_required, then.vacuous) == (now.key, now.n_required, now.vacuous)
    if not truth or (elsewhere and then.verdict != "HOLDS"):
        return truth
    return _found(then) == _found(now) and (elsewhere or _figures(then) == _figures(now))


def _found(v: Verdict) -> tuple[Any, ...]:
    return v.verdict, v.found_sha, v.n_found, set(v.missing), set(v.extra)


def _figures(v: Verdict) -> dict[str, Any]:
    """What else is said of it, by name."""
    ranking = {} if v.ranking is None else v.ranking.to_json()
    witness = {} if v.witness is None else {"witness": v.witness.input, "position": v.witness.position}
    return {"reason": v.reason, "judged": v.judged, **ranking, **witness}


def named(v: Verdict) -> str:
    return f"{v.program}, {v.ablation}, {v.criterion}, seed {v.seed}"


def outcome_of(v: Verdict, other: Verdict | None = None) -> str:
    """In words, with the figures that differ from those of `other`."""
    there = None if other is None else _figures(other)
    differ = [f"{name} {x}" for name, x in _figures(v).items() if there is not None and there.get(name) != x]
    return ", ".join([f"{v.verdict} with {v.n_found} of {v.n_required} edges ({v.found_sha})", *differ])


GATE = RunKind(
    results=Results,
    name="the gate",
    command="gate",
    sources=lambda asked, library: sources_of(
        [entry.path for entry in library.chosen(asked["programs"])], method_or_name(asked["method"])
    ),
    again=again,
    same=same_verdict,
    named=named,
    outcome=outcome_of,
)
