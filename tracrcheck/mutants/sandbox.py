"""A copy of both packages with one fault seeded in it, checked by a process that imports the copy.

The packages are copied as installed, with their byte code except that of the edited file. `Way` says which checks run on
the copy. Problems are returned as text, not raised: an edit that does not match exactly once, a copy that does not
import, and a copy whose sources equal the original's do not count as kills.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tracrcheck.mutants.base import Mutant
from tracrcheck.mutants.checks import Job
from tracrcheck.mutants.child_process import sources
from tracrcheck.mutants.forked import server
from tracrcheck.records.sources import OURS, package_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a copy is checked.

    module:    the module that its process runs on a job.
    imports:   what the process imports first, besides the edited module.
    root:      a checkout with `beside`, the files and folders that the checks need next to the packages.
    processor: limit on the CPU seconds of all checks of one copy.
    endless:   whether exceeding the limit counts as red. Where each check has a limit of its own it is an error.
    forked:    modules that are not ours and are imported once for all copies (`forked.py`); none: each in a new process.
    """

    module: str
    imports: tuple[str, ...] = ()
    root: Path = Path()
    beside: tuple[str, ...] = ()
    processor: int
    endless: bool
    forked: tuple[str, ...] = ()


# Without a fault, the gauntlet takes about 50 seconds of CPU time.
GAUNTLET = Way(module="tracrcheck.mutants.checks", processor=600, endless=True)


class NoCopy(Exception):
    """The edit could not be made; the argument says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """error: why nothing was checked. red: the first check that failed. Both None if all hold."""

    error: str | None = None
    red: str | None = None


@contextmanager
def copied(mutant: Mutant | None, way: Way = GAUNTLET) -> Iterator[Path]:
    """A folder with both packages, the fault seeded (None: unchanged), and what the way needs. Raises `NoCopy`."""
    with tempfile.TemporaryDirectory(prefix="tracrcheck-mutant-") as name:
        folder = Path(name)
        for top, package in OURS.items():
            shutil.copytree(package_folder(package), folder / top)
        for part in way.beside:
            _copy(way.root / part, folder / part)
        if mutant is not None:
            _edit(folder / mutant.file, mutant)
        yield folder


def _copy(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, to)
    else:
        shutil.copy2(source, to)


def _edit(path: Path, mutant: Mutant) -> None:
    if not path.is_file():
        raise NoCopy(f"there is no file {mutant.file}")
    text = path.read_text(encoding="utf-8")
    if (n := text.count(mutant.old)) != 1:
        raise NoCopy(f"the text to edit stands in {mutant.file} {n} times, not once")
    for stale in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
        stale.unlink()
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")


# The process limits its CPU time before it imports anything from the copy.
LIMITED = """
import resource, runpy, sys
module, seconds = sys.argv.pop(1), int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def check(mutant: Mutant | None, job: Job, *, way: Way = GAUNTLET) -> Seen:
    """Runs all checks in a separate process, on a copy with this fault (None: without any)."""
    try:
        with copied(mutant, way) as folder:
            edited = () if mutant is None else _modules(mutant.file)
            out = folder / "seen.json"
            tests = job.tests if mutant is None else mutant.tests
            asked = replace(job, imports=(*edited, *way.imports), tests=tests, out=out)
            (folder / "job.json").write_text(asked.dumps(), encoding="utf-8")
            done = _run(folder, way)
            return _seen(_read(out), done, mutated=mutant is not None, way=way)
    except NoCopy as error:
        return Seen(error=str(error))


def _modules(file: str) -> tuple[str, ...]:
    """The module of this file; none where it is a template."""
    name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return (name,) if file.endswith(".py") else ()


def _run(folder: Path, way: Way) -> subprocess.CompletedProcess[str]:
    """Its standard input stays open while this process lives, which it watches to end with it."""
    environment = {"JAX_PLATFORMS": "cpu"} | os.environ | {
        "PYTHONPATH": str(folder), "TRACRCHECK_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
    }  # fmt: skip
    job, err = str(folder / "job.json"), folder / "err.txt"
    code = (_in_a_fork if way.forked else _in_a_process)(way, job, folder, environment, err)
    return subprocess.CompletedProcess([], code, stderr=err.read_text(encoding="utf-8"))


def _in_a_fork(way: Way, job: str, folder: Path, environment: Mapping[str, str], err: Path) -> int:
    return server(way.forked).run(
        way.module, job, folder=str(folder), environment=environment, seconds=way.processor, err=str(err)
    )


def _in_a_process(way: Way, job: str, folder: Path, environment: Mapping[str, str], err: Path) -> int:
    beside, ours = os.pipe()
    try:
        with open(err, "w", encoding="utf-8") as file:
            return subprocess.run(
                [sys.executable, "-c", LIMITED, way.module, str(way.processor), job],
                cwd=folder, env=environment, stdin=beside, stdout=subprocess.DEVNULL, stderr=file,
            ).returncode  # fmt: skip
    finally:
        os.close(beside)
        os.close(ours)


def _read(out: Path) -> dict[str, Any]:
    return json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}


def _seen(record: dict[str, Any], done: subprocess.CompletedProcess[str], *, mutated: bool, way: Way) -> Seen:
    last = (done.stderr.strip().splitlines() or ["no word"])[-1]
    if "imported" not in record:
        return Seen(error=f"the copy does not import: {last}")
    if mutated == (record["imported"] == sources()):
        return Seen(error="the process ran other sources than the copy's")
    if "error" in record:
        return Seen(error=record["error"])
    if "red" in record:
        return Seen(red=record["red"])
    if done.returncode in (-9, -24):  # SIGKILL and SIGXCPU: the limit
        took = f"the checks took more than {way.processor} seconds of CPU time"
        return Seen(red=f"time: {took}") if way.endless else Seen(error=f"{took}, and none had failed")
    died = f"the process died ({done.returncode}): {last}"
    return Seen(red=died) if done.returncode < 0 else Seen(error=died)
