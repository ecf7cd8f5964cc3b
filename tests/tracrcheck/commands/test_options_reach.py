"""Every option of the commands that work for long reaches the work: what is called for it differs with the option.

Nothing is run: where a command would begin its work, the arguments are written down. What the work makes of them, and what is
written afterwards, is seen by other tests.
"""

from __future__ import annotations

import functools
import importlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import pytest
import torch
import typer

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.trained_models import FOLDER, load_model
from tests import zoo
from tests.tracrcheck.commands.test_every_option import CASES, ELSEWHERE, ROOT, Case, make_program
from tracrcheck.cli import app
from tracrcheck.commands.overlap import overlap
from tracrcheck.trained.packed import PackedPairs

DISCOVER = "discover --task ioi --method random"
FAITH = "faithfulness circuit.json --task ioi"
OVERLAP = "overlap circuit.json circuit.json --task-a ioi --task-b gendered_pronoun"
PLANT = "plant hist --layers 2 --heads 2 --seed 1"
PLAN = "plan --model gpt2"
RUN = "--json out.json --html out.html --junit out.xml --md out.md --jobs 2 --cluster tcp://host:1 --resume"
# Commands that hand the options of a run over as a whole.
RUNS = {
    "fuzz": "fuzz",
    "compare": "compare --task ioi",
    "invariants": "invariants",
    "mutants": "mutants --only reference_sees_padding",
}
SETTING = ("--ablation mean", "--criterion decoded", "--lengths 2-2", "--score-bos", "--inputs 5")
PROMPTS = (
    "--task gendered_pronoun",
    "--model gpt2",
    "--prompts 9",
    "--draws 9",
    "--seed 9",
    "--minutes 3",
    "--dtype float64",
    "--device cpu",
    "--threads 2",
    "--only-right",
)
OPTIONS = {
    "new mine": ("--into mine",),
    "check hist": SETTING,
    "show hist": SETTING,
    "explain hist 'tok -> out'": SETTING,
    "check flip": ("--programs-dir mine",),
    "show flip": ("--programs-dir mine",),
    "explain flip 'tok -> out'": ("--programs-dir mine",),
    "plant flip --layers 2 --heads 2": ("--programs-dir mine",),
    PLANT: ("--layers 3", "--heads 3", "--d-model 99", "--d-head 9", "--d-mlp 99", "--seed 2", "--slots a0.h0=a1.h1", "--ablation mean"),
    f"{PLANT} --out out": ("--family gpt2",),
    "export hist --to acdc --out out.json": ("--ablation mean", "--circuit circuit.json", "--format acdc", "--to transformer_lens"),
    "export flip --to acdc --out out.json": ("--programs-dir mine",),
    PLAN: ("--model gpt2-medium", "--batch 9", "--seq 9", "--gpus 9", "--circuits 9", "--dtype float32", "--memory 9"),
    RUNS["fuzz"]: ("--method random", "--timeout 9", "--memory 9", "--in-process", "--programs 9", "--seed 9", "--ablation mean", "--number 9"),
    RUNS["compare"]: ("--task greater_than", f"--model {FOLDER / 'english'}", "--methods random", "--ablation mean", "--seeds 3", "--prompts 9", "--only-right", "--timeout 9", "--memory 9999"),
    RUNS["invariants"]: ("--only criterion", "--seeds 3", "--first 5", "--programs 4", "--stop"),
    RUNS["mutants"]: ("--only clamp_missing", "--unchecked", "--list"),
    "mutants": ("--false-alarms 2",),
    DISCOVER: (*PROMPTS, "--ablation mean", "--list", "--out out", "--edges 9", "--sparsity .5", "--kl .5", "--tolerance", "--checkpoint out.state"),
    f"{DISCOVER} --edges 9": ("--method eap",),
    f"{DISCOVER} --checkpoint out.state": ("--checkpoint-every 9", "--resume"),
    "discover --task ioi": ("--set steps=9", "--steps 9", "--circuits 9", "--batch 9", "--learning-rate .5", "--init eap"),
    FAITH: (*PROMPTS, "--metric kl"),
    OVERLAP: ("--task-a greater_than", "--task-b greater_than", *PROMPTS[1:]),
    "tasks ioi": ("--model gpt2", "--prompts 9", "--seed 9", "--dtype float64", "--device cpu", "--threads 2"),
}  # fmt: skip
REACHING = {Case(words, more).key for words, options in OPTIONS.items() for more in options}
HANDED = {(command, word) for command in RUNS for word in RUN.split() if word.startswith("--")}

