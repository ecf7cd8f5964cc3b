"""What other tools return, read as an answer: nothing is guessed, and what is refused is named."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from edgeprune_core import Discovery, Scores
from edgeprune_core.errors import CheckError
from tests import zoo
from tests.tracrcheck.peers.conftest import peer
from tracrcheck.grading.run_method import ask, read_answer
from tracrcheck.peers.answers import NodeScores, scores_of, translated
from tracrcheck.peers.names import NAMES, Correspondence

GRAPH = zoo.compiled("hist").graph
HOOKED = Correspondence(GRAPH, True, 2)
SCORES = torch.arange(GRAPH.n_edges, dtype=torch.float64)


def complete(names: str, correspondence=HOOKED, values=SCORES) -> dict:
    """A score for every name of the tool: those of our edges, and 0 for the others."""
    own = {correspondence.name(e, names): float(x) for e, x in zip(GRAPH.edges, values, strict=True)}
    return {name: own.get(name, 0.0) for name in correspondence.known(names)}


@pytest.mark.parametrize("names", NAMES)
def test_a_mapping_by_any_tools_names_is_read_as_scores(names):
    found = translated(complete(names), GRAPH)
    assert isinstance(found, Scores)
    assert torch.equal(found.scores, SCORES)


def test_a_mapping_without_dead_heads_is_read_too():
    found = translated(complete("eap_ig", Correspondence(GRAPH, True, 1)), GRAPH)
    assert torch.equal(found.scores, SCORES)


def test_tensors_count_as_numbers():
    scores = {name: torch.tensor(value) for name, value in complete("eap_ig").items()}
    assert torch.equal(translated(scores, GRAPH).scores, SCORES)


def refused(code: str, result) -> CheckError:
    with pytest.raises(CheckError) as caught:
        translated(result, GRAPH)
    assert caught.value.code == code
    return caught.value


def test_negative_scores_need_a_word_on_how_they_count():
    signed = complete("eap_ig", values=-SCORES)
    message = refused("TC193", signed)
    assert message.got == "m0->a1.h0<q>: -1"
    assert "by_magnitude" in message.wanted
    size = scores_of(signed, HOOKED, names="eap_ig", by_magnitude=True)
    assert torch.equal(size, SCORES)
    assert torch.equal(scores_of(signed, HOOKED, names="eap_ig", by_magnitude=False), -SCORES)


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan, None, "x", 10**400])
def test_a_score_that_is_not_finite_is_refused_by_the_name_of_its_edge(bad):
    message = refused("TC193", complete("eap_ig") | {"m1->logits": bad})
    assert message.what == "the score of 'm1->logits' is not a finite number"


def test_a_list_of_some_edges_is_refused_unless_the_rest_is_cut():
    some = {name: x for name, x in complete("eap_ig").items() if "logits" in name}
    message = refused("TC194", some)
    assert message.what.startswith(f"9 of the {GRAPH.n_edges} edges have no score")
    assert message.got == "input->a1.h0<q>, m0->a1.h0<q>, input->a1.h0<k> and 6 more"
    for by_magnitude in (None, True, False):
        found = scores_of(some, HOOKED, names="eap_ig", by_magnitude=by_magnitude, rest="cut")
        assert found.isfinite().tolist() == [e.reader.kind == "out" for e in GRAPH.edges]
        assert (found[~found.isfinite()] == -math.inf).all()


def test_scores_of_another_model_are_refused():
    bigger = Correspondence(zoo.compiled("reverse").graph, True, 2)
    message = refused("TC195", dict.fromkeys(bigger.known("eap_ig"), 1.0))
    assert message.wanted == "edges of 2 layers x 2 heads"
    assert refused("TC195", {"a": 1.0}).got == "a"


def test_positions_that_a_model_cannot_cut_have_no_score():
    whole = complete("eap_ig", Correspondence(GRAPH, False, 1))
    assert refused("TC194", whole).what.startswith("5 of the 13 edges")


# Graphs of EAP-IG ---------------------------------------------------------------------------------------


def graph_of(scores: dict, kept=()) -> object:
    """An object of the class that EAP-IG's graphs have."""
    made = type("Graph", (), {"__module__": "eap.graph"})()
    made.edges = {n: SimpleNamespace(score=torch.tensor(x), in_graph=n in kept) for n, x in scores.items()}
    return made


def test_a_graph_without_a_circuit_is_its_scores():
    assert torch.equal(translated(graph_of(complete("eap_ig")), GRAPH).scores, SCORES)
    refused("TC193", graph_of(complete("eap_ig", values=-SCORES)))


def test_a_graph_with_a_circuit_is_that_circuit_and_ranks_where_no_sign_is_open():
    kept = ("input->m1", "m1->logits", "input->m0", "a0.h1->m1")  # the last two carry nothing
    found = translated(graph_of(complete("eap_ig"), kept), GRAPH)
    assert isinstance(found, Discovery)
    assert found.circuit.texts == ["tok -> m0", "m0 -> out"]
    assert torch.equal(found.scores, SCORES)
    assert translated(graph_of(complete("eap_ig", values=-SCORES), kept), GRAPH).scores is None


def test_a_graph_of_another_model_is_refused():
    names = Correspondence(zoo.compiled("reverse").graph, True, 2).known("eap_ig")
    refused("TC195", graph_of(dict.fromkeys(names, 1.0), ("input->logits",)))
    without_positions = complete("eap_ig", Correspondence(GRAPH, False, 1))
    refused("TC194", graph_of(without_positions, ("input->logits",)))


