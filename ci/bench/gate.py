"""The speed and memory of the gate and of proofs, each figure with its bar and its baseline.

    python ci/bench/gate.py [--jobs 2] [--cold] [--json FILE]
    python ci/bench/gate.py --full ci/results/gate-full.json    # also the full gate: 20 seeds, hours on two cores
    python ci/bench/gate.py --child 5    # what the method's own process costs
    python ci/bench/gate.py --proofs     # certificates from an empty cache; `check` of every large program

Exit 1 where a bar is not met. Measured with certificates in the cache, as on a machine that has run before; `--cold`
begins with an empty cache. `--full FILE` reads the full gate's time from its results; a run that is not finished is made
or resumed. Times are given for the programs of fewer than 8 tokens, which the baselines are of, and for all. The baseline of one recovery is the Edge Pruning authors' script for Tracr's `reverse`:
6,000 steps, 70-79 s on two virtual cores (their code at its published state, run by us).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tracrcheck.rasp.library import load_file
from tracrcheck.records.cache_folder import cache_folder
from tracrcheck.records.machine import in_words, machine

GIB = 2**30
# Programs on which the method takes a second at most, where the cost of a process counts the most.
SAMPLE = ("hist", "sort", "xproportion")
# Programs of at least this length are of published size.
LARGE = 8
PROGRAMS = Path(__file__).parents[2] / "programs"
EVERY = 0.2  # seconds between two looks at the memory


@dataclass(frozen=True, kw_only=True)
class Figure:
    """value and bar in `unit`, smaller is better; bar None: only printed."""

    what: str
    value: float
    unit: str
    bar: float | None = None
    baseline: str = ""

    @property
    def met(self) -> bool:
        return self.bar is None or self.value < self.bar

    def line(self) -> str:
        bar = "" if self.bar is None else f"bar {self.bar:g} {self.unit}: {'met' if self.met else 'NOT MET'}"
        return f"{self.what:<58} {self.value:8.2f} {self.unit:<4} {bar:<22} {self.baseline}".rstrip()


class Memory:
    """The most memory a process and its children took: the largest of them, and all together (shared pages once)."""

    def __init__(self, pid: int) -> None:
        self.pid, self.largest, self.together = pid, 0, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(EVERY):
            found = [_memory(pid) for pid in _family(self.pid)]
            self.largest = max([self.largest, *(rss for rss, _ in found)])
            self.together = max(self.together, sum(pss for _, pss in found))


def _family(pid: int) -> list[int]:
    """A process and everything below it."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


def _memory(pid: int) -> tuple[int, int]:
    """Bytes resident, and bytes with shared pages divided among those that share them."""
    sizes = {"Rss:": 0, "Pss:": 0}
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, *rest = line.split()
            if name in sizes:
                sizes[name] = int(rest[0]) * 1024
    except OSError:
        pass
    return sizes["Rss:"], sizes["Pss:"]


@dataclass(frozen=True, kw_only=True)
class Done:
    """A command run in a process of its own: its results, and wall, processor and user time of all processes, and memory."""

    document: dict
    seconds: float
    cpu_seconds: float
    user_seconds: float
    memory: Memory