PLACED = (
    "tracrcheck.trained.fetched:load_model",
    "torch:set_num_threads",
    "tracrcheck.trained.compute:placed",
    "tracrcheck.trained.leading:leads_of",
)
# Where each command begins its work.
SEAMS = {
    "new": ("tracrcheck.rasp.template:new_file",),
    "check": ("tracrcheck.truth.program_check:check",),
    "show": ("tracrcheck.truth.cache:certificate_of",),
    "explain": ("tracrcheck.grading.explain:explain",),
    "plant": ("tracrcheck.planted.planting:plant", "tracrcheck.planted.leak:measure", "tracrcheck.planted.gpt2:gpt2_of"),
    "export": tuple(f"tracrcheck.grading.export:{name}" for name in ("check", "circuit_of", "model_of")),
    "mutants": ("tracrcheck.commands.resumable:run_or_read", "tracrcheck.reports.mutants:names"),
    "plan": ("tracrcheck.trained.memory_plan:plan",),
    "discover": (
        *PLACED, "tracrcheck.trained.sizes:size_of", "tracrcheck.trained.discover:alone",
        "tracrcheck.trained.discover:discover", "tracrcheck.reports.discovery:found_lines",
        "tracrcheck.commands.discover:_write_circuit", "tracrcheck.trained.discover:judge",
    ),
    "faithfulness": (*PLACED, "tracrcheck.trained.discover:judge"),
    "overlap": (*PLACED, "tracrcheck.trained.overlap:crossed"),
    "tasks": (*PLACED, "tracrcheck.trained.leading:ability"),
    "fuzz": ("tracrcheck.commands.resumable:run_or_read", "tracrcheck.runs.fuzz:examined"),
}  # fmt: skip
# Calls that are answered, so that the next is reached. All others end the command.
GOES_ON = {
    "load_model",
    "set_num_threads",
    "placed",
    "leads_of",
    "size_of",
    "alone",
    "discover",
    "found_lines",
    "_write_circuit",
    "plant",
}


def told(value, depth=7):
    """What an argument says, without where it is in memory."""
    if depth == 0:
        return type(value).__name__
    if isinstance(value, torch.nn.Module) or hasattr(value, "weights"):
        return f"a model in {value.dtype}"
    if isinstance(value, functools.partial):
        return told((*value.args, value.keywords), depth)
    if is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__, [
            (f.name, told(getattr(value, f.name), depth - 1)) for f in fields(value)
        ]
    if isinstance(value, Mapping):
        return [(told(name, depth), told(part, depth - 1)) for name, part in value.items()]
    if isinstance(value, (list, tuple, PackedPairs)):
        return [told(part, depth - 1) for part in value]
    plain = value is None or isinstance(value, (str, int, float, Path, torch.dtype))
    return repr(value) if plain else type(value).__name__


class Written:
    """What the work of a command was called with."""

    def __init__(self, monkeypatch, command: str) -> None:
        self.calls: list = []
        self.command, self.options = command, None
        for seam in SEAMS.get(command, ("tracrcheck.commands.resumable:run_or_read",)):
            module, _, name = seam.partition(":")
            instead = functools.partial(self._called, name, getattr(importlib.import_module(module), name))
            monkeypatch.setattr(importlib.import_module(module), name, instead)

    def _called(self, name: str, real, /, *args, **rest):
        if name == "run_or_read":
            _, header, start, options, *_ = args
            run = start(None)
            own = {field: value for field, value in vars(run).items() if field not in ("header", "_started")}
            self.calls.append(told((name, header["asked"], options, own)))
            self.options = options
        else:
            self.calls.append(told((name, args, rest)))
        if (self.command, name) != ("export", "check") and name not in GOES_ON:
            raise typer.Exit(0)
        return self._answer(name, real, args, rest)

    def _answer(self, name: str, real, args, rest):
        match name:
            case "load_model":
                return load_model("english")
            case "discover":
                graph = ResidualGraph.of(args[0].subject.model.spec)
                answer = SimpleNamespace(seconds=1.0)
                return SimpleNamespace(circuit=Circuit.full(graph), resumed_after=None, answer=answer)
            case "alone" | "leads_of" | "placed" | "size_of":
                return real(*args, **rest)
        return []


