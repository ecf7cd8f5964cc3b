"""Planted models: the same outputs, the same truth in other slots, and distractors as they should be."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.engine import trace
from edgeprune_core.errors import CheckError
from edgeprune_core.mask import to_mask
from edgeprune_core.weights import Model
from tests import zoo
from tests.tracrcheck.planted.models import SOME, planted
from tracrcheck.compiler.compile import compile_program
from tracrcheck.compiler.equivalence import check_compiled, outputs
from tracrcheck.planted import truth
from tracrcheck.planted.distractors import Draw
from tracrcheck.planted.leak import circuits_to_try
from tracrcheck.planted.planting import plant
from tracrcheck.truth.certify import certify
from tracrcheck.truth.permitted import permitted
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

every = pytest.mark.parametrize("which", SOME, ids="{0[0]}-{0[1]}x{0[2]}".format)


@every
def test_it_decodes_as_the_original_on_the_whole_domain(which):
    made = planted(*which)
    assert check_compiled(made.compiled) == check_compiled(made.original)
    if made.original.categorical:
        assert list(outputs(made.compiled)) == list(outputs(made.original))


@every
def test_every_circuit_gives_what_its_share_of_the_original_gives(which):
    """Whatever edges of distractors are kept. So the required edges are the program's, mapped."""
    made = planted(*which)
    circuits = circuits_to_try(made.graph, 4, torch.Generator().manual_seed(which[3]))
    for ablation in ("zero", "mean", "resample"):
        host, mine = (task_of(c, Setting(ablation=ablation)) for c in (made.compiled, made.original))
        items = host.items[:: max(1, len(host.items) // 20)]
        valid = host.valid[items[:, 0]]
        for circuit in circuits:
            got = host.outputs(to_mask(circuit, dtype=torch.float64), items)[0]
            want = mine.outputs(to_mask(made.own(circuit), dtype=torch.float64), items)[0]
            torch.testing.assert_close(got[valid], want[valid], atol=1e-9 * (host.outcome.scale or 1), rtol=0)


@every
def test_permitted_is_the_originals_mapped(which):
    made = planted(*which)
    tokens = made.original.encode(made.original.domain.inputs)[0]
    mine = permitted(made.original.model, tokens)
    assert permitted(made.model, tokens) == made.mapped(mine)
    assert made.own(made.mapped(mine)) == mine


@pytest.mark.parametrize("ablation", ["zero", "mean", "resample"])
@pytest.mark.parametrize("which", [SOME[0], SOME[2], SOME[3], SOME[9]], ids="{0[0]}".format)
def test_the_certified_truth_is_the_originals_mapped(which, ablation):
    made = planted(*which)
    setting = Setting(ablation=ablation, lengths=(2, 3) if ablation == "resample" else None)
    host, mine = (certify(task_of(c, setting), setting) for c in (made.compiled, made.original))
    assert host.required == made.mapped(mine.required)
    assert host.proved == mine.proved == ("sufficient", "minimal", "smallest", "unique")


@every
def test_half_of_the_other_heads_are_distractors_and_some_are_near_copies(which):
    made = planted(*which)
    own = set(made.slots.values())
    assert own | set(made.distractors) == {str(w) for w in made.graph.writers[2:]}
    assert not own & set(made.distractors)
    layers = {slot.split(".")[0] for slot in own if slot.startswith("a")}
    for layer in layers:
        heads = [str(w) for w in made.graph.writers if str(w).startswith(f"{layer}.")]
        assert 2 * sum(h in made.distractors for h in heads) >= len(heads)
        assert {made.copied.get(h, "").split(".")[0] for h in heads} >= {layer}
    w = made.model.weights
    for one, of in made.copied.items():
        if one.startswith("a"):
            here, there = made.graph.writer(one), made.graph.writer(of)
            a, b = w.w_v[here.layer, here.head], w.w_v[there.layer, there.head]
            assert 0 < float((a - b).norm() / b.norm()) < 0.1


@pytest.mark.parametrize("which", SOME[:-1], ids="{0[0]}-{0[1]}x{0[2]}".format)
def test_no_zero_is_left_to_see(which):
    """Biases excepted: a bias that the program lacks is zero in near copies of its components too."""
    for name, tensor in planted(*which).model.weights.tensors().items():
        if not name.startswith("b_"):
            assert not (tensor == 0).any(), name


@pytest.mark.parametrize("sizes", [{}, {"d_model": 36}, {"d_model": 90, "d_head": 13, "d_mlp": 33}])
def test_any_size_that_holds_the_program_will_do(sizes):
    made = plant(zoo.compiled("reverse"), layers=4, heads=2, **sizes)
    spec = made.model.spec
    assert (spec.d_model, spec.d_head, spec.d_mlp) == tuple(
        sizes.get(k, v) for k, v in {"d_model": 70, "d_head": 10, "d_mlp": 20}.items()
    )
    tokens, valid = made.original.encode(made.original.domain.inputs)
    got, want = (trace(c.model, tokens, valid=valid).outputs for c in (made.compiled, made.original))
    torch.testing.assert_close(got[valid], want[valid], atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (
            {"d_model": 35},
            "TC160 d_model is too small for the program\n    got     35\n    wanted  at least 36\n",
        ),
        (
            {"d_head": 9},
            "TC160 d_head is too small for the program\n    got     9\n    wanted  at least 10\n",
        ),
        (
            {"d_mlp": 19},
            "TC160 d_mlp is too small for the program\n    got     19\n    wanted  at least 20\n",
        ),
        ({"layers": 3}, "TC160 too few layers for the program\n"),
        ({"heads": 1}, "TC160 too few heads to hide one among distractors\n"),
        ({"slots": {"m0": "m0"}}, "TC161 components without a slot\n    got     a0.h0, m1, m2, a3.h0\n"),
    ],
)
def test_unusable_sizes_and_slots_are_refused(sizes, message):
    with pytest.raises(CheckError) as caught:
        plant(zoo.compiled("reverse"), **({"layers": 4, "heads": 4} | sizes))
    assert str(caught.value).startswith(message)


def test_a_model_of_another_kind_is_refused():
    mine = zoo.compiled("hist")
    gelu = replace(mine, model=Model(replace(mine.model.spec, activation="gelu"), mine.model.weights))
    plant(gelu, layers=2, heads=2)
    empty = replace(mine, model=zoo.compiled("square").model)  # no heads
    biased = replace(empty.model.weights, b_o=torch.ones_like(empty.model.weights.b_o))
    with pytest.raises(CheckError, match="TC160") as caught:
        plant(replace(empty, model=Model(empty.model.spec, biased)), layers=2, heads=2)
    assert "no attention bias in a layer without heads" in str(caught.value)


def test_the_same_seed_gives_the_same_model_and_chosen_slots_change_nothing_else():
    one = plant(zoo.compiled("sort"), layers=4, heads=3, seed=5)
    same = plant(zoo.compiled("sort"), layers=4, heads=3, seed=5)
    chosen = plant(zoo.compiled("sort"), layers=4, heads=3, seed=5, slots=one.slots)
    other = plant(zoo.compiled("sort"), layers=4, heads=3, seed=6)
    assert one.model.digest() == same.model.digest() == chosen.model.digest() != other.model.digest()


def test_the_global_random_state_neither_matters_nor_moves():
    before = torch.random.get_rng_state()
    plant(zoo.compiled("hist"), layers=2, heads=2)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_every_bias_of_the_program_is_kept():
    """Biases of queries, keys, values and hidden units are rotated or moved with their weights. The output bias of a
    layer's attention comes after all of its heads."""
    mine = zoo.compiled("pair_balance")
    w, draw = mine.model.weights, Draw.of(0)
    names = ("b_q", "b_k", "b_v", "b_o", "b_in", "b_out")
    made_up = {name: 0.1 * draw.normal(*getattr(w, name).shape) for name in names}
    made_up["b_o"][0] = 0  # this layer has no heads
    changed = replace(mine, model=Model(mine.model.spec, replace(w, **made_up)))
    tokens, valid = mine.encode(mine.domain.inputs)
    want = trace(changed.model, tokens, valid=valid).outputs
    for heads in (2, 4):
        made = plant(changed, layers=4, heads=heads)
        got = trace(made.model, tokens, valid=valid).outputs
        torch.testing.assert_close(got[valid], want[valid], atol=1e-10, rtol=0)


def test_a_program_whose_stream_is_empty_somewhere_is_refused():
    mine = zoo.compiled("hist")
    w = mine.model.weights
    nothing = replace(w, tok=torch.zeros_like(w.tok), pos=torch.zeros_like(w.pos))
    with pytest.raises(CheckError, match="TC160") as caught:
        plant(replace(mine, model=Model(mine.model.spec, nothing)), layers=2, heads=2)
    assert "the stream of 'hist' is empty somewhere" in str(caught.value)


def test_every_component_is_described():
    made = planted("reverse", 4, 4, 0)
    provenance = made.compiled.provenance
    assert provenance[made.slots["m1"]] == made.original.provenance["m1"]
    assert all(provenance[w][0].startswith("distractor: ") for w in made.distractors)
    assert set(provenance) == {str(w) for w in made.graph.writers}


def test_edges_of_empty_components_have_no_counterpart():
    made = planted("reverse", 4, 4, 0)
    empty = Circuit.of(made.original.graph, ["tok -> a1.h0.v", "m3 -> out", "tok -> m1"])
    assert made.mapped(empty).texts == [f"tok -> {made.slots['m1']}"]


def test_a_planted_program_that_is_planted_again_still_is_the_program():
    again = plant(planted("hist", 3, 2, 3).compiled, layers=4, heads=4, d_model=70)
    check_compiled(again.compiled)
    setting = Setting()
    assert len(certify(task_of(again.compiled, setting), setting).required) == 6
    assert compile_program(again.compiled.program).model.digest() == again.model.digest()


def test_another_circuit_of_the_same_size_is_no_truth_of_a_planted_program(monkeypatch):
    made, setting = planted("hist", 3, 2, 3), Setting(ablation="zero")
    real = truth.certificate_of
    assert truth.truth_of(made, setting).required == made.mapped(real(made.original, setting).required)

    def other(compiled, setting):
        found = real(compiled, setting)
        if compiled is made.original:
            return found
        lost = next(iter(found.required))
        spare = next(edge for edge in compiled.graph.edges if edge not in found.required)
        return replace(found, required=found.required.without(lost) | Circuit.of(compiled.graph, [spare]))

    monkeypatch.setattr(truth, "certificate_of", other)
    with pytest.raises(CheckError, match="TC163"):
        truth.truth_of(made, setting)
