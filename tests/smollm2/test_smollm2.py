"""A real pretrained model, small: it loads, its logits are those of `transformers`, and EAP finds a circuit in it.

    make pretrained

These tests are marked, are not among the default ones, and are skipped where the model is missing.
"""

from __future__ import annotations

import json
from functools import partial

import pytest
from typer.testing import CliRunner

from ci.bench.logits import BARS, measured
from edgeprune_core.graph import ResidualGraph
from tracrcheck.cli import app
from tracrcheck.trained import fetched

pytestmark = pytest.mark.smollm2
NAME = "smollm2"


@pytest.fixture(scope="module")
def smollm2():
    if not fetched.is_here(NAME):
        pytest.skip(f"{NAME} is not in the cache: run `make {NAME}`")
    return fetched.load_model(NAME)


def test_it_is_the_model_that_the_guide_describes(smollm2):
    graph = ResidualGraph.of(smollm2.model.spec)
    assert (len(graph.writers), len(graph.readers), graph.n_edges) == (301, 481, 70_651)
    assert [smollm2.tokenizer.decode([i]) for i in smollm2.tokenizer.encode(" Mary 17")] == [
        " Mary",
        " ",
        "1",
        "7",
    ]


@pytest.mark.parametrize("dtype", BARS)
def test_its_logits_are_those_of_transformers(smollm2, dtype):
    """On 200 prompts: `python -m ci.bench.logits`."""
    from transformers import AutoModelForCausalLM

    load = partial(AutoModelForCausalLM.from_pretrained, fetched.folder_of(NAME))
    assert measured(smollm2.model, load, dtype=dtype, prompts=4, longest=64).good


def test_attribution_finds_a_circuit_that_is_summed_up_on_one_screen(smollm2, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few = ["--prompts", "4", "--draws", "2", "--minutes", "0.1"]
    words = ["discover", "--model", NAME, "--task", "ioi", "--method", "eap", "--edges", "1000", *few]
    done = CliRunner().invoke(app, [*words, "--out", "found", "--json", "out.json"])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out.json").read_text())
    assert 0 < found["n_edges"] <= 1000
    assert found["n_graph_edges"] == 70_651
    assert {path.name for path in (tmp_path / "found").iterdir()} >= {"circuit.json", "circuit.svg"}
    before_the_matrix = done.stdout.partition("ablation ")[0].splitlines()
    assert len(before_the_matrix) < 24