NO_BATTERY = SimpleNamespace(by="gauntlet", asked={}, sources={}, job=SimpleNamespace(programs=()))


@pytest.fixture
def reached(call, monkeypatch, here):
    """`reached("fuzz --seed 3")`: the exit code, and the calls by which that command begins its work."""
    make_program()
    full = Circuit.full(ResidualGraph.of(load_model("english").model.spec))
    (here / "circuit.json").write_text(json.dumps(full.to_json()))
    (here / "out.state").touch()
    compiled = zoo.compiled("hist")

    def run(words: str):
        command = words.split()[0]
        with monkeypatch.context() as patch:
            written = Written(patch, command)
            for module in ("program", "plant", "export"):
                patch.setattr(f"tracrcheck.commands.{module}.prepared", lambda *parts: (compiled,))
            patch.setattr("tracrcheck.commands.fuzz.serve_early", lambda *groups: None)
            patch.setattr("tracrcheck.executors.dask_cluster.check", lambda address, jobs: address)
            patch.setattr("tracrcheck.runs.mutants.gauntlet", lambda: NO_BATTERY)
            result = call(*shlex.split(words))
        return result.exit_code, written.calls, result.output, written.options

    return run


@pytest.mark.parametrize("words", OPTIONS)
def test_every_option_reaches_the_work(words, reached):
    _, calls, *_ = reached(words)
    assert reached(words)[1] == calls  # the same call is seen to begin the same work
    for more in OPTIONS[words]:
        code, changed, output, _ = reached(f"{words} {more}")
        assert (code, bool(changed)) == (0, True), output
        assert changed != calls, more


@pytest.mark.parametrize("words", RUNS.values(), ids=RUNS)
def test_the_options_of_a_run_are_handed_over_whole(words, reached):
    *_, output, without = reached(words)
    *_, given = reached(f"{words} {RUN}")
    assert {f.name for f in fields(given) if getattr(given, f.name) != getattr(without, f.name)} == {
        word.removeprefix("--") for word in RUN.split() if word.startswith("--")
    }, output


# None is left out -----------------------------------------------------------------------------------------


def of_every_command(of: typer.Typer = app) -> set[tuple[str, str]]:
    group = typer.main.get_command(of)
    return {
        (name, parameter.opts[0])
        for name, command in group.commands.items()  # type: ignore[attr-defined]
        for parameter in command.params
        if parameter.param_type_name == "option" and parameter.name != "help"
    }


TRIED = {case.key for case in CASES} | REACHING | HANDED


def test_every_option_of_every_command_is_tried():
    """An option that is added needs a row in `OPTIONS`, in `CASES`, or the name of a test in `ELSEWHERE`."""
    assert of_every_command() == TRIED | set(ELSEWHERE)
    assert not TRIED & set(ELSEWHERE)


def test_an_option_that_is_added_without_a_row_is_noticed():
    def added(name: str = "", *, new: Annotated[bool, typer.Option("--new-option")] = False) -> None: ...

    group = typer.Typer()
    group.command()(added)
    group.command()(overlap)
    assert of_every_command(group) - TRIED - set(ELSEWHERE) == {
        ("added", "--name"),
        ("added", "--new-option"),
    }


@pytest.mark.parametrize("option", ELSEWHERE, ids=" ".join)
def test_a_test_that_is_named_gives_the_option_to_the_command(option):
    file, _, name = ELSEWHERE[option].partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")
    start = text.index(f"def {name}(") if name else 0
    end = text.find("\ndef test_", start + 1) if name else len(text)
    assert f'"{option[1]}"' in text[text.rfind("\n\n\n", 0, start) + 1 : end]
