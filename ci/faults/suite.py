"""The seeded faults checked by the default tests instead of the gauntlet.

    python -m ci.faults.suite run --jobs 2 --json suite.json
    python -m ci.faults.suite run --targeted --json targeted.json
    python -m ci.faults.suite recheck suite.json

Works in a checkout only. The results file is that of `tracrcheck mutants`, with `by: suite`.
"""

from __future__ import annotations

import ast
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ci.faults.suite_process import SKIPPED, TESTS
from tracrcheck.commands import mutants as seeding
from tracrcheck.commands.arguments import RunOptions
from tracrcheck.commands.base import command
from tracrcheck.commands.results import recheck
from tracrcheck.mutants import MUTANTS, Mutant
from tracrcheck.mutants.checks import Job
from tracrcheck.mutants.sandbox import Way
from tracrcheck.records.sources import sources_of
from tracrcheck.runs import mutants as runner

ROOT = Path(__file__).resolve().parents[2]
# The tests bring their own truths.
NOTHING = Job(programs=(), truths={}, out=Path())
# Without a fault, the suite takes about 290 seconds of CPU time. Each test has a limit of its own.
# Faults that name tests of their own are checked by those, which takes seconds.
SUITE = Way(
    module="ci.faults.suite_process",
    imports=("tracrcheck.mutants.checks",),
    root=ROOT,
    beside=("tests", "programs", "docs", "pyproject.toml", "README.md", "CHANGELOG.md", "ci"),
    processor=5400,
    endless=False,
    # What most tests import, and the parts of it that torch imports when an optimiser is made.
    forked=("torch._dynamo", "accelerate", "torch", "transformers.models.gpt2", "transformers.models.llama", "jax", "haiku", "tracr.compiler.compiling", "pytest", "hypothesis"),
)  # fmt: skip


def battery(chosen: Sequence[Mutant] = ()) -> runner.Battery:
    """For these faults: without a fault, all of their tests must be green."""
    asked = [
        *(TESTS if any(not mutant.tests for mutant in chosen) else ()),
        *dict.fromkeys(test for mutant in chosen for test in mutant.tests),
    ]
    roots = (*runner.ROOTS, *runner.METHODS_ASKED, *modules())
    return runner.Battery(
        by="suite",
        job=replace(NOTHING, tests=tuple(asked)),
        way=SUITE,
        asked={"tests": asked},
        sources=sources_of(files(), roots=roots),
    )


def files() -> list[Path]:
    """Every file that the suite is made of: tests, programs and this script."""
    own = {test.split("::")[0] for mutant in MUTANTS.values() for test in mutant.tests}
    own |= {mutant.file for mutant in MUTANTS.values() if not mutant.file.endswith(".py")}
    folders = [ROOT / name for name in (*TESTS, *own, "tests/regressions", "programs", "ci/faults")]
    folders = [path.parent if path.suffix else path for path in folders]
    skipped = [ROOT / name for name in SKIPPED if not any(test.startswith(name) for test in own)]
    found = {path for folder in folders for path in folder.rglob("*") if path.is_file()}
    return sorted(
        path
        for path in {*found, *(ROOT / "tests").glob("*.py")}
        if path.suffix != ".pyc" and not any(path.is_relative_to(folder) for folder in skipped)
    )


def modules() -> list[str]:
    """Every module that the suite imports or a fault is in, ours or third-party."""
    edited = (Path(mutant.file) for mutant in MUTANTS.values() if mutant.file.endswith(".py"))
    found = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in edited}
    for path in files():
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.Import):
                    found |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return sorted(found)


Targeted = Annotated[
    bool, typer.Option("--targeted", help="Only faults that name tests of their own: seconds each.")
]


@command
def run(
    options: RunOptions,
    only: seeding.Only = None,
    targeted: Targeted = False,
    unchecked: seeding.Unchecked = False,
) -> None:
    """Seed faults in copies of the checkout, one at a time: exit 1 if all tests stay green."""
    chosen = tuple(m for m in runner.chosen(only or [], by="suite") if m.tests or not targeted)
    words = shlex.join(["python", "-m", "ci.faults.suite", *sys.argv[1:]])
    seeding.hunt(chosen, lambda: battery(chosen), words, options, unchecked=unchecked)


runner.BATTERIES["suite"] = battery
app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
app.command()(run)
app.command()(recheck)

if __name__ == "__main__":
    app()
