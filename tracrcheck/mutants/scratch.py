"""A copy of both packages with one edit in it, and what a process that imports the copy saw.

The copy is of the packages as they are installed, byte code included; that of the edited file is left out. Errors are told
as text and not raised: an edit that does not match exactly once, a copy that does not import, and one whose
sources are those of the original, are no kill.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracrcheck.gauntlet import Job, sources
from tracrcheck.mutants.base import Mutant
from tracrcheck.sources import OURS, package_folder

# Seconds of processor that all checks of one copy may take. Unmutated they take about one.
PROCESSOR = 600


class NoCopy(Exception):
    """Why an edit could not be made, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """error: why nothing was checked. red: the first check that failed. Both None where all hold."""

    error: str | None = None
    red: str | None = None


@contextmanager
def copied(mutant: Mutant | None) -> Iterator[Path]:
    """A folder with both packages, edited; None leaves them as they are. Raises `NoCopy`."""
    with tempfile.TemporaryDirectory(prefix="tracrcheck-mutant-") as name:
        folder = Path(name)
        for top, package in OURS.items():
            shutil.copytree(package_folder(package), folder / top)
        if mutant is not None:
            _edit(folder / mutant.file, mutant)
        yield folder


def _edit(path: Path, mutant: Mutant) -> None:
    if not path.is_file():
        raise NoCopy(f"there is no file {mutant.file}")
    text = path.read_text(encoding="utf-8")
    if (n := text.count(mutant.old)) != 1:
        raise NoCopy(f"the text to edit stands in {mutant.file} {n} times, not once")
    for stale in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
        stale.unlink()
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")


# The process limits itself before it imports anything of the copy.
LIMITED = """
import resource, runpy, sys
seconds = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
runpy.run_module("tracrcheck.gauntlet", run_name="__main__", alter_sys=True)
"""


def check(mutant: Mutant | None, job: Job, *, processor: int = PROCESSOR) -> Seen:
    """Runs the gauntlet in a process of its own, on a copy with this edit; on one without any where it is None."""
    try:
        with copied(mutant) as folder:
            module = () if mutant is None else (_module(mutant.file),)
            out = folder / "seen.json"
            text = Job(**{**_fields(job), "imports": module, "out": out}).dumps()
            (folder / "job.json").write_text(text, encoding="utf-8")
            done = _run(folder, processor)
            return _seen(_read(out), done, mutated=mutant is not None, processor=processor)
    except NoCopy as error:
        return Seen(error=str(error))


def _fields(job: Job) -> dict[str, Any]:
    return {name: getattr(job, name) for name in ("programs", "truths", "only", "seed")}


def _module(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _run(folder: Path, processor: int) -> subprocess.CompletedProcess[str]:
    """Its standard input stays open as long as we live: it ends when we do."""
    environment = os.environ | {
        "PYTHONPATH": str(folder), "TRACRCHECK_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
    }  # fmt: skip
    beside, ours = os.pipe()
    try:
        with open(folder / "err.txt", "w+", encoding="utf-8") as err:
            done = subprocess.run(
                [sys.executable, "-c", LIMITED, str(processor), str(folder / "job.json")],
                cwd=folder, env=environment, stdin=beside, stdout=subprocess.DEVNULL, stderr=err,
            )  # fmt: skip
            err.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, stderr=err.read())
    finally:
        os.close(beside)
        os.close(ours)


def _read(out: Path) -> dict[str, Any]:
    return json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}


def _seen(
    record: dict[str, Any], done: subprocess.CompletedProcess[str], *, mutated: bool, processor: int
) -> Seen:
    last = (done.stderr.strip().splitlines() or ["no word"])[-1]
    if "imported" not in record:
        return Seen(error=f"the copy does not import: {last}")
    if mutated == (record["imported"] == sources()):
        return Seen(error="the process ran other sources than the copy's")
    if "red" in record:
        return Seen(red=record["red"])
    if done.returncode in (-9, -24):  # SIGKILL and SIGXCPU, of the limit
        return Seen(red=f"time: the checks took more than {processor} seconds of processor")
    return Seen(red=f"the process died ({done.returncode}): {last}")
