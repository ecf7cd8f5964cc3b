"""`--resume` of a run that is finished: nothing is done again, and the exit code and the reports are those of the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tracrcheck.runs import compare, false_alarms, fuzz, gate, invariants, mutants
from tracrcheck.trained.curve import Curve

EVEN = "tests.tracrcheck.pruners:only_for_even_seeds"
REPORTS = {"--html": "out.html", "--junit": "out.xml", "--md": "out.md"}


def no_curve(job):
    return Curve(
        method=job.method, seed=job.seed, candidates=0, seconds=0, peak_mib=0, points=(), fault="died"
    )


def no_job(*args, **more):
    return mutants.Job(programs=(), truths={}, out=Path())


def a_broken_law(plan, seed, **more):
    yield invariants.Checked(
        invariant="legal_edges", subject="gpt2_0", seed=seed, law=True, violation="got 1", seconds=0.0
    )


@dataclass(frozen=True)
class Command:
    """words: a call that ends red. reports: the options that write. works: (module, name, what stands in) of the work."""

    words: Sequence[str]
    works: Sequence[tuple[object, str, Callable | None]]
    reports: Sequence[str] = tuple(REPORTS)
    plot: bool = False


COMMANDS = {
    "gate": Command(["gate", "hist", "--ablation", "zero", "--method", "tests.tracrcheck.pruners:everything"], [(gate, "gate", None)]),
    "fuzz": Command(
        ["fuzz", "--programs", "1", "--seed", "5", "--ablation", "zero", "--method", "tests.tracrcheck.runs.pruners:forgets_positions"],
        [(fuzz, "examine", None), (fuzz, "Draws", None)],
    ),
    "invariants": Command(
        ["invariants", "--only", "legal_edges", "--programs", "0"], [(invariants, "checks", a_broken_law)], 
    ),
    "mutants": Command(
        ["mutants", "--only", "clamp_missing"],
        [(mutants, "job_of", no_job), (mutants, "check", lambda *a, **k: mutants.Seen())],
    ),
    "mutants --false-alarms": Command(
        ["mutants", "--false-alarms", "1"],
        [(mutants, "job_of", no_job), (false_alarms, "check", lambda *a, **k: mutants.Seen(red="some check: got 1"))],
        reports=(),
    ),
    "compare": Command(
        ["compare", "--task", "greater_than", "--prompts", "6", "--seeds", "1", "--methods", "random"],
        [(compare, "curve_elsewhere", no_curve)],
        plot=True,
    ),
}  # fmt: skip


def never(*args, **more):
    raise AssertionError("done again")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_finished_run_that_is_resumed_stays_red_and_writes_its_reports(call, here, monkeypatch, name):
    command = COMMANDS[name]
    for module, work, stand_in in command.works:
        if stand_in is not None:
            monkeypatch.setattr(module, work, stand_in)
    words = [*command.words, "--json", "out.json", "--resume"]
    for option in command.reports:
        words += [option, REPORTS[option]]
    words += ["--plot", "out.svg"] if command.plot else []
    first = call(*words)
    assert first.exit_code == 1, first.output
    assert json.loads(Path("out.json").read_text())["run"]["finished"]
    before = {path: path.read_text() for path in here.iterdir()}
    assert len(before) == 1 + len(command.reports) + command.plot
    for path in before:
        if path.name != "out.json":
            path.unlink()
    for module, work, _ in command.works:
        if work != "job_of":
            monkeypatch.setattr(module, work, never)
    again = call(*words)
    assert again.exit_code == 1, again.output
    assert again.stderr == "out.json is this run, finished: there is nothing to resume\n"
    assert {path: path.read_text() for path in here.iterdir()} == before


def test_a_finished_run_of_other_sources_is_made_again(call, here):
    words = ["gate", "hist", "--ablation", "zero", "--method", EVEN, "--json", "out.json", "--resume"]
    assert call(*words).exit_code == 0
    document = json.loads(Path("out.json").read_text())
    now, document["run"]["sources"]["packages"] = document["run"]["sources"]["packages"], "f" * 64
    Path("out.json").write_text(json.dumps(document))
    again = call(*words)
    assert (again.exit_code, again.stderr) == (0, "")
    assert json.loads(Path("out.json").read_text())["run"]["sources"]["packages"] == now


def test_a_finished_gate_that_is_resumed_is_compared_with_its_baseline(call, here):
    words = ["gate", "hist", "--ablation", "zero", "--method", EVEN, "--seeds"]
    assert call(*words, "1", "--json", "before.json").exit_code == 0
    document = json.loads(Path("before.json").read_text())
    document["run"]["asked"]["seeds"] = [0]
    Path("before.json").write_text(json.dumps(document))
    words = [*words, "2", "--json", "out.json", "--resume", "--baseline", "before.json", "--allow-known"]
    first, again = call(*words), call(*words)
    assert (first.exit_code, again.exit_code) == (1, 1), again.output
    assert "there is nothing to resume" in again.stderr
    assert first.stdout.endswith(again.stdout)
    assert "new" in again.stdout
