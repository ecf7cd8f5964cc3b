"""Unseen programs: drawn, compiled, certified, a method asked, its answers graded beside two trivial ones.

What becomes of one program depends on the seed, the number of its draw, the settings and the method, and on nothing
else: programs may be examined in any order, by several processes, in several sittings. The method's own seed is the
number of the draw.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import edgeprune_core
import tracrcheck
from edgeprune_core.errors import CheckError
from edgeprune_core.methods import RandomEdges
from edgeprune_core.task import Task
from tracrcheck.certificate import Certificate
from tracrcheck.compile import Compiled
from tracrcheck.composition import Features
from tracrcheck.draws import Draws, compiled_of, name_of, numbered
from tracrcheck.exam import Setting, task_of
from tracrcheck.examinee import Answer, ask, find_method
from tracrcheck.grade import grade
from tracrcheck.store import certificate_for
from tracrcheck.verdict import Verdict

SCHEMA = "tracrcheck.fuzz/1"
TRIVIAL = ("permitted", "random")
# What is rendered and typed decides no row.
SURFACES = ("cli.py", "commands", "reports", "programs")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One program in one setting. detail: what a fault said, in words; trivial: the words two trivial methods get."""

    number: int
    verdict: dict[str, Any]
    detail: str
    proved: tuple[str, ...]
    n_permitted: int
    certify_seconds: float
    trivial: Mapping[str, str]

    @property
    def ablation(self) -> str:
        return self.verdict["ablation"]

    @property
    def holds(self) -> bool:
        return self.verdict["verdict"] == "HOLDS"

    @property
    def counts(self) -> bool:
        """Whether the output can change at all."""
        return not self.verdict["vacuous"]

    def to_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            **self.verdict,
            "detail": self.detail,
            "proved": list(self.proved),
            "n_permitted": self.n_permitted,
            "certify_seconds": self.certify_seconds,
            "trivial": dict(self.trivial),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Row:
        rest = dict(record)
        own = {
            name: rest.pop(name) for name in ("number", "detail", "n_permitted", "certify_seconds", "trivial")
        }
        return cls(proved=tuple(rest.pop("proved")), verdict=rest, **own)


