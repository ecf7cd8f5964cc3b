"""What `--tracrcheck-method` adds to a pytest run: a test for every (program, ablation), and one JSON file.

Test ids such as `tracrcheck::reverse::zero` are the same in every process, so `-k` and `--deselect` find them, and
pytest-xdist's `--dist loadscope` keeps a program's tests on one worker. Verdicts travel with the test reports, so the
process that prints them has them all, whichever process ran them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from edgeprune_core.errors import CheckError
from tracrcheck.commands.arguments import ProcessOptions, check_memory, check_timeout, settings_of
from tracrcheck.compiler.compile import Compiled
from tracrcheck.error_codes import unknown_name
from tracrcheck.grading.method_process import examinee_of
from tracrcheck.grading.no_exit import forbid_os_exit
from tracrcheck.grading.verdict import Summary, Verdict
from tracrcheck.rasp.library import Entry, Library
from tracrcheck.reports import files
from tracrcheck.reports.grade import failure_block
from tracrcheck.reports.render.sanitize import shown
from tracrcheck.reports.text import IN_PROCESS, replay, summary_line
from tracrcheck.runs import profiles
from tracrcheck.runs.gate_units import TIMEOUT, Plan, gate
from tracrcheck.truth.program_check import prepare
from tracrcheck.truth.setting import Setting

ROOT = "tracrcheck"  # the first part of every test id
SHOWN = 3  # failing seeds per test that are shown in full
PROFILES = ("quick", "full")
_REPORT = "tracrcheck_verdicts"


class NotRecovered(Exception):
    """A verdict does not hold; the text says why."""


@dataclass(kw_only=True, eq=False)  # pytest keeps plugins in sets
class GatePlugin:
    """plan: what to run on every program. rows: verdicts by test. errors: tests that ended without a verdict."""

    plan: Plan
    profile: str
    names: tuple[str, ...]
    json: Path | None
    replay_options: tuple[str, ...]
    started: float = field(default_factory=time.monotonic)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    compiled: dict[Path, Compiled] = field(default_factory=dict)
    begun: bool = False
    unwritten: CheckError | None = None

    @classmethod
    def of(cls, config: pytest.Config) -> GatePlugin:
        """From the options. An invalid option is a pytest usage error."""
        _check_given(config)
        method = config.getoption("tracrcheck_method")
        timeout = config.getoption("tracrcheck_timeout")
        process = ProcessOptions(
            memory=config.getoption("tracrcheck_memory"),
            in_process=bool(config.getoption("tracrcheck_in_process")),
        )
        path = config.getoption("tracrcheck_json")
        try:
            name = config.getoption("tracrcheck_profile") or "quick"
            if name not in PROFILES:
                raise _no_profile(name)
            profile = profiles.chosen(name, [], None)
            files.check_writable(out := Path(path).absolute() if path else None)
            examinee = examinee_of(
                method, in_process=process.in_process, memory_mib=check_memory(process.memory)
            )
            _ = examinee.many  # a method that cannot be found is an error of the call
            plan = Plan(
                settings=settings_of(profile.ablations),
                method=examinee,
                method_name=method,
                in_process=process.in_process,
                seeds=tuple(range(profile.seeds)),
                timeout=check_timeout(TIMEOUT if timeout is None else timeout),
            )
        except CheckError as error:
            if error.where and error.where.startswith("--"):
                error.where = error.where.replace("--", "--tracrcheck-", 1)
            raise pytest.UsageError(str(error)) from None
        asked = (config.getoption("tracrcheck_programs") or "").split(",")
        return cls(
            plan=plan,
            profile=name,
            names=tuple(name.strip() for name in asked if name.strip()),
            json=None
            if hasattr(config, "workerinput")
            else out,  # one process writes it, and has all verdicts
            replay_options=(
                *(() if timeout is None else ("--timeout", f"{timeout:g}")),
                *process.replay_words,
            ),
        )

    def verdicts(self, entry: Entry, setting: Setting) -> list[Verdict]:
        """The verdicts of all seeds of a test. Errors: what `prepare` finds wrong with the program."""
        if entry.path not in self.compiled:
            ready, wrong = prepare([entry], [setting])
            if wrong:
                raise wrong[0]
            self.compiled[entry.path] = ready[0]
        with forbid_os_exit():
            return list(gate([self.compiled[entry.path]], replace(self.plan, settings=(setting,))))

    def failure_text(self, entry: Entry, failed: list[Verdict]) -> str:
        """The text of a failure: the first few seeds in full, and the numbers of the others."""
        compiled = self.compiled[entry.path]
        blocks = [
            failure_block(v, compiled, replay=replay(v, entry.named_as, self.replay_options))
            for v in failed[:SHOWN]
        ]
        if rest := failed[SHOWN:]:
            blocks.append(f"and with seeds {', '.join(str(v.seed) for v in rest)}")
        if self.plan.in_process:
            blocks.append(IN_PROCESS)
        return shown("\n\n".join(blocks))  # xdist carries text as UTF-8

    # Hooks -------------------------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        if isinstance(collector, pytest.Session) and report.passed:
            mine = GateCollector.from_parent(collector, name=ROOT, nodeid=ROOT, plugin=self)
            report.result = [*(report.result or []), mine]
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if isinstance(item, GateItem) and call.when == "call" and item.verdicts:
            setattr(report, _REPORT, json.dumps([v.to_json() for v in item.verdicts], default=str))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if (text := getattr(report, _REPORT, None)) is not None:
            self.rows[report.nodeid] = json.loads(text)
        elif report.failed and report.nodeid.startswith(f"{ROOT}::"):
            self.errors[report.nodeid] = report.longreprtext

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A program that cannot be loaded has no tests, so its collector is recorded."""
        if report.failed and report.nodeid.split("::")[0] == ROOT:
            self.errors[report.nodeid] = report.longreprtext

    def pytest_runtest_logstart(self) -> None:
        """Replaces an earlier run's results, so that they cannot pass for this run's however it ends."""
        if not self.begun:
            self.begun = True
            self._write(finished=False)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Writes the results, unless nothing was to be run."""
        if session.config.option.collectonly or exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            return
        ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        self._write(finished=bool(ended and not session.shouldfail and not session.shouldstop))
        if self.unwritten is not None:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _write(self, *, finished: bool) -> None:
        errors = [{"test": test, "message": text} for test, text in sorted(self.errors.items())]
        document = files.judged_document(self._sorted(), self._summary())
        if self.plan.in_process:
            document["in_process"] = True
        try:
            files.write_json(self.json, document | {"errors": errors, "finished": finished})
            self.unwritten = None
        except CheckError as error:
            self.unwritten = error

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.plan.in_process:
            terminalreporter.write_line(f"tracrcheck: {IN_PROCESS}")
        terminalreporter.write_line(f"tracrcheck: {summary_line(self._summary().to_json())}")
        if self.unwritten is not None:
            terminalreporter.write_line(str(self.unwritten), red=True)

    def _sorted(self) -> list[dict[str, Any]]:
        rows = [row for rows in self.rows.values() for row in rows]
        return sorted(rows, key=lambda row: (row["program"], row["ablation"], row["seed"]))

    def _summary(self) -> Summary:
        return Summary.of([Verdict.from_json(row) for row in self._sorted()], time.monotonic() - self.started)


def _check_given(config: pytest.Config) -> None:
    """An empty option usually comes from an unset variable, not from a wish for the default."""
    for name in ("method", "profile", "programs", "json"):
        if config.getoption(f"tracrcheck_{name}") == "":
            raise pytest.UsageError(f"--tracrcheck-{name} is empty: give it a value, or leave it out")


def _no_profile(name: str) -> CheckError:
    return unknown_name("TC117.test_profile", name, PROFILES, where="--profile", wanted=" or ".join(PROFILES))


class GateCollector(pytest.Collector):
    """All selected programs."""

    def __init__(self, *, plugin: GatePlugin, **rest: Any) -> None:
        super().__init__(**rest)
        self.plugin = plugin

    def collect(self) -> Iterator[pytest.Collector]:
        try:
            entries = Library.here().chosen(self.plugin.names)
        except CheckError as error:
            raise self.CollectError(str(error)) from None
        for entry in entries:
            yield ProgramCollector.from_parent(self, name=entry.program.name, plugin=self.plugin, entry=entry)


class ProgramCollector(pytest.Collector):
    """One program under every ablation of the profile."""

    def __init__(self, *, plugin: GatePlugin, entry: Entry, **rest: Any) -> None:
        super().__init__(**rest)
        self.plugin, self.entry = plugin, entry

    def collect(self) -> Iterator[pytest.Item]:
        for setting in self.plugin.plan.settings:
            yield GateItem.from_parent(
                self, name=setting.ablation, plugin=self.plugin, entry=self.entry, setting=setting
            )


class GateItem(pytest.Item):
    """One program under one ablation, with every seed of the profile."""

    def __init__(self, *, plugin: GatePlugin, entry: Entry, setting: Setting, **rest: Any) -> None:
        super().__init__(**rest)
        self.plugin, self.entry, self.setting = plugin, entry, setting
        self.verdicts: list[Verdict] = []
        self.add_marker("tracrcheck")
        if plugin.profile == "full":
            self.add_marker("slow")

    def runtest(self) -> None:
        self.verdicts = self.plugin.verdicts(self.entry, self.setting)
        if failed := [v for v in self.verdicts if v.verdict != "HOLDS"]:
            raise NotRecovered(self.plugin.failure_text(self.entry, failed))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, (NotRecovered, CheckError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, None, str]:
        return ROOT, None, f"{self.entry.program.name}, {self.setting.ablation}"
