"""The benchmarks run and write their figures: training steps, on both families and in both precisions, and the start of commands."""

from __future__ import annotations

import importlib.util
import inspect
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from edgeprune_core.weights import expected_shapes
from tests.tracrcheck.conftest import here  # noqa: F401
from tracrcheck.commands.arguments import MethodOptions

STEP = Path(__file__).parents[2] / "ci" / "bench" / "step.py"


@pytest.fixture
def bench(monkeypatch):
    """The module, with models a thousandth as large."""
    spec = importlib.util.spec_from_file_location("step", STEP)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "step", module)
    spec.loader.exec_module(module)
    small = {"n_layers": 2, "n_heads": 4, "d_model": 16, "d_head": 4, "d_mlp": 8, "d_vocab": 11, "d_out": 11}
    for family, whole in module.SPECS.items():
        kv = 2 if whole.n_kv_heads < whole.n_heads else 4
        monkeypatch.setitem(module.SPECS, family, replace(whole, **small, n_kv_heads=kv))
    return module


def called(bench, monkeypatch, *words) -> int:
    monkeypatch.setattr(sys, "argv", ["step.py", *map(str, words)])
    return bench.main()


def test_both_families_have_the_same_number_of_parameters():
    spec = importlib.util.spec_from_file_location("whole_step", STEP)
    module = importlib.util.module_from_spec(spec)
    sys.modules["whole_step"] = module
    spec.loader.exec_module(module)
    del sys.modules["whole_step"]
    sizes = {}
    for family in ("gpt2", "llama"):
        shape = module.SPECS[family]
        shapes = expected_shapes(shape)
        biases = family == "llama"  # zeros that a Llama does not have
        sizes[family] = sum(
            torch.Size(s).numel() for n, s in shapes.items() if not (biases and n.startswith("b_"))
        )
    sizes["gpt2"] -= 50257 * 768  # its unembedding is its embedding
    assert sizes["llama"] == pytest.approx(sizes["gpt2"], rel=0.01)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_case_is_measured_and_written_with_how_it_was_made(bench, monkeypatch, here, capsys, dtype):  # noqa: F811
    monkeypatch.setattr(bench, "peak_gb", lambda case, what: {"step": 1.0, "floor": 0.5}[what])
    monkeypatch.setattr(bench, "BARS", dict.fromkeys(bench.BARS, 1e9))
    monkeypatch.setattr(bench, "OTHER_BARS", dict.fromkeys(bench.OTHER_BARS, 1e9))
    words = ("--all", "--repeats", 1, "--threads", 1, "--dtype", dtype, "--json", here / "step.json")
    assert called(bench, monkeypatch, *words) == 0
    record = json.loads((here / "step.json").read_text())
    assert [(r["family"], r["batch"], r["seq"]) for r in record["results"]] == list(bench.BARS)
    assert {"schema", "command", "commit", "started", "machine"} < record.keys()
    for r in record["results"]:
        assert (r["dtype"], r["threads"]) == (dtype, 1)
        assert r["ratio"] == r["step"] / r["floor"]
        assert r["bar"] == (1e9 if dtype == "float32" else None)
        assert r["others"].keys() >= bench.OTHER_BARS.keys()
        assert r["other_bars"] == (bench.OTHER_BARS if (r["family"], dtype) == ("smollm2", "float32") else {})
    assert capsys.readouterr().out.count("step / floor") == len(bench.BARS)


def test_a_ratio_or_a_memory_over_its_bar_is_an_exit_code(bench, monkeypatch, capsys):
    monkeypatch.setattr(bench, "peak_gb", lambda case, what: 2.0)
    monkeypatch.setattr(bench, "BARS", {("gpt2", 4, 32): 1e9})
    assert called(bench, monkeypatch, "--repeats", 1) == 1
    monkeypatch.setattr(bench, "PEAK_GB", {})
    assert called(bench, monkeypatch, "--repeats", 1) == 0
    monkeypatch.setattr(bench, "BARS", {("gpt2", 4, 32): 1e-9})
    assert called(bench, monkeypatch, "--repeats", 1) == 1
    monkeypatch.setattr(bench, "BARS", {("smollm2", 4, 32): 1e9})
    monkeypatch.setattr(bench, "OTHER_BARS", {"EAP": 1e-9})
    assert called(bench, monkeypatch, "--family", "smollm2", "--repeats", 1) == 1


