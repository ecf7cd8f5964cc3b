"""Counterexamples to statements that are no laws, and checks of the independent forward and its bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.criterion import Outcome
from edgeprune_core.spec import ModelSpec
from edgeprune_core.weights import Model, Weights, expected_shapes
from tests.edgeprune_core import naive
from tests.edgeprune_core.models import arrays_of, shape_of
from tracrcheck.invariants.circuits import mask_of, some_circuits, some_shares
from tracrcheck.invariants.expected import expected, forward_of
from tracrcheck.invariants.forward import edges, writers
from tracrcheck.invariants.precision import first_layer, in_single
from tracrcheck.invariants.subjects import KINDS, of_model, small, some_items
from tracrcheck.invariants.unneeded import fed, unfaithful_additions
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting


def two_equal_heads() -> Model:
    """Directions: token, first head, second head, output. The MLP writes relu(token) + (first - second).

    Both heads write 1 + the mean of the tokens before; in the model they cancel.
    """
    spec = ModelSpec(
        n_layers=1, n_heads=2, d_model=4, d_head=1, d_mlp=3, d_vocab=5, d_out=1, n_ctx=6, positions="none"
    )
    w = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in expected_shapes(spec).items()}
    w["tok"][:, 0] = torch.arange(5.0)
    w["w_v"][0, :, 0, 0] = 1.0
    w["b_v"][0] = 1.0
    w["w_o"][0, 0, 0, 1] = w["w_o"][0, 1, 0, 2] = 1.0
    w["w_in"][0] = torch.tensor([[1.0, 0, 0], [0, 1, -1], [0, -1, 1], [0, 0, 0]])
    w["w_out"][0, :, 3] = torch.tensor([1.0, 1.0, -1.0])
    w["unembed"][3, 0] = 1.0
    return Model(spec, Weights(**w))


def test_adding_an_edge_back_to_a_unique_truth_is_no_law():
    task = of_model("two_equal_heads", two_equal_heads(), 0).tasks["zero"]
    task = replace(task, outcome=Outcome(categorical=False, scale=4.0))
    certificate = certify(task, Setting(ablation="zero"))
    assert "unique" in certificate.proved
    assert certificate.required.texts == ["tok -> m0", "m0 -> out"]
    bad = unfaithful_additions(task, certificate.required, certificate.permitted)
    assert bad == ["a0.h0 -> m0", "a0.h1 -> m0"]
    both = Circuit.of(task.graph, [*certificate.required, *bad])
    assert task.accepts(both)  # together they cancel again


def test_a_node_that_reads_nothing_still_writes_a_constant_under_zero_and_mean():
    subject = small("gpt2", 0)
    graph = subject.graph
    circuit = Circuit.of(graph, [e for e in graph.edges if e.reader.kind == "out" or str(e.reader) == "m0"])
    assert fed(circuit) != circuit
    for name, task in subject.tasks.items():
        items = some_items(task, 0)
        before, after = task.outputs(mask_of(task, circuit, fed(circuit)), items)
        off = (before - after).abs()[task.valid[items[:, 0]]].max()
        assert off < 1e-9 if name == "resample" else off > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_the_forward_by_hand_is_the_one_in_plain_loops(kind):
    task = small(kind, 3).tasks["zero"]
    shape, arrays = shape_of(task.model.spec), arrays_of(task.model)
    assert writers(task.model.spec) == naive.nodes(shape)
    assert list(edges(task.model.spec)) == naive.edges(shape)
    items, mask = task.items[:1], some_shares(task, 0, 1)
    keep = {
        (str(e.writer), str(e.reader)): float(mask[0, e.reader.index, e.writer.index])
        for e in task.graph.edges
    }
    ids = task.tokens[0].tolist()
    nothing = {name: np.zeros((len(ids), task.model.spec.d_model)) for name in naive.nodes(shape)}
    want = naive.run(shape, arrays, ids, keep, nothing)[0]
    got = expected(task, mask, items)
    assert np.abs(got.x[0, 0].numpy() - want).max() < 1e-11
    plain = forward_of(task).plain(np.array([ids]))[0]
    assert np.abs(plain.x[0] - naive.plain(shape, arrays, ids)[0]).max() < 1e-11


@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_on_rounding_is_narrow_enough_to_say_something(kind):
    compared = []
    for seed in range(4):
        subject = small(kind, seed)
        for task in subject.tasks.values():
            mask = mask_of(task, *some_circuits(task.graph, seed))
            assert expected(task, mask, some_items(task, seed)).compared > 0.95
            compared.append(in_single(first_layer(task), seed)[0].compared)
    assert sum(compared) / len(compared) > 0.5


def test_rounding_in_double_precision_is_within_the_bound_and_an_error_of_a_millionth_is_not():
    task = small("llama", 2).tasks["resample"]
    items, mask = some_items(task, 0), mask_of(task, *some_circuits(task.graph, 0))
    want, got = expected(task, mask, items), task.outputs(mask, items)
    assert list(want.violations("as it is", got)) == []
    (wrong,) = want.violations("nudged", got + 1e-6)
    assert wrong.what == "nudged, circuit 0, item 0, position 0, coordinate 0"
    assert list(want.violations("not a number", got * torch.nan))