@dataclass(frozen=True, kw_only=True)
class Examined:
    """One program with all its rows."""

    program: Features
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        return {"program": self.program.to_json(), "rows": [row.to_json() for row in self.rows]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Examined:
        return cls(
            program=Features(**record["program"]), rows=tuple(Row.from_json(row) for row in record["rows"])
        )


# One program ---------------------------------------------------------------------------------------------


def examine(seed: int, number: int, settings: Sequence[Setting], *, method: str, timeout: float) -> Examined:
    """The program of a draw. Whatever certifying or the method does, there is a row. Raises `draws.Rejected`."""
    recipe = numbered(seed, number)
    compiled = compiled_of(recipe, name_of(seed, number))
    asked = find_method(method)
    zero = Setting(ablation="zero")
    task = task_of(compiled, zero)
    return Examined(
        program=Features.of(number, recipe, task, certificate_for(task, zero).required),
        rows=tuple(
            judge(compiled, setting, asked, number=number, name=method, timeout=timeout)
            for setting in settings
        ),
    )


def judge(
    compiled: Compiled,
    setting: Setting,
    method: Callable[[Task], Any],
    *,
    number: int,
    name: str,
    timeout: float,
) -> Row:
    """One setting: certified, asked, graded. number: the seed of the method too."""
    task = task_of(compiled, setting)
    try:
        certificate = certificate_for(task, setting)
    except CheckError as error:
        return _uncertified(task, setting, error, number=number, name=name)
    own = partial(grade, compiled, task, certificate, seed=number)
    verdict = own(ask(method, task, seed=number, timeout=timeout), method=name)
    floor = ask(RandomEdges(), task, seed=number, timeout=timeout)
    by_weights = Answer(circuit=certificate.permitted)
    trivial = {
        method: own(answer, method=method).verdict
        for method, answer in zip(TRIVIAL, (by_weights, floor), strict=True)
    }
    return Row(
        number=number,
        verdict=verdict.to_json(),
        detail=verdict.detail or _unproved(certificate),
        proved=certificate.proved,
        n_permitted=len(certificate.permitted),
        certify_seconds=round(certificate.seconds, 3),
        trivial=trivial,
    )


def _unproved(certificate: Certificate) -> str:
    return "; ".join(f"{name}: {why}" for name, why in certificate.unknown.items() if name == "smallest")


def _uncertified(task: Task, setting: Setting, error: CheckError, *, number: int, name: str) -> Row:
    """A row for a setting that cannot be certified at all: a fault of ours, which counts as a failure."""
    verdict = Verdict(
        program=task.name,
        ablation=setting.ablation,
        criterion=setting.criterion,
        method=name,
        seed=number,
        verdict="UNKNOWN",
        reason=f"{error.code} {error.what}",
        n_required=0,
        n_found=0,
    )
    return Row(
        number=number,
        verdict=verdict.to_json(),
        detail=error.got,
        proved=(),
        n_permitted=0,
        certify_seconds=0.0,
        trivial=dict.fromkeys(TRIVIAL, "UNKNOWN"),
    )


# A whole run ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Plan:
    """programs: how many accepted ones of the draws of `seed`; timeout: seconds that one run of the method has."""

    seed: int
    programs: int
    settings: tuple[Setting, ...]
    method: str
    timeout: float
    jobs: int = 1

    def header(self) -> dict[str, Any]:
        """What must be equal in a run that is resumed; the number of programs may grow."""
        return {
            "schema": SCHEMA,
            "seed": self.seed,
            "settings": [f"{s.ablation} {s.criterion}" for s in self.settings],
            "method": self.method,
            "timeout": self.timeout,
            "sources": sources(find_method(self.method)),
        }


@dataclass
class Run:
    """What is drawn and finished so far. numbers: of the accepted draws; finished: by number."""

    plan: Plan
    numbers: list[int] = field(default_factory=list)
    finished: dict[int, Examined] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)
    drawn: int = 0
    interrupted: bool = False
    header: dict[str, Any] = field(init=False)  # of the sources as they are when the run begins

    def __post_init__(self) -> None:
        self.header = self.plan.header()

    @property
    def rows(self) -> list[Row]:
        return [row for done in self._in_order() for row in done.rows]

    @property
    def programs(self) -> list[Features]:
        return [done.program for done in self._in_order()]

    def _in_order(self) -> list[Examined]:
        return [self.finished[number] for number in self.numbers if number in self.finished]

    def draw(self) -> Iterator[int]:
        """The numbers of the accepted draws."""
        draws = Draws(seed=self.plan.seed, rejected=self.rejected)
        for number, _ in islice(draws, self.plan.programs):
            self.drawn = draws.drawn
            self.numbers.append(number)
            yield number

    def resume(self, ledger: Ledger) -> None:
        """Takes over what a run before finished."""
        for row in ledger.rows:
            done = Examined.from_json(row)
            self.finished[done.program.number] = done

    def examine(self, ledger: Ledger | None = None) -> Iterator[Examined]:
        """Every program drawn, as it is finished; each is in the ledger before the next one comes."""
        yield from (self.finished[number] for number in self.numbers if number in self.finished)
        left = [number for number in self.numbers if number not in self.finished]
        for done in sweep(partial(_unit, self.plan), left, jobs=self.plan.jobs):
            if ledger is not None:
                ledger.append(done.to_json())
            self.finished[done.program.number] = done
            yield done


def _unit(plan: Plan, number: int) -> Examined:
    return examine(plan.seed, number, plan.settings, method=plan.method, timeout=plan.timeout)