def test_the_mask_and_its_gradient_stay_in_float32(bench):
    step = bench.Step(bench.SPECS["gpt2"], 2, 5, torch.bfloat16)
    step.whole()
    assert step.model.dtype == torch.bfloat16
    assert step.mask.grad.dtype == torch.float32
    assert step.mask.grad.isfinite().all()


def test_memory_is_of_the_process_itself_and_not_of_its_parent(bench):
    before = bench.most_memory()
    held = torch.ones(60_000_000)
    assert bench.most_memory() > before + 0.8 * 240e6 or before > 1e9
    del held


# How soon a command begins -----------------------------------------------------------------------------

START = STEP.with_name("start.py")


@pytest.fixture
def start(monkeypatch):
    """The module, with two calls: one that is right, and one that is wrong."""
    spec = importlib.util.spec_from_file_location("start", START)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "start", module)
    spec.loader.exec_module(module)
    monkeypatch.setenv("TRACRCHECK_CACHE", "restored afterwards")
    monkeypatch.setattr(module, "prepare", lambda folder: None)
    monkeypatch.setattr(module, "TORCH", [sys.executable, "-c", "sum(range(3_000_000))"])
    return module


def test_every_command_that_runs_a_certified_program_has_a_bar(start):
    of_torch = {call.words[0]: call.most_torch for call in start.CALLS if call.code == 0}
    assert of_torch == dict.fromkeys(("certify", "gate", "grade", "show", "explain"), 1.3) | {
        "check": 3,
        "programs": None,
    }
    (listing,) = [call for call in start.CALLS if call.words == ("programs",)]
    assert listing.most_seconds == 2.5
    assert {call.most_seconds for call in start.CALLS if call.code == 2} == {1.0}


def test_the_start_is_measured_beside_torch_and_written(start, monkeypatch, here, capsys):  # noqa: F811
    right = start.Call(words=("--version",), most_torch=1e9)
    wrong = start.Call(words=("gate", "no-such-program"), code=2, most_seconds=1e9)
    monkeypatch.setattr(start, "CALLS", (right, wrong))
    monkeypatch.setattr(sys, "argv", ["start.py", "--repeats", "1", "--json", str(here / "start.json")])
    assert start.main() == 0
    record = json.loads((here / "start.json").read_text())
    assert [row["command"] for row in record["results"]] == [
        "tracrcheck --version",
        "tracrcheck gate no-such-program",
    ]
    for row in record["results"]:
        assert row["met"]
        assert row["ratio"] == pytest.approx(row["seconds"] / row["torch_seconds"], abs=1e-3)
    assert {"command", "commit", "machine", "started"} < record.keys()
    assert capsys.readouterr().out.count(": met") == 2


def test_the_methods_own_time_is_reported_and_is_no_part_of_the_start(start, monkeypatch, here):  # noqa: F811
    (here / "seconds.txt").write_text("0.5\n0.25\n")
    monkeypatch.setattr(start, "cpu_seconds", lambda command, *rest: 1.0)
    right = start.Call(words=("gate",), most_torch=1.3)
    figure = start.measure(right, here, 1)
    assert (figure.seconds, figure.method_seconds, figure.ratio) == (0.25, 0.75, 0.25)
    assert "the method 0.75 s besides" in figure.line()
    assert start.measure(right, here, 1).method_seconds == 0  # those of this command alone


def test_the_committed_figures_are_of_every_call_and_within_their_bars(start):
    figures = json.loads((START.parent / "results" / "start.json").read_text())["results"]
    assert [row["command"] for row in figures] == [" ".join(("tracrcheck", *c.words)) for c in start.CALLS]
    for row, call in zip(figures, start.CALLS, strict=True):
        bar = call.most_seconds or call.most_torch * row["torch_seconds"]
        assert row["met"]
        assert row["seconds"] <= bar, row["command"]


def test_the_timed_method_is_the_default_of_the_gate(start):
    default = inspect.signature(MethodOptions).parameters["method"].default
    assert f'METHODS["{default}"]' in start.TIMED


def test_a_start_over_its_bar_is_an_exit_code_and_another_end_a_stop(start, monkeypatch, capsys):
    monkeypatch.setattr(start, "CALLS", (start.Call(words=("--version",), most_torch=1e-9),))
    monkeypatch.setattr(sys, "argv", ["start.py", "--repeats", "1"])
    assert start.main() == 1
    assert "NOT MET" in capsys.readouterr().out
    monkeypatch.setattr(start, "CALLS", (start.Call(words=("--version",), code=2, most_seconds=1e9),))
    with pytest.raises(SystemExit, match="exit code 0, not 2"):
        start.main()
