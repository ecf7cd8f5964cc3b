"""`tracrcheck plan`: known shapes, what is printed and written, whether it fits, and wrong calls."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from edgeprune_core.distributed.step_cost import weight_count
from edgeprune_core.families.presets import KNOWN, shape_of
from edgeprune_core.graph import ResidualGraph
from tracrcheck.trained.memory_plan import plan

DOCS = Path(__file__).parents[3] / "docs" / "json.md"
# A configuration of a few layers: the count takes time by the layer.
CONFIG = {
    "model_type": "llama", "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "hidden_size": 64, "intermediate_size": 96, "vocab_size": 500, "max_position_embeddings": 128,
}  # fmt: skip


@pytest.fixture
def config(here) -> str:
    (here / "config.json").write_text(json.dumps(CONFIG))
    return "config.json"


# In billions of numbers, as the papers or the names say; GPT-2's unembedding is counted beside its token embedding.
@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("gpt2", 0.124 + 0.0386),
        ("gpt2-medium", 0.355 + 0.0515),
        ("gpt2-large", 0.774 + 0.0643),
        ("gpt2-xl", 1.558 + 0.0804),
        ("llama-7b", 6.74),
        ("llama-33b", 32.5),
        ("llama-2-13b", 13.0),
        ("llama-2-70b", 69.0),
        ("codellama-7b", 6.74),
        ("codellama-13b", 13.0),
        ("codellama-34b", 33.7),
    ],
)
def test_known_shapes_have_the_weights_of_their_models(name, billions):
    assert weight_count(shape_of(name)) / 1e9 == pytest.approx(billions, rel=0.01)


def test_codellama_13b_has_the_edges_that_can_be_counted_by_hand():
    """Layer l has 120 head readers, and an MLP that sees 40 more writers: 121 (1 + 41 l) + 40 edges. `out` sees all writers."""
    assert sum(121 * (1 + 41 * layer) + 40 for layer in range(40)) + 1 + 41 * 40 == 3_877_661
    graph = ResidualGraph.of(shape_of("codellama-13b"))
    assert (len(graph.writers), len(graph.readers), graph.n_edges) == (1641, 4841, 3_877_661)


def test_every_known_name_is_a_shape():
    for name in KNOWN:
        assert ResidualGraph.of(shape_of(name)).n_edges > 30_000


def test_gpt2_small_is_planned_as_the_paper_counts_it(call):
    lines = call("plan", "--model", "gpt2").stdout.splitlines()
    assert lines[0] == "gpt2: 158 writers, 445 readers, 32,936 edges"
    assert lines[1] == "a step of 4 x 72 tokens, 1 circuit, bfloat16"
    weights = next(line.split() for line in lines if line.startswith("weights"))
    assert weights == ["weights", "0.33", "0.33"]  # 163 million numbers of two bytes, the unembedding untied


@pytest.mark.parametrize(("batch", "gpus", "most"), [(8, 4, 2), (9, 4, 3), (7, 2, 4), (5, 5, 1)])
def test_every_prompt_has_a_gpu(config, batch, gpus, most):
    """Where a batch is not divided evenly, the plan is of the GPU with the most prompts."""
    assert plan(config, batch=batch, pos=16, gpus=gpus).step.batch == most


def test_more_gpus_hold_less_each_and_send_weights(config):
    one, four = (plan(config, batch=8, pos=16, gpus=n) for n in (1, 4))
    assert four.step.batch == 2
    assert four.weights == -(-one.weights // 4)
    assert four.cost.writer_outputs * 4 == one.cost.writer_outputs
    assert one.received == one.summed == 0
    assert four.received == four.cost.weights_used * 3 // 4
    assert four.summed == 4 * four.n_edges
    assert four.flops == one.flops


def test_a_step_fits_with_its_margin_or_does_not(call, config):
    words = ["plan", "--model", config, "--batch", "8", "--seq", "16", "--json", "p.json"]
    needed = plan(config, batch=8, pos=16).peak * 1.15 / 1e9
    assert "it fits" not in call(*words).stdout
    assert json.loads(Path("p.json").read_text())["fits"] is None
    enough = call(*words, "--memory", needed * 1.001)
    assert (enough.exit_code, json.loads(Path("p.json").read_text())["fits"]) == (0, True)
    assert "it fits 0 GB with 15% to spare" in enough.stdout
    short = call(*words, "--memory", needed * 0.999)
    assert (short.exit_code, json.loads(Path("p.json").read_text())["fits"]) == (1, False)
    assert "it does not fit" in short.stdout


def test_the_batch_that_is_said_to_fit_fits_and_one_twice_as_large_does_not(config):
    found = plan(config, batch=4, pos=64, memory=0.05)
    assert found.fits
    most = found.largest_batch
    assert most >= 4
    assert plan(config, batch=most, pos=64, memory=0.05).fits
    assert not plan(config, batch=2 * most, pos=64, memory=0.05).fits


def test_the_documented_fields_are_written(call, config, here):
    assert call("plan", "--model", config, "--gpus", "2", "--memory", "1", "--json", "p.json").exit_code == 0
    document = json.loads((here / "p.json").read_text())
    assert document["schema"] == "tracrcheck.plan/1"
    parts = [value for value in document.values() if isinstance(value, dict)]
    documented = set(re.findall(r"`(\w+)`", DOCS.read_text()))
    fields = {*document, *(name for part in parts for name in part)}
    assert fields <= documented, fields - documented
    sizes = document["bytes_per_gpu"]
    peak, _ = sizes.pop("peak"), sizes.pop("peak_without_recomputation")
    assert sum(sizes.values()) == peak


def test_a_folder_that_holds_a_configuration_is_a_model(call, config, here):
    assert call("plan", "--model", str(here)).exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "gpt3"], ["EP196 no shape of 'gpt3' here", "did you mean 'gpt2'"]),
        (["--model", "none/config.json"], ["EP177 none/config.json", "no such file"]),
        (["--model", "bad.json"], ["EP177 bad.json"]),
        (["--model", "bert.json"], ["EP171 bert.json no table for this architecture"]),
        (["--model", "bare.json"], ["EP172 bare.json the configuration lacks"]),
        (["--model", "config.json", "--seq", "129"], ["TC181 --seq", "129 tokens", "at most 128"]),
        (
            ["--model", "config.json", "--gpus", "5"],
            ["TC181 --gpus fewer prompts than GPUs", "got     4 and 5"],
        ),
        (["--model", "config.json", "--dtype", "float8"], ["TC117 --dtype no dtype 'float8'", "bfloat16"]),
        (["--model", "config.json", "--json", "no/p.json"], ["TC115 cannot write"]),
        (["--model", "config.json", "--batch", "0"], ["Invalid value for '--batch'"]),
        ([], ["Missing option '--model'"]),
    ],
)
def test_a_wrong_call_is_reported(call, config, here, words, message):
    (here / "bad.json").write_text("{")
    (here / "bert.json").write_text('{"model_type": "bert"}')
    (here / "bare.json").write_text('{"model_type": "gpt2"}')
    result = call("plan", *words)
    assert result.exit_code == 2, result.output
    assert all(text in result.stderr for text in message), result.stderr


@pytest.mark.slow
def test_a_step_of_codellama_13b_fits_one_gpu_of_140_gb():
    found = plan("codellama-13b", batch=4, pos=72, memory=140)
    assert found.fits
    assert found.step.dtype == torch.bfloat16
    assert found.largest_batch >= 16