def run(*words: str, writes: bool = True, into: Path | None = None) -> Done:
    """writes: whether it takes `--json`. into: where its results are kept."""
    with tempfile.TemporaryDirectory() as folder:
        path = into or Path(folder) / "out.json"
        started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "tracrcheck.cli", *words, *(["--json", str(path)] if writes else [])]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        memory = Memory(process.pid)
        code = process.wait()
        memory.stop()
        seconds = time.monotonic() - started
        if code not in (0, 1):
            sys.exit(f"{words[0]} ended with exit code {code}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        user = after.ru_utime - before.ru_utime
        return Done(
            document=json.loads(path.read_text()) if writes else {}, seconds=seconds, memory=memory,
            cpu_seconds=user + after.ru_stime - before.ru_stime, user_seconds=user,
        )  # fmt: skip


def run_gate(*words: str, into: Path | None = None) -> Done:
    return run("gate", *words, into=into)


def quick(jobs: int) -> Iterator[Figure]:
    """The short programs, and then the others, so that both times are measured."""
    total = 0.0
    for kind, programs, bar in zip(("short", "large"), by_size(), (45.0, None), strict=True):
        before = _cached()
        done = run_gate(*programs, "--profile", "quick", "--jobs", str(jobs))
        made = _cached() - before
        state = f"{made} certificates made" if made else "certificates cached"
        total += done.seconds
        what = f"gate --profile quick, {len(programs)} {kind} programs ({state})"
        yield Figure(what=what, value=done.seconds, unit="s", bar=bar)
        yield from _beside_the_time(done, jobs)
    yield Figure(what=f"  all programs, {jobs} jobs", value=total, unit="s")


def _beside_the_time(done: Done, jobs: int) -> list[Figure]:
    verdicts, memory = done.document["verdicts"], done.memory
    busy = sum(v["seconds"] for v in verdicts)
    return [
        _not_holding(verdicts),
        Figure(what="  of the time of all processes, not the method", value=100 * (1 - busy / (jobs * done.seconds)), unit="%"),
        Figure(what="  memory, the largest process", value=memory.largest / GIB, unit="GiB", bar=2.0),
        Figure(what="  memory, all processes together", value=memory.together / GIB, unit="GiB", bar=2.0),
    ]  # fmt: skip


def full(jobs: int, file: Path) -> list[Figure]:
    """From the results of the full gate. The time of the short programs is their share, by the methods' seconds."""
    if not file.exists() or not json.loads(file.read_text())["run"]["finished"]:
        run_gate("--profile", "full", "--jobs", str(jobs), "--resume", into=file)
    document = json.loads(file.read_text())
    about, verdicts = document["run"], document["verdicts"]
    print(f"{file}: {about['command']}, commit {about['commit'][:12]}\n  {in_words(about['machine'])}")
    named = set(by_size()[0])
    of_short = [v for v in verdicts if v["program"] in named]
    share = sum(sum(_seconds(v)) for v in of_short) / sum(sum(_seconds(v)) for v in verdicts)
    count, every = (len({v["program"] for v in some}) for some in (of_short, verdicts))
    return [
        Figure(what=f"gate --profile full, {count} short programs", value=share * about["seconds"] / 60, unit="min", bar=20.0,
               baseline="43 min (2,577 s) for 75, two cores of an Intel Xeon, 26 November 2026"),
        Figure(what=f"  all {every} programs of the run", value=about["seconds"] / 60, unit="min"),
        _not_holding(verdicts),
    ]  # fmt: skip


def by_size() -> tuple[list[str], list[str]]:
    """The names of the short and of the large programs."""
    sizes = {path.stem: load_file(path).program.max_seq_len for path in sorted(PROGRAMS.glob("*.py"))}
    short = [name for name, longest in sizes.items() if longest < LARGE]
    return short, [name for name in sizes if name not in short]


def _seconds(verdict: dict) -> list[float]:
    """Of each seed: a row of `report --compact` is of several."""
    return verdict["seconds"] if isinstance(verdict["seconds"], list) else [verdict["seconds"]]


def _not_holding(verdicts: Sequence[dict]) -> Figure:
    seeds = [len(_seconds(v)) for v in verdicts]
    wrong = sum(n for n, v in zip(seeds, verdicts, strict=True) if v["verdict"] != "HOLDS")
    return Figure(what=f"  verdicts of {sum(seeds)} that do not hold", value=wrong, unit="")


def one_recovery(seeds: int = 3) -> list[Figure]:
    done = run_gate("reverse", "--ablation", "zero", "--seeds", str(seeds))
    exact = [v for v in done.document["verdicts"] if v["verdict"] == "HOLDS"]
    if len(exact) < seeds:
        sys.exit(f"reverse under zero is exact for {len(exact)} of {seeds} seeds only")
    median = statistics.median(v["seconds"] for v in exact)
    theirs = "the authors' script: 70-79 s, 6,000 steps, two virtual cores"
    return [
        Figure(what=f"one exact recovery of reverse, zero (median of {seeds} seeds)", value=median, unit="s", bar=2.0,
               baseline=theirs),
        Figure(what=f"  the whole command, {seeds} seeds, with start and imports", value=done.seconds, unit="s"),
        Figure(what="  its processor time", value=done.cpu_seconds, unit="s"),
    ]  # fmt: skip


def child_process(rounds: int) -> list[Figure]:
    """The same gate with the method in a process of its own and `--in-process`, by turns: user time, since others may be at work."""
    words = (*SAMPLE, "--ablation", "zero,resample")
    run_gate(*words, "--in-process")  # makes the certificates
    apart, here = [], []
    for number in range(rounds):
        for in_process in (number % 2 == 0, number % 2 == 1):
            done = run_gate(*words, *(["--in-process"] if in_process else []))
            (here if in_process else apart).append(done.user_seconds)
    least, most = statistics.median(here), statistics.median(apart)
    return [
        Figure(what=f"gate of {len(SAMPLE)} programs, in process, median of {rounds}", value=least, unit="s"),
        Figure(what="  with the method in a process of its own", value=most, unit="s"),
        Figure(what="  more user time", value=100 * (most / least - 1), unit="%", bar=10.0),
    ]  # fmt: skip


def proofs(jobs: int, programs: Sequence[str] = ()) -> Iterator[Figure]:
    """From an empty cache. programs: of those that are checked, all large ones if none is named."""
    short, large = by_size()
    if not programs:
        done = run("certify", *short, "--ablation", "all")
        yield Figure(what=f"certificates of {len(short)} programs, {jobs} jobs", value=done.seconds, unit="s", bar=120.0,
                     baseline="187 s")  # fmt: skip
        yield Figure(what="  their processor time", value=done.cpu_seconds, unit="s")
    for name in programs or large:
        done = run("check", str(PROGRAMS / f"{name}.py"), writes=False)
        yield Figure(what=f"check {name}, processor time", value=done.cpu_seconds, unit="s", bar=60.0)
        yield Figure(what="  memory", value=done.memory.largest / GIB, unit="GiB", bar=1.0)


def _cached() -> int:
    return sum(1 for _ in (cache_folder() / "certificates").glob("*.json"))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cold", action="store_true", help="begin with an empty cache of certificates")
    parser.add_argument(
        "--child", type=int, metavar="ROUNDS", help="only measure what the method's process costs"
    )
    parser.add_argument(
        "--proofs",
        nargs="*",
        metavar="PROGRAM",
        help="only certificates, and `check` of these or all large programs",
    )
    parser.add_argument(
        "--full", type=Path, metavar="FILE", help="also the full gate, from or into its results"
    )
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as empty:
        if asked.cold or asked.proofs is not None:
            os.environ["TRACRCHECK_CACHE"] = empty
        record = machine() | {"load_before": round(os.getloadavg()[0], 1)}
        print(in_words(record))
        print(f"load before: {record['load_before']}; wall times mean little where others are at work")
        figures = []
        measures: list[Callable[[], Iterable[Figure]]] = [one_recovery, lambda: quick(asked.jobs)]
        if asked.full is not None:
            measures.append(lambda: full(asked.jobs, asked.full))
        if asked.child:
            measures = [lambda: child_process(asked.child)]
        elif asked.proofs is not None:
            measures = [lambda: proofs(asked.jobs, asked.proofs)]
        for measure in measures:
            for figure in measure():
                print(figure.line(), flush=True)
                figures.append(figure)
    if asked.json is not None:
        rows = [asdict(figure) | {"met": figure.met} for figure in figures]
        asked.json.write_text(json.dumps({"machine": record, "figures": rows}, indent=2) + "\n")
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
