"""The benchmark of the step: it runs on both families, in both precisions, and writes what it found."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from edgeprune_core.weights import expected_shapes
from tests.tracrcheck.conftest import here  # noqa: F401

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


def test_both_families_are_of_as_many_parameters():
    spec = importlib.util.spec_from_file_location("whole_step", STEP)
    module = importlib.util.module_from_spec(spec)
    sys.modules["whole_step"] = module
    spec.loader.exec_module(module)
    del sys.modules["whole_step"]
    sizes = {}
    for family, shape in module.SPECS.items():
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
    words = ("--all", "--repeats", 1, "--threads", 1, "--dtype", dtype, "--json", here / "step.json")
    assert called(bench, monkeypatch, *words) == 0
    told = json.loads((here / "step.json").read_text())
    assert [(r["family"], r["batch"], r["seq"]) for r in told["results"]] == list(bench.BARS)
    assert {"schema", "command", "commit", "started", "machine"} < told.keys()
    for r in told["results"]:
        assert (r["dtype"], r["threads"]) == (dtype, 1)
        assert r["ratio"] == r["step"] / r["floor"]
        assert r["bar"] == (1e9 if dtype == "float32" else None)
    assert capsys.readouterr().out.count("step / floor") == 3


def test_a_ratio_or_a_memory_over_its_bar_is_an_exit_code(bench, monkeypatch, capsys):
    monkeypatch.setattr(bench, "peak_gb", lambda case, what: 2.0)
    monkeypatch.setattr(bench, "BARS", {("gpt2", 4, 32): 1e9})
    assert called(bench, monkeypatch, "--repeats", 1) == 1
    monkeypatch.setattr(bench, "PEAK_GB", {})
    assert called(bench, monkeypatch, "--repeats", 1) == 0
    monkeypatch.setattr(bench, "BARS", {("gpt2", 4, 32): 1e-9})
    assert called(bench, monkeypatch, "--repeats", 1) == 1


def test_the_mask_and_its_gradient_stay_in_float32(bench):
    step = bench.Step(bench.SPECS["gpt2"], 2, 5, torch.bfloat16)
    step.whole()
    assert step.model.dtype == torch.bfloat16
    assert step.mask.grad.dtype == torch.float32
    assert step.mask.grad.isfinite().all()


def test_memory_is_of_the_process_itself_and_not_of_whoever_began_it(bench):
    before = bench.most_memory()
    held = torch.ones(60_000_000)
    assert bench.most_memory() > before + 0.8 * 240e6 or before > 1e9
    del held