# PruneScores of AutoCircuit ----------------------------------------------------------------------------


def prune_scores() -> dict[str, torch.Tensor]:
    """[head,] source, as AutoCircuit shapes them, for two layers of two heads."""
    named, modules = complete("autocircuit"), {}
    sources = ["Resid Start", "A0.0", "A0.1", "MLP 0", "A1.0", "A1.1", "MLP 1"]
    for layer, (before_heads, before_mlp) in enumerate(((1, 3), (4, 6))):
        for port in "qkv":
            modules[f"blocks.{layer}.hook_{port}_input"] = torch.tensor(
                [[named[f"{s}->A{layer}.{h}.{port.upper()}"] for s in sources[:before_heads]] for h in (0, 1)]
            )
        modules[f"blocks.{layer}.hook_mlp_in"] = torch.tensor(
            [named[f"{s}->MLP {layer}"] for s in sources[:before_mlp]]
        )
    modules["blocks.1.hook_resid_post"] = torch.tensor([named[f"{s}->Resid End"] for s in sources])
    return modules


def test_prune_scores_are_read_by_module_head_and_source():
    assert torch.equal(translated(prune_scores(), GRAPH).scores, SCORES)


def test_prune_scores_by_token_position_and_cut_short_are_refused():
    by_position = {name: x[None] for name, x in prune_scores().items()}
    assert refused("TC195", by_position).wanted == "[head,] source: no token positions"
    whole = prune_scores()
    refused("TC194", {name: whole[name] for name in list(whole)[:5]})
    refused("TC193", whole | {"blocks.1.hook_resid_post": torch.full((7,), math.inf)})


# Through the gate --------------------------------------------------------------------------------------


def test_what_is_refused_is_a_wrong_call_and_no_result_of_the_method():
    task = peer("hist").task
    answer = ask(lambda task: complete("eap_ig", values=-SCORES), task, seed=0, timeout=None)
    assert answer.fault == "refused"
    assert answer.detail.startswith("TC193 some scores are negative")
    answer = ask(lambda task: complete("eap_ig") | {"m1->logits": math.inf}, task, seed=0, timeout=None)
    assert (answer.fault, "m1->logits" in answer.detail) == ("nan", True)

    def by_discovery(task):
        return peer("hist").discovery(complete("eap_ig", values=-SCORES), names="eap_ig")

    assert ask(by_discovery, task, seed=0, timeout=None).fault == "refused"


def test_other_errors_of_ours_are_still_exceptions_of_the_method():
    def wrong(task):
        task.graph.edge("tok -> m7")

    answer = ask(wrong, peer("hist").task, seed=0, timeout=None)
    assert (answer.fault, answer.detail.startswith("CheckError: EP111")) == ("raised", True)


def test_answers_of_ours_are_left_as_they_are():
    for result in (None, 3, "tok -> m0", ["tok -> m0"], {}, {1: 2.0}):
        assert translated(result, GRAPH) is result
    assert read_answer({}, GRAPH).circuit.texts == []
    assert read_answer(["m0", "a0.h0", "m0"], GRAPH).nodes == ("m0", "a0.h0")
    assert read_answer(["m0", "tok -> m0"], GRAPH).fault == "foreign_edges"
    assert read_answer(["m0", "m7"], GRAPH).fault == "foreign_edges"


# Nodes -------------------------------------------------------------------------------------------------


def test_a_mapping_from_heads_and_mlps_ranks_the_nodes():
    found = translated({"m0": 2.0, "a0.h0": torch.tensor(1.0)}, GRAPH)
    assert isinstance(found, NodeScores)
    assert found.scores.tolist() == [1.0, 2.0]  # a0.h0, m0


def test_scores_of_nodes_are_refused_as_those_of_edges_are():
    assert refused("TC194", {"m0": 1.0}).what == "1 of the 2 nodes have no score"
    message = refused("TC193", {"m0": -1.0, "a0.h0": 1.0})
    assert (message.got, "nodes count by magnitude" in message.what, "node_scores" in message.do) == (
        "m0: -1",
        True,
        True,
    )
    assert refused("TC193", {"m0": math.inf, "a0.h0": 1.0}).wanted == "a finite number for each node"


@pytest.mark.parametrize(
    ("names", "scores"),
    [
        ("tracrcheck", {"a0.h0": -3.0, "m0": 2.0}),
        ("eap_ig", {"input": 9.0, "a1.h0": -3.0, "a1.h1": 7.0, "m0": 8.0, "m1": 2.0, "logits": 9.0}),
        ("autocircuit", {"A1.0": -3.0, "MLP 1": 2.0, "MLP 0": 8.0}),
        ("transformer_lens", {"blocks.1.attn.hook_result[:, :, 0]": -3.0, "blocks.1.hook_mlp_out": 2.0}),
    ],
)
def test_nodes_by_the_names_of_a_tool(names, scores):
    """The front layer and dead heads are no nodes of ours, whatever they score."""
    found = peer("hist").node_scores(scores, names=names, by_magnitude=True)
    assert found.scores.tolist() == [3.0, 2.0]
    assert ask(lambda task: found, peer("hist").task, seed=0, timeout=None).node_scores.tolist() == [3.0, 2.0]


def test_nodes_of_another_model_are_refused():
    with pytest.raises(CheckError, match="TC195") as caught:
        peer("hist").node_scores({"a7.h0": 1.0}, names="eap_ig")
    assert caught.value.wanted == "nodes of 2 layers x 2 heads"
