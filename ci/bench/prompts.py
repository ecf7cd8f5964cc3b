"""`tracrcheck discover` on long lists of prompts: peak memory, and processor time of a step, beside those of 200 prompts.

    python ci/bench/prompts.py [--prompts 200 100000] [--steps 40] [--json FILE]

Each number of prompts has a process of its own. Exit 1 where one of them takes more than `BAR` times the memory or the time of
the first.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from edgeprune_core.atomic_write import write_whole
from edgeprune_core.training.pathwise import PathwiseTraining
from tracrcheck.cli import app
from tracrcheck.runs.base import made_now
from tracrcheck.trained.pareto import peak_mib

BAR = 1.1
DISCOVER = ("discover", "--task", "ioi", "--edges", "300", "--minutes", "0.2")


def measured(prompts: int, steps: int) -> dict[str, Any]:
    """In this process."""
    seconds: list[float] = []
    advance = PathwiseTraining.advance

    def timed(training: PathwiseTraining) -> None:
        started = time.process_time()
        advance(training)
        seconds.append(time.process_time() - started)

    PathwiseTraining.advance = timed  # type: ignore[method-assign]
    try:
        app([*DISCOVER, "--prompts", str(prompts), "--steps", str(steps)], standalone_mode=False)
    finally:
        PathwiseTraining.advance = advance  # type: ignore[method-assign]
    return {
        "prompts": prompts,
        "peak_mib": round(peak_mib()),
        "step_ms": round(1000 * statistics.median(seconds), 1),
    }


def elsewhere(prompts: int, steps: int) -> dict[str, Any]:
    """In a new process, so that the peak is its own."""
    words = [sys.executable, __file__, "--one", str(prompts), "--steps", str(steps)]
    lines = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def judged(found: dict[str, Any], first: dict[str, Any]) -> dict[str, Any]:
    """With whether it is within the bar."""
    met = all(found[name] <= BAR * first[name] for name in ("peak_mib", "step_ms"))
    return {**found, "met": met}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prompts", type=int, nargs="+", default=[200, 100_000])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if asked.one is not None:
        print(json.dumps(measured(asked.one, asked.steps)))
        return 0
    numbers = " ".join(map(str, asked.prompts))
    header = made_now(f"python ci/bench/prompts.py --prompts {numbers} --steps {asked.steps}")
    found: list[dict[str, Any]] = []
    for prompts in asked.prompts:
        one = elsewhere(prompts, asked.steps)
        found.append(judged(one, found[0] if found else one))
        print(
            f"{prompts:>9,} prompts: {one['peak_mib']:,} MiB, {one['step_ms']:.1f} ms a step: "
            f"{'met' if found[-1]['met'] else 'NOT MET'}",
            flush=True,
        )
    if asked.json is not None:
        write_whole(asked.json, json.dumps({**header, "results": found}, indent=2) + "\n")
    return 0 if all(one["met"] for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
