"""`tracrcheck export`: every circuit is read back as it was, and every model computes what it did."""

from __future__ import annotations

import json
import warnings

import pytest
import torch
from safetensors import safe_open

from edgeprune_core.circuit import Circuit
from edgeprune_core.weights import Model
from tests import zoo
from tests.tracrcheck.calls import finished
from tests.tracrcheck.peers.conftest import task
from tracrcheck.importers import EXPORTERS, IMPORTERS


def circuits(graph):
    generator = torch.Generator().manual_seed(0)
    yield from (Circuit.empty(graph), Circuit.full(graph))
    for share in (0.2, 0.5, 0.8):
        kept = torch.rand(graph.n_edges, generator=generator) < share
        yield Circuit.of(graph, [e for e, k in zip(graph.edges, kept.tolist(), strict=True) if k])


@pytest.mark.parametrize("name", EXPORTERS)
@pytest.mark.parametrize("program", ["hist", "cancelling_pair"])
def test_a_circuit_is_read_back_as_it_was(program, name):
    graph = zoo.compiled(program).graph
    for circuit in circuits(graph):
        document = json.loads(json.dumps(EXPORTERS[name].write(circuit, d_model=7)))
        found = IMPORTERS[name].read(document, graph, threshold=None)
        assert found.granularity.expand(graph, found.kept) == circuit
        assert found.named is None or found.named == {str(edge) for edge in graph.edges}


def test_a_file_for_eap_ig_keeps_what_it_would_drop_otherwise():
    """EAP-IG drops nodes without inputs. In the file, the MLP of the front layer writes positions, and reads the tokens."""
    graph = zoo.compiled("hist").graph
    for circuit in circuits(graph):
        document = EXPORTERS["eap_ig_hooked"].write(circuit, d_model=7)
        kept = [name.split("->") for name, told in document["edges"].items() if told["in_graph"]]
        assert ["input", "m0"] in kept
        senders = {"input", "logits", *(sender for sender, _ in kept)}
        assert {name for name, told in document["nodes"].items() if told["in_graph"]} == senders
        assert ("m0" in senders) == any(edge.writer.kind == "pos" for edge in circuit)


def test_what_can_be_written_is_what_the_page_says():
    assert set(EXPORTERS) == {"tracrcheck", "edge_pruning", "acdc", "eap_ig_hooked", "autocircuit_hooked"}


@pytest.mark.parametrize("name", EXPORTERS)
def test_the_required_circuit_is_exported_and_graded(call, here, name):
    result = finished(call("export", "hist", "--to", name, "--out", "circuit.json"))
    assert result.stdout == f"circuit.json: {name} of hist\n"
    finished(call("grade", "circuit.json", "--program", "hist", "--format", name))


def test_a_circuit_of_yours_is_turned_into_another_format(call, here):
    (here / "mine.json").write_text('["m0 -> out", "tok -> a0.h0.q"]')
    words = ["export", "hist", "--circuit", "mine.json", "--out", "theirs.json"]
    finished(call(*words, "--to", "edge_pruning"))
    assert json.loads((here / "theirs.json").read_text()) == [
        ["token_embeds", "a0.h0.q"], ["m0", "resid_post"]
    ]  # fmt: skip
    result = finished(call(*words, "--to", "safetensors"), 2)
    assert result.stderr.startswith("TC138 --circuit safetensors is a form of a model")


def test_the_required_circuit_is_that_of_the_ablation(call, here):
    finished(call("export", "hist", "--to", "tracrcheck", "--out", "a.json", "--ablation", "resample"))
    assert len(json.loads((here / "a.json").read_text())["edges"]) == 4


def test_our_own_weights_are_read_back(call, here):
    finished(call("export", "hist", "--to", "safetensors", "--out", "hist.safetensors"))
    assert Model.load(here / "hist.safetensors").digest() == zoo.compiled("hist").model.digest()


def test_a_transformer_lens_model_is_built_from_the_file_alone(call, here):
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    finished(call("export", "reverse", "--to", "transformer_lens", "--out", "reverse.safetensors"))
    with safe_open(here / "reverse.safetensors", framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    dtype = getattr(torch, metadata["dtype"])
    config = HookedTransformerConfig(**json.loads(metadata["config"]), dtype=dtype, device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = HookedTransformer(config, move_to_device=False)
    model.load_state_dict(tensors)
    own = task("reverse")
    whole = own.valid.all(1)
    with torch.no_grad():
        assert (model(own.tokens[whole]) - own.reference[whole]).abs().max() < 1e-12


def test_a_format_that_cannot_be_written_is_refused_and_nothing_is_written(call, here):
    for name in ("eap_ig", "onnx"):
        result = finished(call("export", "hist", "--to", name, "--out", "x.json"), 2)
        assert result.stderr.startswith(f"TC138 --to '{name}' cannot be written")
    assert not (here / "x.json").exists()
    result = finished(call("export", "hist", "--to", "acdc", "--circuit", "none.json", "--out", "x.json"), 2)
    assert result.stderr.startswith("TC131")


def test_a_circuit_folder_of_mib_is_exported_and_graded(call, here):
    finished(call("export", "hist", "--to", "mib", "--out", "d"))
    assert {path.name for path in (here / "d").iterdir()} == {"importances.json", "importances.pt"}
    finished(call("grade", "d", "--program", "hist", "--format", "eap_ig_hooked"))
    finished(call("grade", "d/importances.pt", "--program", "hist", "--format", "eap_ig_hooked"))


def test_a_causal_program_is_exported_as_a_checkpoint_of_transformers(call, here):
    finished(call("export", "slow_motion", "--to", "hf", "--out", "d"))
    assert (here / "d" / "truth.json").is_file()
    finished(call("export", "d", "--to", "mib", "--out", "m"))
    finished(call("grade", "m", "--program", "d"))
    refused = finished(call("export", "hist", "--to", "hf", "--out", "e"), 2)
    assert refused.stderr.startswith("TC160 'hist' is not causal")
