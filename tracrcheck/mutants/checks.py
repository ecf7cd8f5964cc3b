"""The gauntlet: the checks of the profile `mutants`, cheapest first, up to the first failure.

    python -m tracrcheck.mutants.checks JOB.json

runs them on whatever `edgeprune_core` and `tracrcheck` the process imports. The job names the file to write to: `imported`, a
hash of the sources, once everything is imported, then `red`. The job brings the certificates of the gate's programs: a core
with a fault in it must not certify its own truth.

The invariants come first: on small random models of two seeds, which between them make every choice of `subjects.py`, and on
a program. Those that train run on the first seed only. Then comes the gate.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprune_core.atomic_write import write_whole
from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import ResidualGraph
from tracrcheck.compiler.compile import Compiled, compile_program
from tracrcheck.compiler.equivalence import check_compiled
from tracrcheck.grading.by_name import find_method
from tracrcheck.grading.grade import grade
from tracrcheck.grading.run_method import ask
from tracrcheck.invariants import INVARIANTS, Invariant
from tracrcheck.invariants.runner import check_one
from tracrcheck.invariants.subjects import KINDS, Subject, of_program, small
from tracrcheck.mutants.child_process import leave_with_the_parent, sources
from tracrcheck.rasp.library import load_file
from tracrcheck.truth.certificate import Certificate
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

METHOD = "edge_pruning_score_function"
# Added to the seed: 0 and 3 give sequential and parallel blocks, grouped heads or not, causal or not, every activation.
APART = (0, 3)
# Invariants that train or integrate, which takes seconds each.
DEAR = ("completeness", "permuted_pruning", "determinism", "reported_circuit")
# Time limit of one run of the method, in seconds; the slowest takes five.
TIMEOUT = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Red:
    """check: the invariant and its subject, or `gate:` with program and ablation. detail: the assertion that failed."""

    check: str
    detail: str

    def __str__(self) -> str:
        return f"{self.check}: {self.detail}"


@dataclass(frozen=True, kw_only=True)
class Job:
    """What the checks are given.

    programs: program files for the gate. truths: program -> ablation -> certificate as JSON.
    only:     names of invariants; None for all.
    imports:  modules to import besides those the checks need. out: the file to write to.
    tests:    for the test suite: arguments of pytest; none for its own choice.
    seed:     of the models and the method.
    """

    programs: tuple[Path, ...]
    truths: Mapping[str, Mapping[str, Any]]
    out: Path
    imports: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None
    seed: int = 0

    def dumps(self) -> str:
        record = {
            "programs": list(map(str, self.programs)), "truths": self.truths, "out": str(self.out),
            "imports": self.imports, "tests": self.tests, "only": self.only, "seed": self.seed,
        }  # fmt: skip
        return json.dumps(record)

    @classmethod
    def loads(cls, text: str) -> Job:
        record = json.loads(text)
        return cls(
            programs=tuple(map(Path, record["programs"])), truths=record["truths"], out=Path(record["out"]),
            imports=tuple(record["imports"]), tests=tuple(record["tests"]), seed=record["seed"],
            only=None if record["only"] is None else tuple(record["only"]),
        )  # fmt: skip


def first_red(job: Job) -> Red | None:
    """The first check that fails; None if all hold."""
    for part in (_invariants, _gate):
        for red in part(job):
            return red
    return None


def _invariants(job: Job) -> Iterator[Red]:
    wanted = [i for i in INVARIANTS if i.law and (job.only is None or i.name in job.only)]
    cheap, dear = ([i for i in wanted if (i.name in DEAR) == which] for which in (False, True))
    first, second = (job.seed + apart for apart in APART)
    try:
        subjects = [(seed, small(kind, seed)) for seed in (first, second) for kind in KINDS]
        subjects += [(first, of_program(_compiled(path))) for path in job.programs[:1]]
    except Exception as error:
        yield Red(check="subjects", detail=f"raised {type(error).__name__}: {error}")
        return
    yield from _broken(cheap, subjects)
    yield from _broken(dear, [(seed, subject) for seed, subject in subjects if seed == first])


def _broken(invariants: Sequence[Invariant], subjects: Sequence[tuple[int, Subject]]) -> Iterator[Red]:
    for invariant in invariants:
        for seed, subject in subjects:
            if invariant.applies(subject):
                violation = check_one(invariant, subject, seed).violation
                if violation is not None:
                    yield Red(check=f"{invariant.name} on {subject.name}", detail=violation)


def _gate(job: Job) -> Iterator[Red]:
    """The gate, with the certificates of the job."""
    for path in job.programs:
        name = path.stem
        for ablation in job.truths[name]:
            if (wrong := _judged(job, path, ablation)) is not None:
                yield Red(check=f"gate: {name} {ablation} seed {job.seed}", detail=wrong)


def _judged(job: Job, path: Path, ablation: str) -> str | None:
    """What is wrong with the method's answer; None if it holds."""
    try:
        compiled, setting = _compiled(path), Setting(ablation=ablation)
        task = task_of(compiled, setting)
        certificate = _certificate(job.truths[path.stem][ablation], setting, task.graph)
        answer = ask(find_method(METHOD), task, seed=job.seed, timeout=TIMEOUT)
        verdict = grade(compiled, task, certificate, answer, method=METHOD, seed=job.seed)
    except Exception as error:
        return f"raised {type(error).__name__}: {error}"
    if verdict.verdict == "HOLDS":
        return None
    words = [verdict.verdict, verdict.reason or "", verdict.detail]
    words += [f"{what} {', '.join(edges)}" for what, edges in _off(verdict.missing, verdict.extra)]
    return "; ".join(word for word in words if word)


def _off(missing: Sequence[str], extra: Sequence[str], most: int = 3) -> list[tuple[str, list[str]]]:
    named = (("missing", missing), ("extra", extra))
    return [(w, [*e[:most], *(["..."] if len(e) > most else [])]) for w, e in named if e]


def _compiled(path: Path) -> Compiled:
    """The program, compiled and compared with the RASP interpreter."""
    compiled = compile_program(load_file(path).program)
    check_compiled(compiled)
    return compiled


def _certificate(record: Mapping[str, Any], setting: Setting, graph: ResidualGraph) -> Certificate:
    """The parts of a certificate that a verdict needs, from its JSON."""
    other = record["other"]
    return Certificate(
        program=record["program"],
        setting=setting,
        required=Circuit.of(graph, record["required"]),
        permitted=Circuit.of(graph, record["permitted"]),
        proved=tuple(record["proved"]),
        unknown=record["unknown"],
        other=None if other is None else Circuit.of(graph, other),
    )


# The process -------------------------------------------------------------------------------------------


def main(job: Job) -> None:
    for name in job.imports:
        importlib.import_module(name)
    seen: dict[str, Any] = {"imported": sources()}
    write_whole(job.out, json.dumps(seen))
    red = first_red(job)
    seen["red"] = None if red is None else str(red)
    write_whole(job.out, json.dumps(seen))


if __name__ == "__main__":
    leave_with_the_parent()
    main(Job.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
