"""The estimate of what a training step costs, against the memory of real steps and against counts made by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from edgeprune_core.distributed.step_cost import Step, cost, weight_count
from edgeprune_core.engine import forward
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.mask import mask_from_edge_values
from edgeprune_core.spec import ModelSpec
from edgeprune_core.weights import Model, Weights, expected_shapes

ROOT = Path(__file__).parents[3]

GPT2 = ModelSpec(
    n_layers=4, n_heads=8, d_model=256, d_head=32, d_mlp=1024, d_vocab=2000, d_out=2000, n_ctx=64,
    norm="layernorm", activation="gelu_tanh",
)  # fmt: skip
LLAMA = ModelSpec(
    n_layers=4, n_heads=8, n_kv_heads=2, d_model=384, d_head=48, d_mlp=1024, d_vocab=1000, d_out=1000, n_ctx=64,
    norm="rmsnorm", activation="silu", gated_mlp=True, positions="rotary",
)  # fmt: skip
DEEP = ModelSpec(
    n_layers=8, n_heads=12, d_model=192, d_head=16, d_mlp=768, d_vocab=500, d_out=500, n_ctx=64,
    norm="layernorm", activation="gelu",
)  # fmt: skip
SINGLE = Step(batch=8, pos=48, circuits=2, dtype=torch.float32, recompute=False)
# Three sizes as one process trains them, and two as processes that share a model do.
CASES = {
    "gpt2": (GPT2, SINGLE),
    "llama": (LLAMA, replace(SINGLE, batch=8, pos=32)),
    "deep": (DEEP, replace(SINGLE, batch=3, pos=32, circuits=3)),
    "gpt2, layers computed again": (GPT2, replace(SINGLE, recompute=True)),
    "llama, layers gathered": (LLAMA, replace(SINGLE, batch=8, pos=32, recompute=True, gathered=True)),
}


@pytest.fixture(scope="module")
def measured() -> dict[str, int]:
    cases = {}
    for name, (spec, step) in CASES.items():
        words = {key: getattr(step, key) for key in ("batch", "pos", "circuits", "recompute", "gathered")}
        cases[name] = {"spec": asdict(spec), **words}
    done = subprocess.run(
        [sys.executable, "-m", "tests.edgeprune_core.distributed.peak"],
        input=json.dumps(cases), cwd=ROOT, capture_output=True, text=True, timeout=300,
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", CASES)
def test_the_count_is_within_its_margin_of_what_a_real_step_takes(name, measured):
    counted = cost(*CASES[name]).peak
    assert abs(counted / measured[name] - 1) < 0.15, f"{counted / 1e6:.0f} and {measured[name] / 1e6:.0f} MB"


# By hand ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spec", "step"), [CASES["gpt2"], CASES["llama, layers gathered"]])
def test_what_writers_write_is_counted_to_the_byte(spec, step):
    found = cost(spec, step)
    row = step.batch * step.pos * spec.d_model * 4 * len(ResidualGraph.of(spec).writers)
    assert (found.background, found.writer_outputs) == (row, step.circuits * row)
    assert found.of_writers == found.writer_outputs


def test_weights_are_counted_to_the_number():
    model = Weights(**{name: torch.empty(shape) for name, shape in expected_shapes(LLAMA).items()})
    assert weight_count(LLAMA) == sum(t.numel() for t in model.tensors().values())


def test_half_the_precision_is_half_the_bytes_but_of_gates():
    full, half = cost(GPT2, SINGLE), cost(GPT2, replace(SINGLE, dtype=torch.bfloat16))
    assert half.writer_outputs * 2 == full.writer_outputs
    assert half.gates > 0.8 * full.gates
    assert half.flops == full.flops


def test_computing_layers_again_holds_less_and_computes_more():
    kept, again = cost(DEEP, SINGLE), cost(DEEP, replace(SINGLE, recompute=True))
    assert again.kept < 0.2 * kept.kept
    assert again.peak < kept.peak
    # The masked run is done once more. The whole is that run, its backward pass and the background's run.
    assert 0.2 < (again.flops - kept.flops) / kept.flops < 0.5


def test_flops_are_those_that_torch_counts_in_a_real_run():
    spec = replace(
        LLAMA, n_layers=2, d_model=32, n_heads=4, n_kv_heads=2, d_head=8, d_mlp=24, d_vocab=50, d_out=50
    )
    step = replace(SINGLE, batch=3, pos=5)
    weights = {name: torch.randn(shape) for name, shape in expected_shapes(spec).items()}
    model, graph = Model(spec, Weights(**weights)), ResidualGraph.of(spec)
    tokens, places = torch.zeros(3, 5, dtype=torch.long), torch.zeros(3, 1, dtype=torch.long)
    gates = torch.rand(2, graph.n_edges, requires_grad=True)
    # torch counts this product, but not its in-place form.
    missed = {torch.ops.aten.baddbmm_: lambda own, a, b, **_: 2 * a[0] * a[1] * a[2] * b[2]}
    with FlopCounterMode(display=False, custom_mapping=missed) as counter:
        background = forward.trace(model, tokens).writers
        mask = mask_from_edge_values(graph, gates)
        forward.run(model, tokens, mask, background, places=places).square().sum().backward()
    assert cost(spec, step).flops == counter.get_total_flops()


def test_gathered_weights_are_fetched_once_per_pass():
    found = cost(GPT2, replace(SINGLE, recompute=True, gathered=True))
    ends = sum(
        torch.Size(expected_shapes(GPT2)[n]).numel()
        for n in ("tok", "pos", "unembed", "norm_gain", "norm_bias")
    )
    layers = weight_count(GPT2) - ends
    # Each layer is fetched three times. The background's run ends with the weights with which the masked run begins.
    assert found.weights_used == 4 * (3 * layers + 3 * ends)
