"""The model for other tools is the task's: its outputs, every cut edge, and random circuits, by TransformerLens hooks alone."""

from __future__ import annotations

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.mask import to_mask
from tests import zoo
from tests.tracrcheck.peers.conftest import peer, task
from tracrcheck.peers import hooked

# Categorical and numerical, causal and not, one head and several, up to five layers.
PROGRAMS = ("hist", "xproportion", "reverse", "sort", "bracket_depth", "cancelling_pair", "shuffle_dyck1")
BOUND = 1e-12  # float64 sums of order 1


def test_the_programs_differ_in_kind():
    specs = [zoo.compiled(name).model.spec for name in PROGRAMS]
    assert {spec.causal for spec in specs} == {True, False}
    assert {spec.n_heads for spec in specs} >= {1, 2}
    assert max(spec.n_layers for spec in specs) >= 4
    assert {zoo.compiled(name).categorical for name in PROGRAMS} == {True, False}


@pytest.mark.parametrize("name", PROGRAMS)
def test_full_outputs_are_those_of_the_task_padded_or_by_length(name):
    own, its = task(name), peer(name)
    with torch.no_grad():
        padded = its.model(own.tokens)
        assert ((padded - own.reference).abs() * own.valid[..., None]).max() < BOUND
        for clean, _, items in its.loader(at_most=40):
            got = its.model(clean)
            assert (got - own.reference[items[:, 0], : clean.shape[1]]).abs().max() < BOUND


def test_the_padding_of_bidirectional_attention_is_masked_by_the_hook():
    own, its = task("sort"), peer("sort")
    pad, its.model.pad = its.model.pad, None
    its.model._padding = None
    try:
        with torch.no_grad():
            off = (its.model(own.tokens) - own.reference).abs() * own.valid[..., None]
    finally:
        its.model.pad = pad
    assert off.max() > 0.1


# Circuits ----------------------------------------------------------------------------------------------


def writer_and_reader(its, edge):
    """The hook points of an edge, and the heads there."""

    def point(text):
        name, _, head = text.partition("[:, :, ")
        return name, int(head[:-1]) if head else None

    writer, _, reader = its.name(edge, "transformer_lens").partition(" -> ")
    return point(writer), point(reader)


def patched(its, cut, clean, corrupted):
    """Outputs with these edges cut: what each writer writes, in this very run, is replaced in the inputs of its readers."""
    before: dict[str, torch.Tensor] = {}
    now: dict[str, torch.Tensor] = {}
    ends = [writer_and_reader(its, edge) for edge in cut]
    wrote = {writer for (writer, _), _ in ends}

    def keep(store):
        def hook(value, hook):
            store[hook.name] = value.detach().clone()

        return hook

    def read(value, hook):
        value = value.clone()
        for (writer, by), (reader, at) in ends:
            if reader != hook.name:
                continue
            carried = -now[writer] if its.intervention == "zero" else before[writer] - now[writer]
            carried = carried if by is None else carried[:, :, by]
            if at is None:
                value += carried
            else:
                value[:, :, at] += carried
        return value

    with torch.no_grad():
        its.model.run_with_hooks(corrupted, fwd_hooks=[(w, keep(before)) for w in wrote])
        readers = {reader for _, (reader, _) in ends}
        hooks = [(w, keep(now)) for w in wrote] + [(r, read) for r in readers]
        return its.model.run_with_hooks(clean, fwd_hooks=hooks)


def differs(its, circuit, *, at_most, length=None):
    own = its.task
    cut = [edge for edge in own.graph.edges if edge not in circuit]
    worst = 0.0
    for clean, corrupted, items in its.loader(at_most=at_most, length=length):
        want = own.outputs(to_mask(circuit), items)[0][:, : clean.shape[1]]
        worst = max(worst, float((patched(its, cut, clean, corrupted) - want).abs().max()))
    return worst


@pytest.mark.parametrize("ablation", ["resample", "zero"])
@pytest.mark.parametrize("name", ["hist", "xproportion", "either_of_two_heads"])
def test_every_edge_cut_alone_gives_the_outputs_of_the_engine(name, ablation):
    its = peer(name, ablation)
    full, longest = Circuit.full(its.task.graph), int(its.task.valid.sum(1).max())
    assert max(differs(its, full.without(edge), at_most=16, length=longest) for edge in full) < BOUND


@pytest.mark.parametrize("ablation", ["resample", "zero"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_random_circuits_give_the_outputs_of_the_engine(name, ablation):
    its = peer(name, ablation)
    graph, generator = its.task.graph, torch.Generator().manual_seed(0)
    for share in (0.3, 0.6, 0.9):
        kept = torch.rand(graph.n_edges, generator=generator) < share
        circuit = Circuit.of(graph, [e for e, k in zip(graph.edges, kept.tolist(), strict=True) if k])
        assert differs(its, circuit, at_most=24) < BOUND


def test_a_cut_that_is_not_made_is_noticed():
    its = peer("hist")
    edge = its.task.graph.edge("m0 -> out")
    circuit = Circuit.full(its.task.graph)
    whole = differs(its, circuit, at_most=24)
    assert whole < BOUND
    items = its.items(at_most=24)
    cut = its.task.outputs(to_mask(circuit.without(edge)), items)
    assert (cut - its.task.outputs(to_mask(circuit), items)).abs().max() > 0.1


def test_without_front_layer_and_dead_heads_outputs_are_the_same():
    own = task("hist")
    its = hooked(own, split_pos=False, min_heads=1, dtype=torch.float32)
    assert (its.model.cfg.n_layers, its.model.cfg.n_heads, its.model.cfg.d_model) == (
        own.model.spec.n_layers, own.model.spec.n_heads, own.model.spec.d_model,
    )  # fmt: skip
    with torch.no_grad():
        for clean, _, items in its.loader(at_most=40):
            got = its.model(clean)
            assert got.dtype == torch.float32
            assert (got - own.reference[items[:, 0], : clean.shape[1]]).abs().max() < 1e-5


def test_nothing_is_printed_and_no_seed_is_set(capfd):
    before = torch.random.get_rng_state()
    hooked(task("hist"))
    assert torch.equal(before, torch.random.get_rng_state())
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
