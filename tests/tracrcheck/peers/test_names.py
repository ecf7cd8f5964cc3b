"""Every edge has one name in each tool, and every name of a tool leads back to the edge, or to none."""

from __future__ import annotations

import pytest

from edgeprune_core.errors import CheckError
from edgeprune_core.graph import ResidualGraph
from tests import zoo
from tests.tracrcheck.peers.stand_in.eap.graph import Graph
from tracrcheck.peers.names import NAMES, Correspondence

TEN = (
    "hist", "reverse", "sort", "xproportion", "bracket_depth", "cancelling_pair", "blend", "shuffle_dyck1",
    "either_of_two_heads", "running_parity",
)  # fmt: skip
SHAPES = [
    ResidualGraph(2, 3, 3), ResidualGraph(1, 1, 1), ResidualGraph(5, 2, 2), ResidualGraph(3, 1, 1, has_pos=False)
]  # fmt: skip


def of(graph: ResidualGraph, *, split_pos=True, min_heads=2) -> Correspondence:
    return Correspondence(graph, split_pos, max(graph.n_heads, min_heads))


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("program", TEN)
def test_names_lead_there_and_back_over_every_edge(program, names):
    graph = zoo.compiled(program).graph
    correspondence = of(graph)
    spelled = [correspondence.name(edge, names) for edge in graph.edges]
    assert None not in spelled
    assert len(set(spelled)) == graph.n_edges
    assert [correspondence.edge(name, names) for name in spelled] == list(graph.edges)
    assert [correspondence.name(str(edge), names) for edge in graph.edges] == spelled


@pytest.mark.parametrize("graph", SHAPES, ids=str)
def test_the_names_of_a_tool_are_those_of_its_own_graph(graph):
    class cfg:
        n_layers, n_heads = graph.n_layers + 1, max(graph.n_heads, 2)

    class model:
        pass

    model.cfg = cfg
    assert set(of(graph).known("eap_ig")) == set(Graph.from_model(model).edges)


def test_the_front_layer_is_the_position_embedding_and_shifts_the_others():
    names = of(ResidualGraph(2, 1, 1))
    examples = {
        "tok -> a0.h0.q": ("input->a1.h0<q>", "Resid Start->A1.0.Q", "hook_embed -> blocks.1.hook_q_input[:, :, 0]"),
        "pos -> a1.h0.v": (
            "m0->a2.h0<v>", "MLP 0->A2.0.V", "blocks.0.hook_mlp_out -> blocks.2.hook_v_input[:, :, 0]",
        ),
        "a0.h0 -> m0": ("a1.h0->m1", "A1.0->MLP 1", "blocks.1.attn.hook_result[:, :, 0] -> blocks.1.hook_mlp_in"),
        "m1 -> out": ("m2->logits", "MLP 2->Resid End", "blocks.2.hook_mlp_out -> blocks.2.hook_resid_post"),
    }  # fmt: skip
    for edge, wanted in examples.items():
        assert (
            tuple(names.name(edge, tool) for tool in ("eap_ig", "autocircuit", "transformer_lens")) == wanted
        )


@pytest.mark.parametrize(
    "name", ["input->m0", "input->a0.h0<q>", "a0.h1->logits", "a1.h1->m2", "input->a1.h1<v>", "m0->a1.h1<k>"]
)
def test_edges_of_the_front_layer_and_of_dead_heads_are_none_of_ours(name):
    assert of(ResidualGraph(2, 1, 1)).edge(name, "eap_ig") is None


def test_without_the_front_layer_positions_have_a_name_in_transformer_lens_alone():
    names = of(ResidualGraph(2, 2, 2), split_pos=False)
    assert names.name("pos -> m0", "transformer_lens") == "hook_pos_embed -> blocks.0.hook_mlp_in"
    assert names.name("pos -> m0", "eap_ig") is None
    assert names.name("tok -> m0", "eap_ig") == "input->m0"
    with pytest.raises(CheckError, match="TC195"):
        names.name("tok -> m0", "autocircuit")


def test_an_unknown_name_and_an_unknown_tool_are_refused():
    names = of(ResidualGraph(1, 1, 1))
    with pytest.raises(CheckError) as caught:
        names.edge("m1->logit", "eap_ig")
    assert (caught.value.code, caught.value.what) == (
        "TC195", "no edge 'm1->logit' in the model as eap_ig names edges"
    )  # fmt: skip
    assert "m1->logits" in caught.value.do
    with pytest.raises(CheckError, match="TC195"):
        names.edge("m1->logits", "eapig")
    with pytest.raises(CheckError, match="EP111"):
        names.name("tok -> m7", "eap_ig")
