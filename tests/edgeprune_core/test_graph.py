"""The graph, its text form, circuits and masks."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError, did_you_mean
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.mask import circuit_from_mask, edge_mask, edge_values, mask_from_edge_values, to_mask
from edgeprune_core.spec import ModelSpec
from tests.edgeprune_core import naive
from tests.edgeprune_core.models import SPECS, shape_of


@st.composite
def specs(draw) -> ModelSpec:
    """Shapes with grouped key/value heads, parallel blocks and every kind of position."""
    n_kv = draw(st.integers(1, 3))
    return ModelSpec(
        n_layers=draw(st.integers(1, 4)),
        n_heads=n_kv * draw(st.integers(1, 3)),
        n_kv_heads=n_kv,
        d_model=draw(st.integers(1, 9)),
        d_head=2 * draw(st.integers(1, 3)),
        d_mlp=draw(st.integers(1, 9)),
        d_vocab=draw(st.integers(1, 9)),
        d_out=draw(st.integers(1, 9)),
        n_ctx=draw(st.integers(1, 9)),
        causal=draw(st.booleans()),
        norm=draw(st.sampled_from(["none", "layernorm", "rmsnorm"])),
        activation=draw(st.sampled_from(["relu", "gelu", "gelu_tanh", "silu"])),
        gated_mlp=draw(st.booleans()),
        positions=draw(st.sampled_from(["learned", "rotary", "none"])),
        parallel_blocks=draw(st.booleans()),
    )


@st.composite
def circuits(draw) -> Circuit:
    graph = ResidualGraph.of(draw(specs()))
    kept = draw(st.lists(st.booleans(), min_size=graph.n_edges, max_size=graph.n_edges))
    return Circuit.of(graph, [e for e, on in zip(graph.edges, kept, strict=True) if on])


def gpt2_small() -> ResidualGraph:
    return ResidualGraph(n_layers=12, n_heads=12, n_kv_heads=12)


# ---------------------------------------------------------------- counts


@pytest.mark.parametrize(
    ("name", "edges"), [("reverse", 94), ("xproportion", 32), ("shuffle_dyck2", 2102), ("hist", 13)]
)
def test_compiled_programs_have_the_known_number_of_edges(compiled, name, edges):
    graph = compiled(name).graph
    assert graph.n_edges == len(graph.edges) == len(set(graph.edges)) == edges


def test_gpt2_small_has_158_writers_445_readers_and_32936_edges():
    graph = gpt2_small()
    assert (len(graph.writers), len(graph.readers), graph.n_edges) == (158, 445, 32_936)
    assert len(graph.edges) == 32_936


@given(specs())
def test_the_edges_are_those_of_an_independent_listing_in_the_same_order(spec):
    graph = ResidualGraph.of(spec)
    assert [str(w) for w in graph.writers] == naive.nodes(shape_of(spec))
    assert [str(e) for e in graph.edges] == [f"{w} -> {r}" for w, r in naive.edges(shape_of(spec))]
    assert graph.n_edges == len(graph.edges)
    assert sorted(graph.edges) == list(graph.edges)


def test_a_parallel_block_feeds_its_mlp_what_its_heads_read():
    one, other = (ResidualGraph(1, 2, 2, parallel_blocks=p) for p in (False, True))
    assert {str(e) for e in one.edges} - {str(e) for e in other.edges} == {"a0.h0 -> m0", "a0.h1 -> m0"}


def test_only_learned_positions_write():
    assert [str(w) for w in ResidualGraph.of(SPECS["gpt2"]).writers][:2] == ["tok", "pos"]
    assert [str(w) for w in ResidualGraph.of(SPECS["llama"]).writers][:2] == ["tok", "a0.h0"]


def test_query_heads_of_a_group_share_their_key_and_value_readers():
    graph = ResidualGraph(1, 4, 2)
    assert [[str(r) for r in graph.readers_of(graph.writer(f"a0.h{h}"))] for h in (1, 2)] == [
        ["a0.h1.q", "a0.h0.k", "a0.h0.v"],
        ["a0.h2.q", "a0.h1.k", "a0.h1.v"],
    ]
    assert graph.readers_of(graph.writer("tok")) == ()
    assert [str(r) for r in graph.readers_of(graph.writer("m0"))] == ["m0"]


# ---------------------------------------------------------------- text and JSON


@given(specs(), st.data())
def test_an_edge_reads_back_from_its_text(spec, data):
    graph = ResidualGraph.of(spec)
    edge = data.draw(st.sampled_from(graph.edges))
    assert graph.edge(str(edge)) == edge
    assert graph.edge(f"  {edge.writer}->   {edge.reader} ".replace("->", " -> ")) == edge


@given(specs())
def test_a_spec_reads_back_from_its_json(spec):
    assert ModelSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@given(circuits())
def test_a_circuit_reads_back_from_its_json(circuit):
    again = Circuit.from_json(json.loads(circuit.dumps()))
    assert again == circuit
    assert again.texts == circuit.texts


# ---------------------------------------------------------------- circuit algebra


@given(circuits(), st.data())
def test_circuits_behave_as_the_sets_of_their_edges(one, data):
    other = Circuit.of(one.graph, data.draw(st.sets(st.sampled_from(one.graph.edges))))
    assert (one | other).edges == one.edges | other.edges
    assert (one & other).edges == one.edges & other.edges
    assert (one - other).edges == one.edges - other.edges
    assert (one - other) | (one & other) == one
    assert one | Circuit.empty(one.graph) == one == one & Circuit.full(one.graph)
    assert len(one) == len(list(one)) == len(one.edges)
    assert list(one) == sorted(one.edges)
    assert one.keep_fraction == pytest.approx(len(one) / one.graph.n_edges)
    for edge in list(one)[:3]:
        assert edge in one
        assert edge not in one.without(edge)
        assert len(one.without(edge)) == len(one) - 1


def test_an_edge_is_removed_by_its_text_and_what_is_not_an_edge_is_refused():
    circuit = Circuit.full(ResidualGraph(2, 2, 2))
    edge = circuit.graph.edges[1]
    assert circuit.without(str(edge)) == circuit.without(edge)
    assert len(circuit.without(edge).without(edge)) == len(circuit) - 1
    other = ResidualGraph(7, 1, 1).edges[-1]
    for wrong in ("text", "tok -> tok", "m0 -> a0.h0.q", other):
        with pytest.raises(CheckError, match="EP11"):
            circuit.without(wrong)


def _on_a_path(circuit: Circuit) -> set[str]:
    """Edges from which kept edges lead to `out`, found by walking forward from each edge."""
    graph = circuit.graph

    def arrives(edge) -> bool:
        if str(edge.reader) == "out":
            return True
        nodes = [w for w in graph.writers if edge.reader in graph.readers_of(w)]
        return any(arrives(e) for e in circuit if e.writer in nodes)

    return {str(e) for e in circuit if arrives(e)}


@given(st.integers(0, 2**59 - 1), st.booleans())
def test_connected_keeps_exactly_the_edges_on_a_path_to_out(bits, grouped):
    graph = ResidualGraph(2, 2, 1 if grouped else 2)
    circuit = Circuit.of(graph, [e for i, e in enumerate(graph.edges) if bits >> i & 1])
    assert set(circuit.connected().texts) == _on_a_path(circuit)
    assert circuit.connected().connected() == circuit.connected()


def test_connected_drops_a_dangling_chain_and_keeps_a_node_without_inputs():
    graph = ResidualGraph(2, 1, 1)
    kept = Circuit.of(graph, ["m1 -> out", "tok -> a0.h0.v", "a0.h0 -> a1.h0.q", "pos -> m1"])
    assert kept.connected().texts == ["pos -> m1", "m1 -> out"]


# ---------------------------------------------------------------- masks


@given(circuits())
def test_a_circuit_reads_back_from_its_mask(circuit):
    mask = to_mask(circuit)
    assert mask.shape == (1, len(circuit.graph.readers), len(circuit.graph.writers))
    assert mask.sum() == len(circuit)
    assert circuit_from_mask(circuit.graph, mask[0] > 0.5) == circuit


@given(specs())
def test_the_legal_entries_of_a_mask_are_the_edges_in_their_order(spec):
    graph = ResidualGraph.of(spec)
    assert int(edge_mask(graph).sum()) == graph.n_edges
    values = torch.arange(2.0 * graph.n_edges).view(2, -1)
    mask = mask_from_edge_values(graph, values)
    assert torch.equal(edge_values(graph, mask), values)
    for number, edge in enumerate(graph.edges):
        assert mask[0, edge.reader.index, edge.writer.index] == number


def test_entries_without_an_edge_behind_them_make_no_edge():
    graph = ResidualGraph(1, 1, 1)
    everything = torch.ones(len(graph.readers), len(graph.writers), dtype=torch.bool)
    assert circuit_from_mask(graph, everything) == Circuit.full(graph)


# ---------------------------------------------------------------- errors, word for word


def _spec(**changes) -> ModelSpec:
    return ModelSpec(**{**SPECS["tracr"].to_json(), **changes})


def _circuit_json(**changes):
    return {**Circuit.empty(ResidualGraph(1, 1, 1)).to_json(), **changes}


_GRAPH = ResidualGraph(1, 1, 1)
_SPEC_FIELDS = sorted(SPECS["tracr"].to_json())

ERRORS = {
    "a size of zero": (
        lambda: _spec(d_mlp=0),
        "EP101 ModelSpec.d_mlp is not a size\n    got     0\n    wanted  1 or more",
    ),
    "key/value heads that do not divide the heads": (
        lambda: _spec(n_heads=3, n_kv_heads=2),
        "EP101 ModelSpec.n_kv_heads does not divide n_heads\n    got     2 and 3\n    wanted  a divisor",
    ),
    "rotary positions in an odd number of dimensions": (
        lambda: _spec(positions="rotary", d_head=3),
        "EP101 rotary positions need an even d_head\n    got     3\n    wanted  even",
    ),
    "an unknown field in a spec": (
        lambda: ModelSpec.from_json({**SPECS["tracr"].to_json(), "depth": 3}),
        f"EP102 unknown fields in a model spec\n    got     ['depth']\n    wanted  {_SPEC_FIELDS}",
    ),
    "a spec that lacks fields": (
        lambda: ModelSpec.from_json({"n_layers": 1, "n_heads": 1}),
        "EP102 a model spec lacks fields\n    got     ['n_heads', 'n_layers']\n"
        "    wanted  ModelSpec.__init__() missing 6 required keyword-only arguments: "
        "'d_model', 'd_head', 'd_mlp', 'd_vocab', 'd_out', and 'n_ctx'",
    ),
    "an unknown writer": (
        lambda: _GRAPH.edge("a0.h1 -> out"),
        "EP111 no writer 'a0.h1' in this graph\n    got     a0.h1\n    wanted  a writer\n"
        "    do      did you mean 'a0.h0'?",
    ),
    "an unknown reader": (
        lambda: _GRAPH.edge("tok -> nowhere"),
        "EP111 no reader 'nowhere' in this graph\n    got     nowhere\n    wanted  a reader\n"
        "    do      one of: a0.h0.k, a0.h0.q, a0.h0.v, m0, out",
    ),
    "text that is no edge": (
        lambda: _GRAPH.edge("tok to out"),
        "EP112 not an edge\n    got     'tok to out'\n"
        "    wanted  'writer -> reader', such as 'tok -> a0.h0.v'",
    ),
    "a writer that writes too late": (
        lambda: _GRAPH.edge("m0 -> a0.h0.q"),
        "EP113 'm0 -> a0.h0.q' is not an edge of this graph\n    got     m0 -> a0.h0.q\n"
        "    wanted  a writer that writes before the reader reads",
    ),
    "circuits of two graphs joined": (
        lambda: Circuit.empty(_GRAPH) | Circuit.empty(ResidualGraph(2, 1, 1)),
        f"EP121 two circuits of different graphs\n    got     {ResidualGraph(2, 1, 1)}\n    wanted  {_GRAPH}",
    ),
    "circuits of two graphs in one mask": (
        lambda: to_mask([Circuit.empty(_GRAPH), Circuit.empty(ResidualGraph(2, 1, 1))]),
        f"EP121 two circuits of different graphs\n    got     {ResidualGraph(2, 1, 1)}\n    wanted  {_GRAPH}",
    ),
    "a circuit file of another kind": (
        lambda: Circuit.from_json({"edges": []}),
        "EP122 not a circuit file\n    got     no schema\n    wanted  edgeprune_core.circuit/1",
    ),
    "a circuit file that is a list": (
        lambda: Circuit.from_json([]),
        "EP122 not a circuit file\n    got     list\n    wanted  edgeprune_core.circuit/1",
    ),
    "a circuit file without edges": (
        lambda: Circuit.from_json({k: v for k, v in _circuit_json().items() if k != "edges"}),
        "EP122 a circuit file lacks a part\n    got     KeyError('edges')\n    wanted  graph and edges",
    ),
    "a mask of another graph": (
        lambda: circuit_from_mask(_GRAPH, torch.ones(2, 2, dtype=torch.bool)),
        "EP141 a mask of another graph\n    got     (2, 2)\n    wanted  (5, 4)",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_is_wrong_is_said_in_these_words(case):
    make, message = ERRORS[case]
    with pytest.raises(CheckError) as caught:
        make()
    assert str(caught.value) == message
    assert caught.value.code == message.split()[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"edges": 5},
        {"edges": [5]},
        {"edges": "tok -> out"},
        {"graph": []},
        {"graph": {"n_layers": "1", "n_heads": 1, "n_kv_heads": 1}},
        {"graph": {"n_layers": 1, "n_heads": 2, "n_kv_heads": 0}},
        {"graph": {"n_layers": 1, "n_heads": 3, "n_kv_heads": 2}},
        {"graph": {"n_layers": 0, "n_heads": 1, "n_kv_heads": 1}},
    ],
    ids=str,
)
def test_a_circuit_file_with_a_part_of_the_wrong_kind_is_refused_as_such(changes):
    with pytest.raises(CheckError) as caught:
        Circuit.from_json(_circuit_json(**changes))
    assert caught.value.code == "EP122"


def test_the_place_of_an_error_is_added_once():
    error = CheckError("EP000", "it broke", got=1)
    assert str(error.at("a.json").at("b.json")) == "EP000 a.json it broke\n    got     1"


def test_a_failed_look_up_names_the_nearest_or_all_there_are():
    assert did_you_mean("revers", ["reverse", "sort"]) == "did you mean 'reverse'?"
    assert did_you_mean("zzz", ["reverse", "sort"]) == "one of: reverse, sort"
    assert did_you_mean("zzz", []) == "one of: (there are none)"
    many = [f"name_{n}" for n in range(21)]
    assert did_you_mean("zzz", many) == "none of the 21 names is near; one of them is 'name_0'"
    assert did_you_mean("zzz", many[:20]).count(",") == 19