def sweep(work: Callable[[int], Examined], units: Sequence[int], *, jobs: int) -> Iterator[Examined]:
    """Results in the order of the units, by so many processes."""
    if jobs == 1:
        yield from map(work, units)
        return
    import joblib

    with joblib.parallel_config(
        backend="loky", inner_max_num_threads=int(os.environ.get("OMP_NUM_THREADS") or 1)
    ):
        yield from joblib.Parallel(n_jobs=jobs, return_as="generator")(joblib.delayed(work)(u) for u in units)


def sources(method: Callable[..., Any] | None = None) -> str:
    """Hex sha256 of every source file that decides a row, the file of somebody else's method included."""
    h = hashlib.sha256()
    for package in (edgeprune_core, tracrcheck):
        assert package.__file__ is not None
        root = Path(package.__file__).parent
        for path in sorted(root.rglob("*.py")):
            place = path.relative_to(root)
            if package is edgeprune_core or place.parts[0] not in SURFACES:
                h.update(f"{root.name}/{place.as_posix()}".encode())
                h.update(path.read_bytes())
    kind = method if inspect.isroutine(method) else type(method)
    if method is not None and (file := inspect.getsourcefile(kind)) is not None:
        h.update(Path(file).read_bytes())
    return h.hexdigest()


def machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": version("torch"),
    }


# What survives a crash -----------------------------------------------------------------------------------


def ledger_of(json_file: Path) -> Path:
    """Where the finished programs of an unfinished run stand."""
    return json_file.with_name(json_file.name + ".jsonl")


class Ledger:
    """JSON lines, a header and then one finished program each, appended and flushed to disk one at a time."""

    def __init__(self, path: Path, header: Mapping[str, Any], rows: list[dict[str, Any]]) -> None:
        self.path, self.header, self.rows = path, dict(header), rows

    @classmethod
    def open(cls, path: Path, header: Mapping[str, Any], *, resume: bool) -> Ledger:
        """Begins one, or goes on with what is there; a line that a crash cut in two is dropped.

        Errors: TC151 (an unfinished run is there, and `resume` was not asked for; or it is not this run's), TC115.
        """
        lines = _whole_lines(path)
        if lines and not resume:
            raise _refused(path, f"{len(lines) - 1} finished programs", "no such file, or --resume",
                           "add --resume to go on with it, or delete it")  # fmt: skip
        there = lines[0] if lines else dict(header)
        differs = [name for name in header if there.get(name) != header[name]]
        if differs:
            got = ", ".join(f"{name} {there.get(name)!r}" for name in differs)
            wanted = ", ".join(f"{name} {header[name]!r}" for name in differs)
            raise _refused(
                path, got, wanted, "give the command and the sources it was begun with, or delete it"
            )
        try:
            with path.open("w" if not lines else "r+", encoding="utf-8") as file:
                file.write("".join(json.dumps(line) + "\n" for line in lines or [there]))
                file.truncate()
        except OSError as error:
            raise CheckError("TC115", f"cannot write '{path}'", got=error.strerror or error,
                             wanted="a file in a folder that exists", do="give another path") from None  # fmt: skip
        return cls(path, header, lines[1:])

    def append(self, row: Mapping[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def remove(self) -> None:
        """Everything is written elsewhere."""
        self.path.unlink(missing_ok=True)


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """What stands after the last end of line was cut in two by a crash, and is left out."""
    if not path.exists() or not path.stat().st_size:
        return []
    try:
        found = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
        ours = bool(found) and found[0].get("schema") == SCHEMA
    except (ValueError, AttributeError):
        ours = False
    if not ours:
        raise _refused(path, "another file", f"JSON lines of {SCHEMA}", "delete it, or give another --json")
    return found


def _refused(path: Path, got: str, wanted: str, do: str) -> CheckError:
    return CheckError("TC151", "the results there are not this run's to go on with",
                      where=str(path), got=got, wanted=wanted, do=do)  # fmt: skip
