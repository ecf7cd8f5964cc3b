"""Runs the tests that a fault names, or the default tests that are about what the core computes, up to the first failure.

    python -m ci.faults.suite_process JOB.json

runs them in the current folder, on whatever `edgeprune_core` and `tracrcheck` the process imports. The job names the file
to write to: `imported`, a hash of the sources, once everything is imported, then `red`, the first test that failed and its
assertion. A test that takes more than LONGEST seconds of CPU time (without a fault, the slowest takes a twentieth of that),
or more than WAITING seconds of wall time, hangs, which is red. So is a test file that cannot be collected: the packages
themselves were imported before.

Left out, because they are not about what the core computes, or cannot run on a copy:

    tests/quality                     compares source text: imports, codes of errors, workflows
    tests/tracrcheck/mutants          knows the faults, and would run hunts within a hunt
    tests/e2e                         builds wheels and installs them
    tests/programs                    texts
    commands, runs (but fuzz and invariants), grading, records, executors, processes, reports, trained, pytest_plugin
                                      commands, files, committed results: they pass on what the core finds
    tests/gpu, smollm2, distributed   other ways to run the core, compared with the engine itself, in separate processes
    peers                             models for other tools, compared with the engine itself, and the answers of those tools

A test that is left out can only lower the share of faults that is caught.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from edgeprune_core.atomic_write import write_whole
from tracrcheck.mutants.child_process import leave_with_the_parent, sources

# In the order in which they run: those that catch a fault within seconds, then those that train and certify.
TESTS = (
    "tests/edgeprune_core",
    "tests/tracrcheck/invariants",
    "tests/tracrcheck/compiler",
    "tests/tracrcheck/rasp",
    "tests/tracrcheck/truth",
    "tests/contracts",
    "tests/tracrcheck/importers",
    "tests/tracrcheck/planted",
    "tests/tracrcheck/generator",
    "tests/tracrcheck/test_strategies.py",
    "tests/tracrcheck/runs/test_fuzz.py",
    "tests/tracrcheck/runs/test_fuzz_bar.py",
    "tests/tracrcheck/runs/test_fuzz_results.py",
    "tests/tracrcheck/runs/test_invariants.py",
    "tests/tracrcheck/runs/test_regressions.py",
)
SKIPPED = ("tests/edgeprune_core/distributed",)

LONGEST = 300.0
WAITING = 1800.0
WATCH = 2.0


class Watch:
    """A pytest plugin that notes the first failure, in a test or in collection, and a test that hangs."""

    def __init__(self, tell: Callable[[Mapping[str, Any]], None]) -> None:
        self.red: str | None = None
        self._tell = tell
        self._at: tuple[str, float, float] | None = None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._look(report)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._at = nodeid, time.process_time(), time.monotonic()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._look(report)

    def _look(self, report: pytest.CollectReport | pytest.TestReport) -> None:
        if report.failed and self.red is None:
            self.red = f"{report.nodeid}: {assertion(report.longrepr)}"

    def watch(self) -> None:
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(WATCH)
            if (hangs := self.hangs(time.process_time(), time.monotonic())) is not None:
                self._tell({"red": hangs})
                os._exit(1)

    def hangs(self, processor: float, clock: float) -> str | None:
        """The test that hangs, given these readings of CPU time and wall time, and why; None if none does."""
        if self._at is None:
            return None
        name, processor_then, clock_then = self._at
        if processor - processor_then > LONGEST:
            return f"{name}: hangs, more than {LONGEST:g} seconds of CPU time"
        if clock - clock_then > WAITING:
            return f"{name}: hangs, more than {WAITING:g} seconds by the clock"
        return None


def assertion(shown: Any) -> str:
    """The first line of the exception of a failure; without one, the last line that pytest shows."""
    crash = getattr(shown, "reprcrash", None)
    if crash is not None and crash.message:
        return crash.message.splitlines()[0]
    return (str(shown).strip().splitlines() or ["no word"])[-1]


# The process -------------------------------------------------------------------------------------------


def main(job: Mapping[str, Any], tests: Sequence[str] = TESTS) -> None:
    """job: `imports`, modules to import first; `out`, the file to write to; `tests`, pytest's arguments, if it names any."""
    out = Path(job["out"])
    for name in job["imports"]:
        importlib.import_module(name)
    seen: dict[str, Any] = {"imported": sources()}
    write_whole(out, json.dumps(seen))
    watch = Watch(lambda more: write_whole(out, json.dumps({**seen, **more})))
    watch.watch()
    # Modules imported so far are not tests: pytest need not rewrite their assertions, nor warn that it cannot.
    words = ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    tests = job["tests"] or tests
    words += [f"--ignore={name}" for name in SKIPPED if not any(test.startswith(name) for test in tests)]
    code = int(pytest.main([*words, *tests], plugins=[watch]))
    if watch.red is None and code != pytest.ExitCode.OK:
        seen["error"] = f"pytest ended with {code}, and no test failed"
    seen["red"] = watch.red
    write_whole(out, json.dumps(seen))


if __name__ == "__main__":
    leave_with_the_parent()
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
