"""Each command that sweeps, on a cluster: the same file as one process writes, though a worker or the driver is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tracrcheck.executors.dask.conftest import pids
from tests.tracrcheck.executors.waiting import until
from tests.tracrcheck.mutants import quick
from tracrcheck.executors.dask_cluster import Cluster
from tracrcheck.records.journal import Ledger

ROOT = Path(__file__).parents[4]
METHODS = "tests.tracrcheck.pruners:"
GATE = ["gate", "hist", "--ablation", "zero,resample", "--seeds", "4", "--method"]
COMMANDS = {
    "gate": [*GATE, METHODS + "some_edges"],
    "fuzz": [
        "fuzz",
        "--programs",
        "4",
        "--seed",
        "5",
        "--method",
        METHODS + "some_edges",
        "--ablation",
        "zero",
    ],
    "invariants": [
        "invariants",
        "--only",
        "closed_forms",
        "--only",
        "legal_edges",
        "--programs",
        "0",
        "--seeds",
        "4",
    ],
    "mutants": ["mutants", "--unchecked", "--only", "layers_counted_for_heads", "--only", "rotary_sign"],
}
# Fields that say when, where and by which command a run was made.
ASIDE = {"seconds", "certify_seconds", "started", "command", "machine", "sittings", "commit"}


@pytest.fixture(autouse=True)
def _one_check(monkeypatch):
    """A hunt for seeded faults checks one invariant, which kills one of the two."""
    monkeypatch.setattr("tracrcheck.runs.mutants.job_of", quick.job_of)


def timeless(thing):
    if isinstance(thing, dict):
        return {name: timeless(value) for name, value in thing.items() if name not in ASIDE}
    return [timeless(value) for value in thing] if isinstance(thing, list) else thing


def written(call, code, *words):
    """The results file of a run that ends with this code."""
    result = call(*words, "--json", "out.json")
    assert result.exit_code == code, result.output
    assert not Path("out.json.part").exists()
    return timeless(json.loads(Path("out.json").read_text()))


CODES = {"gate": 1, "fuzz": 1, "invariants": 0, "mutants": 1}


@pytest.mark.parametrize(
    ("command", "needs"),
    [
        (
            "gate",
            {"files": (str(ROOT / "programs" / "hist.py"),), "methods": (METHODS + "some_edges",)},
        ),
        ("fuzz", {"methods": (METHODS + "some_edges",)}),
        ("invariants", {}),
        ("mutants", {}),
    ],
)
def test_a_command_hands_its_units_to_the_cluster_and_says_what_its_workers_must_have(
    call, here, monkeypatch, command, needs
):
    """The units are done in this process."""
    given = []

    def swept(work, units, *, jobs, lost, cluster):
        given.append((len(units), jobs, cluster))
        yield from enumerate(map(work, units))

    monkeypatch.setattr("tracrcheck.runs.base.sweep", swept)
    monkeypatch.setattr("tracrcheck.runs.mutants.hunt", quick.killed)
    monkeypatch.setattr("tracrcheck.executors.dask_cluster.check", lambda address, *, jobs: address)
    result = call(*COMMANDS[command], "--cluster", "tcp://there:1")
    assert result.exit_code == (0 if command == "mutants" else CODES[command]), result.output
    n = {"gate": 8, "mutants": 2}.get(command, 4)
    certified, handed_out = given[:-1], given[-1]  # the gate certifies first what is not cached
    assert handed_out == (n, 1, Cluster(address="tcp://there:1", **needs))
    assert all(cluster.files == needs["files"] for _, _, cluster in certified)


@pytest.mark.parametrize(
    "command", ["invariants", *(pytest.param(c, marks=pytest.mark.slow) for c in ("gate", "fuzz", "mutants"))]
)
def test_a_worker_that_is_killed_changes_nothing_in_the_file(call, here, dask, at, monkeypatch, command):
    words, code = COMMANDS[command], CODES[command]
    alone = written(call, code, *words)
    before, append = pids(dask), Ledger.append

    def killing(self, row):
        """Kills a worker after the first result, while the others work."""
        append(self, row)
        if len(self.rows) == 1:
            os.kill(before[0], signal.SIGKILL)

    monkeypatch.setattr(Ledger, "append", killing)
    assert written(call, code, *words, "--cluster", at.address) == alone
    until(lambda: set(pids(dask)) != set(before))


@pytest.mark.slow
def test_a_worker_that_is_killed_by_what_it_does_costs_no_verdict(call, here, at):
    words = [*GATE, METHODS + "kills_its_worker_the_first_time", "--cluster", at.address]
    found = written(call, 1, *words)
    assert Path("killed").exists()
    assert [v["reason"] for v in found["verdicts"]] == ["unfaithful"] * 8


def test_the_time_limit_is_kept(call, here, at):
    """A worker runs what it is given in a thread, where no alarm can be set."""
    words = [
        "gate",
        "hist",
        "--ablation",
        "zero",
        "--cluster",
        at.address,
        "--timeout",
        "0.5",
        "--seeds",
        "2",
    ]
    found = written(call, 1, *words, "--method", METHODS + "hangs_at_odd_seeds")
    assert [v["reason"] for v in found["verdicts"]] == ["unfaithful", "timeout"]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["leaves_at_seed_one", "TogetherAndGone"])
@pytest.mark.parametrize("where", ["cluster", "jobs"])
def test_a_method_that_ends_its_process_fails_alone(call, here, at, where, method):
    words = ["gate", "hist", "--ablation", "zero", "--seeds", "3", "--method", METHODS + method]
    words += ["--cluster", at.address] if where == "cluster" else ["--jobs", "2"]
    found = written(call, 1, *words)
    assert [v["reason"] for v in found["verdicts"]] == ["unfaithful", "raised", "unfaithful"]


@pytest.mark.slow
def test_faults_are_hunted_by_several_processes_as_by_one(call, here):
    alone = written(call, 1, *COMMANDS["mutants"])
    assert written(call, 1, *COMMANDS["mutants"], "--jobs", "2") == alone
    assert {m["name"]: m["status"] for m in alone["mutants"]} == {
        "layers_counted_for_heads": "killed",
        "rotary_sign": "survived",
    }


# A driver that is killed as soon as its second result is on disk.
KILLED = """
import os, signal, sys
from tests.tracrcheck.mutants import quick
from tracrcheck.records.journal import Ledger
from tracrcheck.runs import mutants as runner
runner.job_of = quick.job_of
append = Ledger.append
def killing(self, row):
    append(self, row)
    if len(self.rows) == {results}:
        os.kill(os.getpid(), signal.SIGKILL)
Ledger.append = killing
from tracrcheck.cli import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_driver_that_is_killed_goes_on_to_the_same_file(call, here, at, command):
    words = [*COMMANDS[command], "--cluster", at.address]
    results = 1 if command == "mutants" else 2
    killed = subprocess.run(
        [sys.executable, "-c", KILLED.format(results=results), *words, "--json", "out.json"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    rows = [json.loads(line) for line in Path("out.json.part").read_text().splitlines()]
    assert len(rows) == 1 + results
    with open("out.json.part", "ab") as part:
        part.write(b'{"half a li')
    resumed = written(call, CODES[command], *words, "--resume")
    assert resumed == written(call, CODES[command], *COMMANDS[command])
