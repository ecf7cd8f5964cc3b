"""What commands have in common: help, the version, and seeds."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.tracrcheck.calls import finished
from tracrcheck import __version__, cli


def test_help_and_version_load_neither_torch_nor_jax():
    code = (
        "import sys, tracrcheck.cli\n"
        "heavy = {'torch', 'jax', 'numpy', 'tracr'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "tracrcheck.cli.app(['--version'])\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False
    )
    assert (found.returncode, found.stdout) == (0, f"tracrcheck {__version__}\n"), found.stderr


def test_a_command_whose_output_is_closed_ends_as_ever(monkeypatch):
    monkeypatch.setattr(cli, "only_a_command_runs_here", lambda: None)
    monkeypatch.setattr(sys, "argv", ["tracrcheck", "plan", "--model", "gpt2"])
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(sys, stream, None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    for stream in (sys.stdout, sys.stderr):
        stream.close()
    assert ended.value.code == 0


@pytest.mark.parametrize("command", ["gate", "fuzz", "plant", "certify", "recheck"])
def test_help_has_a_short_name_too(call, command):
    assert finished(call(command, "-h"), 0).stdout == finished(call(command, "--help"), 0).stdout


@pytest.mark.parametrize("seed", ["-1", "99999999999999999999"])
@pytest.mark.parametrize(
    "words",
    [
        ["gate"],
        ["fuzz"],
        ["plant", "hist", "--layers", "1", "--heads", "1"],
        ["discover", "--task", "ioi"],
        ["tasks"],
        ["recheck", "results.json"],
    ],
    ids=lambda w: w[0],
)
def test_a_seed_that_no_generator_takes_is_a_wrong_call(call, words, seed):
    result = finished(call(*words, "--seed", seed), 2)
    assert "--seed" in result.stderr


@pytest.mark.parametrize(
    "words", [["invariants"], ["gate", "hist"], ["compare", "--task", "ioi"]], ids=lambda w: w[0]
)
def test_more_seeds_than_can_be_listed_are_a_wrong_call(call, words):
    result = finished(call(*words, "--seeds", "1" + 20 * "0"), 2)
    assert re.search(r"\b1000000\b", result.stderr)
