"""A run of the gate: what was asked, the verdicts so far, and what they come to. It may take several sittings."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgeprune_core.errors import CheckError
from tracrcheck.compiler.compile import Compiled
from tracrcheck.grading.verdict import Summary, Verdict, exit_code
from tracrcheck.records.journal import Ledger, differences
from tracrcheck.records.machine import machine
from tracrcheck.records.sources import commit, sources_of
from tracrcheck.runs.gate import Plan, gate

# What must be equal for two sittings to be of one run.
AGREE = ("kind", "asked", "sources")


def ledger_path(results: Path) -> Path:
    """Where a run that is to be written to `results` keeps what is finished until it is whole."""
    return results.with_name(results.name + ".part")


def header_of(plan: Plan, command: str) -> dict[str, Any]:
    """What a run of the gate is, and what it is made on."""
    asked = {
        "programs": sorted(plan.paths),
        "method": plan.method_name,
        "ablations": list(dict.fromkeys(s.ablation for s in plan.settings)),
        "criteria": list(dict.fromkeys(s.criterion for s in plan.settings)),
        "lengths": _lengths(plan),
        "score_bos": any(s.score_bos for s in plan.settings),
        "seeds": list(plan.seeds),
        "timeout": plan.timeout,
    }
    return header("gate", command, asked, sources_of(plan.paths.values(), plan.method))


def header(
    kind: str, command: str, asked: Mapping[str, Any], sources: Mapping[str, str | None]
) -> dict[str, Any]:
    """What a run of any kind is, and what it is made on, from now on."""
    return {
        "kind": kind,
        "command": command,
        "asked": dict(asked),
        "commit": commit(),
        "sources": dict(sources),
        "machine": machine(),
        "started": _now(),
    }


def made_now(command: str) -> dict[str, Any]:
    """By which command and on what, of results that are not read back: as much of `run` as a report shows."""
    return {"command": command, "commit": commit(), "machine": machine(), "started": _now()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def record(
    header: Mapping[str, Any], ledger: Ledger | None, *, finished: bool, seconds: float
) -> dict[str, Any]:
    """`run` of a results file."""
    shown = {k: v for k, v in header.items() if k not in ("schema", "kind")}
    sittings = 1 if ledger is None else ledger.sittings
    return {**shown, "sittings": sittings, "finished": finished, "seconds": seconds}


def _lengths(plan: Plan) -> list[int] | None:
    lengths = plan.settings[0].lengths if plan.settings else None
    return list(lengths) if lengths else None


def finished_there(results: Path | None, header: Mapping[str, Any]) -> bool:
    """Whether this very run stands in `results` already, whole: the same asked of the same sources.

    Of other sources it is made anew. Errors: TC146, where something else was asked for.
    """
    if results is None or not results.is_file() or ledger_path(results).exists():
        return False
    try:
        there = json.loads(results.read_text(encoding="utf-8"))["run"]
        differs = differences(there, header, ("asked",))
        finished = bool(there["finished"]) and not differences(there, header, ("asked", "sources"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
    if differs:
        raise CheckError(
            "TC146",
            "the results there are of another run",
            where=str(results),
            got="; ".join(differs),
            wanted="the same method, settings and programs, or a path where there is nothing",
            do="give another path; without --resume the file is replaced",
        )
    return finished


@contextmanager
def open_ledger(results: Path | None, header: Mapping[str, Any], *, resume: bool) -> Iterator[Ledger | None]:
    """The ledger of a run that is to be written to `results`; None where that is no file.

    One without any result in it does not stay. Errors: TC117, and those of `Ledger.open`.
    """
    if results is None or (results.exists() and not results.is_file()):
        if resume:
            raise CheckError(
                "TC117",
                "nothing to resume from",
                where="--resume",
                got="no --json" if results is None else str(results),
                wanted="--json FILE, as it was given when the run was begun",
            )
        yield None
        return
    ledger = Ledger.open(ledger_path(results), header, resume=resume, agree=AGREE)
    try:
        yield ledger
    finally:
        if ledger.rows:
            ledger.close()
        else:
            ledger.remove()


class Run:
    """Verdicts in the order of the plan, whichever way they came.

    ledger: where each is written as it is finished, and those of earlier sittings are read; None: nowhere.
    """

    def __init__(
        self,
        programs: Sequence[Compiled],
        plan: Plan,
        header: Mapping[str, Any],
        ledger: Ledger | None = None,
    ) -> None:
        self.programs, self.plan, self.ledger = programs, plan, ledger
        self.header = dict(ledger.header if ledger else header)
        self.started = time.monotonic()
        self.interrupted = False
        self._found = {v.key: v for v in map(_from_row, ledger.rows if ledger else ())}
        self.resumed = len(self._found)

    def go(self) -> Iterator[Verdict]:
        """Does what is left, a verdict at a time."""
        for verdict in gate(self.programs, self.plan, done=self._found.keys()):
            if self.ledger is not None:
                self.ledger.append(verdict.to_json() | {"detail": verdict.detail})
            self._found[verdict.key] = verdict
            yield verdict

    @property
    def total(self) -> int:
        return len(self.programs) * self.plan.runs_per_program

    @property
    def left(self) -> int:
        return self.total - len(self._found)

    @property
    def verdicts(self) -> list[Verdict]:
        return [self._found[key] for key in self.plan.keys(self.programs) if key in self._found]

    @functools.cached_property
    def summary(self) -> Summary:
        """Read once, at the end."""
        return Summary.of(self.verdicts, self._seconds())

    def _seconds(self) -> float:
        return self.ledger.seconds if self.ledger is not None else time.monotonic() - self.started

    def record(self) -> dict[str, Any]:
        """`run` of the results file."""
        return record(self.header, self.ledger, finished=self.left == 0, seconds=self.summary.seconds)

    @property
    def errors(self) -> list[CheckError]:
        """Edges that the graph does not have: a verdict, and a wrong call as well."""
        return foreign_edges(self.verdicts)

    def written(self) -> None:
        """All that was found is written elsewhere: the ledger goes, unless there is something left to resume."""
        if self.ledger is not None and not self.left:
            self.ledger.remove()

    def exit_code(self, *, allow_unknown: bool = False) -> int:
        return 130 if self.interrupted else exit_code(self.verdicts, allow_unknown=allow_unknown)


def foreign_edges(verdicts: Iterable[Verdict]) -> list[CheckError]:
    return [
        CheckError(
            "TC114",
            f"the method '{v.method}' returns edges that '{v.program}' does not have",
            where=f"{v.ablation}, seed {v.seed}:",
            got=v.detail,
            wanted="edges of `task.graph`",
            do="return edges of `task.graph.edges`, or their text",
        )
        for v in verdicts
        if v.reason == "foreign_edges"
    ]


def _from_row(row: Mapping[str, Any]) -> Verdict:
    rest = dict(row)
    detail = rest.pop("detail")
    return replace(Verdict.from_json(rest), detail=detail)
