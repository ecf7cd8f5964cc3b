"""How soon each command begins its work: user CPU seconds, beside those of `import torch` in the same run.

    python ci/bench/start.py [--repeats 3] [--json FILE]

Every command runs in a process of its own, `import torch` before each of them, and the medians are compared: a busy
machine slows both. Certificates are in the cache, as on a machine that has run before; a first run puts them there.
Exit 1 where a bar is not met.

The bars: 1.3 x `import torch` for a command that runs a program already certified, 3 x for `check`, which compiles
with JAX as well, 2.5 seconds for `programs`, which compiles all of them, and one second for a wrong call. The gate is
run with its default method, which trains: its own seconds are measured inside the run, printed beside the others, and
not held to the bar, since they are the work and not the start.
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
from dataclasses import asdict, dataclass
from pathlib import Path

from tracrcheck.records.machine import in_words
from tracrcheck.runs.base import made_now

CERTIFIED, CHECKED = 1.3, 3.0  # times `import torch`
WRONG, BEGUN = 1.0, 2.5  # seconds
TORCH = [sys.executable, "-c", "import torch"]
# The gate's default method. It writes down how long it worked.
TIMED = """
import resource
from edgeprune_core import METHODS

method = METHODS["edge_pruning_score_function"]

def cpu():
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime

def discover(task):
    before = cpu()
    found = method(task)
    with open("seconds.txt", "a") as file:
        print(cpu() - before, file=file)
    return found
"""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A command line with its exit code, and its bar: in times `import torch`, or in seconds."""

    words: tuple[str, ...]
    code: int = 0
    most_torch: float | None = None
    most_seconds: float | None = None


CALLS = (
    *(
        Call(words=words, most_torch=CERTIFIED)
        for words in (
            ("certify", "hist"),
            ("gate", "hist", "--method", "timed:discover"),
            ("grade", "circuit.json", "--program", "hist"),
            ("show", "hist"),
            ("show", "hist", "--out", "hist.svg"),
            ("explain", "hist", "a0.h0 -> m0"),
        )
    ),
    Call(words=("programs",), most_seconds=BEGUN),
    Call(words=("check", "hist"), most_torch=CHECKED),
    *(
        Call(words=words, code=2, most_seconds=WRONG)
        for words in (
            ("no-such-command",),
            ("gate", "--no-such-option"),
            ("gate", "no-such-program"),
            ("gate", "hist", "--json", "missing/out.json"),
            ("gate", "hist", "--lengths", "3-1"),
            ("gate", "hist", "--method", "wrong"),
            ("gate", "hist", "--ablation", "wrong"),
            ("gate", "hist", "--criterion", "wrong"),
            ("explain", "hist", "wrong"),
            ("discover", "--task", "wrong"),
            ("discover", "--task", "ioi", "--method", "wrong"),
            ("compare", "--task", "ioi", "--methods", "wrong"),
            ("faithfulness", "circuit.json", "--task", "ioi", "--metric", "wrong"),
            ("certify", "no-such-program"),
            ("certify", "--all", "--write", "missing/pins.json"),
            ("show", "hist", "--out", "missing/hist.svg"),
            ("check", "no-such-program"),
        )
    ),
)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Medians of user CPU seconds. bar: of `seconds`, with what `torch_seconds` makes of it.

    method_seconds: what a method took besides.
    """

    command: str
    seconds: float
    method_seconds: float
    torch_seconds: float
    bar: float

    @property
    def ratio(self) -> float:
        return self.seconds / self.torch_seconds

    @property
    def met(self) -> bool:
        return self.seconds <= self.bar

    def line(self) -> str:
        met = "met" if self.met else "NOT MET"
        method = f"; the method {self.method_seconds:.2f} s besides" if self.method_seconds else ""
        return (
            f"{self.command:<48} {self.seconds:5.2f} s   torch {self.torch_seconds:5.2f} s   "
            f"{self.ratio:5.2f} x   bar {self.bar:5.2f} s: {met}{method}"
        )


def cpu_seconds(command: list[str], folder: Path, code: int = 0) -> float:
    """User CPU seconds of a process that must end with this exit code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != code:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def method_seconds(folder: Path) -> float:
    """What the timed method wrote down in the last command."""
    path = folder / "seconds.txt"
    if not path.exists():
        return 0.0
    seconds = sum(map(float, path.read_text().split()))
    path.unlink()
    return seconds


def measure(call: Call, folder: Path, repeats: int) -> Figure:
    command, torch, own, methods = [sys.executable, "-m", "tracrcheck", *call.words], [], [], []
    for _ in range(repeats):
        torch.append(cpu_seconds(TORCH, folder))
        seconds = cpu_seconds(command, folder, call.code)
        methods.append(method_seconds(folder))
        own.append(seconds - methods[-1])
    torch_seconds = statistics.median(torch)
    bar = call.most_seconds if call.most_torch is None else call.most_torch * torch_seconds
    assert bar is not None, call.words
    return Figure(
        command=" ".join(("tracrcheck", *call.words)),
        seconds=statistics.median(own),
        method_seconds=statistics.median(methods),
        torch_seconds=torch_seconds,
        bar=bar,
    )


def prepare(folder: Path) -> None:
    """Certificates of `hist` in the cache, a circuit to grade, and the timed method."""
    (folder / "timed.py").write_text(TIMED)
    begin = [sys.executable, "-m", "tracrcheck", "certify", "hist"]
    cpu_seconds([*begin, "--json", "all.json"], folder)
    certificates = json.loads((folder / "all.json").read_text())["certificates"]
    (folder / "circuit.json").write_text(json.dumps(certificates[0]["required"]))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    header = made_now(f"python ci/bench/start.py --repeats {asked.repeats} --json {asked.json}")
    header["load_before"] = round(os.getloadavg()[0], 1)
    print(in_words(header["machine"]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["TRACRCHECK_CACHE"] = str(folder / "cache")
        prepare(folder)
        figures = []
        for call in CALLS:
            figures.append(measure(call, folder, asked.repeats))
            print(figures[-1].line(), flush=True)
    if asked.json is not None:
        rows = [asdict(figure) | {"ratio": round(figure.ratio, 3), "met": figure.met} for figure in figures]
        asked.json.write_text(json.dumps(header | {"results": rows}, indent=2) + "\n")
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
