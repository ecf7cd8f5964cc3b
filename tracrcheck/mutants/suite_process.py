"""The tests of `suite.py` in one row, up to the first that fails.

    python -m tracrcheck.mutants.suite_process JOB.json

runs them in the current folder, on whatever `edgeprune_core` and `tracrcheck` the process imports, and writes what it saw to
the file that the job names: `imported` as soon as everything is imported, with a hash of the sources, then `red`, the
first test that failed and its assertion. A test that runs for more than LONGEST seconds of processor (unmutated, the slowest
takes a twentieth of that), or for more than WAITING seconds by the clock, hangs; that is red. So is a file of tests that
cannot be collected: the packages themselves were imported before.
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
from tracrcheck.mutants.suite import TESTS

LONGEST = 300.0
WAITING = 1800.0
WATCH = 2.0


class Watch:
    """A plugin of pytest: the first failure, of a test or of what is collected; and a test that hangs."""

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
        """Which test does, at these readings of the processor's time and of the clock; in words."""
        if self._at is None:
            return None
        name, processor_then, clock_then = self._at
        if processor - processor_then > LONGEST:
            return f"{name}: hangs, more than {LONGEST:g} seconds of processor"
        if clock - clock_then > WAITING:
            return f"{name}: hangs, more than {WAITING:g} seconds by the clock"
        return None


def assertion(shown: Any) -> str:
    """Of what pytest shows of a failure: the first line of what was raised; without any, the last that it shows."""
    crash = getattr(shown, "reprcrash", None)
    if crash is not None and crash.message:
        return crash.message.splitlines()[0]
    return (str(shown).strip().splitlines() or ["no word"])[-1]


# The process -------------------------------------------------------------------------------------------


def main(job: Mapping[str, Any], tests: Sequence[str] = TESTS) -> None:
    """job: `imports`, modules to import first; `out`, the file to write to. tests: what pytest is given."""
    out = Path(job["out"])
    for name in job["imports"]:
        importlib.import_module(name)
    seen: dict[str, Any] = {"imported": sources()}
    write_whole(out, json.dumps(seen))
    watch = Watch(lambda told: write_whole(out, json.dumps({**seen, **told})))
    watch.watch()
    # What the packages imported is no test of ours, and has no assertions that pytest should rewrite.
    words = ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    code = int(pytest.main([*words, *tests], plugins=[watch]))
    if watch.red is None and code != pytest.ExitCode.OK:
        seen["error"] = f"pytest ended with {code}, and no test failed"
    seen["red"] = watch.red
    write_whole(out, json.dumps(seen))


if __name__ == "__main__":
    leave_with_the_parent()
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
