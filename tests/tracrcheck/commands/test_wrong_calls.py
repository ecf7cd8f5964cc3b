"""Every command refuses an output that it could not write, and a wrong name, before it loads or does anything."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tracrcheck import commands, doctor
from tracrcheck.cli import app

ROOT = Path(__file__).parents[3]
# All of them, before anything is patched: a module that was first imported under the patch would keep it.
MODULES = [
    importlib.import_module(found.name)
    for found in pkgutil.iter_modules(commands.__path__, "tracrcheck.commands.")
]
WORK = {
    "gate": ["hist"],
    "certify": ["hist"],
    "show": ["hist"],
    "plant": ["hist", "--layers", "4", "--heads", "2"],
    "fuzz": ["--programs", "1"],
    "export": ["hist", "--to", "acdc"],
    "grade": ["no-such-file.json", "--program", "hist"],
    "discover": ["--task", "ioi"],
    "compare": ["--task", "ioi"],
    "faithfulness": ["no-such-file.json", "--task", "ioi"],
    "overlap": ["no-such-file.json", "no-such-file.json"],
    "tasks": [],
    "plan": ["--model", "gpt2", "--batch", "1", "--seq", "4"],
    "invariants": [],
    "mutants": [],
    "report": ["no-such-file.json"],
    "doctor": [],
}
OUTPUTS = {
    "--json": "out.json", "--html": "out.html", "--junit": "out.xml", "--md": "out.md", "--plot": "out.svg",
    "--out": "out.svg", "--weights": "out.safetensors", "--write": "pins.json", "--compact": "fewer.json",
}  # fmt: skip
FOLDERS = {"--out": {"discover"}, "--save": {"fuzz"}}
# What a command reads, or keeps while it runs.
OTHERS = {
    "--circuit", "--programs-dir", "--into", "--replay", "--baseline", "--check", "--pins", "--model", "--checkpoint",
}  # fmt: skip


def options_of(command: str) -> set[str]:
    """The options of a command that take a path."""
    import typer.main

    found = typer.main.get_command(app).commands[command].params
    return {
        max(p.opts, key=len)
        for p in found
        if p.param_type_name == "option" and str(p.metavar).startswith(("FILE", "DIR"))
    }


COMMANDS = sorted(command.callback.__name__ for command in app.registered_commands)
CALLS = [(c, option) for c in COMMANDS for option in sorted(options_of(c) - OTHERS)]


def test_every_option_that_takes_a_path_is_known_here():
    assert {option for _, option in CALLS} <= {*OUTPUTS, *FOLDERS}
    assert len(CALLS) > 25


def nothing_is_loaded():
    raise AssertionError("the output is checked first")


@pytest.mark.parametrize(("command", "option"), CALLS, ids=lambda x: x)
def test_an_output_that_cannot_be_written_is_refused_before_the_work(command, option, here, monkeypatch):
    path = "missing/out" if command in FOLDERS.get(option, ()) else f"missing/{OUTPUTS.get(option, 'out')}"
    words = [*WORK[command], option, path]
    if command == "plant" and option == "--out":
        words[-1] = "missing/out.py"
    if option == "--write":
        words = ["--all", option, path]
    if command in FOLDERS.get(option, ()):
        words[-1] = "missing/deeper/out"
    for module in MODULES:
        monkeypatch.setattr(module, "loading", nothing_is_loaded, raising=False)
    monkeypatch.setattr(doctor, "examine", nothing_is_loaded)
    done = CliRunner().invoke(app, [command, *words])
    assert done.exit_code == 2, done.output
    assert done.stderr.splitlines()[0].startswith("TC115 cannot write"), done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["gate", "no-such-program"],
        ["gate", "hist", "--lengths", "3-1"],
        ["gate", "hist", "--timeout", "0"],
        ["gate", "hist", "--json", "missing/out.json"],
        ["certify", "no-such-program"],
        ["check", "no-such-program"],
        ["show", "no-such-program"],
        ["explain", "no-such-program", "tok -> m0"],
        ["grade", "circuit.json", "--program", "no-such-program"],
        ["plan", "--model", "gpt2", "--batch", "1", "--seq", "4", "--json", "missing/out.json"],
        ["compare", "--task", "ioi", "--plot", "missing/out.svg"],
        ["discover", "--task", "ioi", "--out", "missing/deeper/out"],
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_answered_before_torch_is_loaded(words, tmp_path):
    code = (
        "import sys; from typer.testing import CliRunner; from tracrcheck.cli import app; "
        f"done = CliRunner().invoke(app, {words!r}); "
        "print(done.exit_code, *({'torch', 'jax'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True,
                          env={"PYTHONPATH": str(ROOT), "PATH": ""})  # fmt: skip
    assert done.stdout.split() == ["2"], done.stdout + done.stderr
