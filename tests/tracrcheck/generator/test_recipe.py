"""Recipes: programs as data, and the fixed generator that draws them."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from dataclasses import replace
from itertools import islice

import pytest

from edgeprune_core.errors import CheckError
from edgeprune_core.methods import EdgePruningScoreFunction
from tracrcheck.generator.accept import Draws, compiled_of, draw, numbered
from tracrcheck.generator.recipe import (
    OPERATIONS,
    Above,
    Map,
    Number,
    Pair,
    Recipe,
    Selection,
    from_json,
    program,
    some_inputs,
    to_json,
)
from tracrcheck.generator.sample import BY_ORDER
from tracrcheck.rasp.interpreter import Evaluator
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

SEEDS = range(24)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_recipe_reads_back_equal_from_its_json(seed):
    recipe = draw(seed)
    assert from_json(json.loads(json.dumps(to_json(recipe)))) == recipe


def test_the_same_seed_draws_the_same_recipe_and_seeds_differ():
    assert [draw(s) for s in SEEDS] == [draw(s) for s in SEEDS]
    assert len({json.dumps(to_json(draw(s))) for s in SEEDS}) > len(SEEDS) // 2


def test_drawn_programs_vary_in_depth_and_kind():
    specs = [compiled_of(draw(s)).model.spec for s in SEEDS]
    assert {1, 2, 3} <= {spec.n_layers for spec in specs}
    assert {spec.causal for spec in specs} == {True, False}


def test_every_kind_of_operation_is_drawn_and_none_more_than_six_times():
    recipes = [draw(s) for s in range(200)]
    assert {type(o) for r in recipes for o in r.operations} == set(OPERATIONS.values())
    assert {len(r.operations) for r in recipes} == {1, 2, 3, 4, 5, 6}


def test_accepted_programs_have_different_weights_and_the_others_are_counted():
    draws = Draws(seed=20261123)
    accepted = list(islice(draws, 30))
    assert len({compiled.model.digest() for _, compiled in accepted}) == 30
    assert draws.drawn == accepted[-1][0] + 1 == 30 + draws.rejected.total()
    assert draws.rejected


def test_a_program_is_named_for_its_draw_and_made_again_from_it():
    number, compiled = next(iter(Draws(seed=3)))
    assert compiled.program.name == f"drawn_3_{number}"
    assert compiled_of(draw(f"3/{number}")).model.digest() == compiled.model.digest()


@pytest.mark.parametrize("damage", [{}, {"operations": "none"}, []])
def test_a_damaged_recipe_is_refused(damage):
    with pytest.raises(CheckError):
        from_json(damage)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
@pytest.mark.parametrize("ablation", ["zero", "resample"])
def test_edge_pruning_finds_the_certified_truth_of_programs_nobody_wrote(seed, ablation):
    setting = Setting(ablation=ablation)
    task = task_of(compiled_of(draw(seed)), setting)
    certificate = certify(task, setting)
    found = EdgePruningScoreFunction()(dataclasses.replace(task, seed=seed)).circuit
    assert len(found) == len(certificate.required)
    assert task.accepts(found)
    if "unique" in certificate.proved:
        assert found == certificate.required


def test_above_is_more_than_the_threshold():
    recipe = Recipe(n_tokens=3, max_seq_len=3, operations=(Number(0, (2, 3, 4)), Above(2, 3)))
    assert Evaluator([0, 1, 2], causal=False)(program(recipe).build()) == [0, 0, 1]


# Large programs ----------------------------------------------------------------------------------------


def large(n: int) -> list[Recipe]:
    return [draw(seed, "large") for seed in range(n)]


def test_large_programs_have_longer_inputs_more_tokens_and_values_of_several_types():
    recipes = large(200)
    assert {r.max_seq_len for r in recipes} == set(range(5, 13))
    assert {r.n_tokens for r in recipes} == set(range(3, 13))
    assert {r.mixed for r in recipes} == {True, False}
    assert not any(draw(seed).mixed for seed in SEEDS)
    mixed = next(r for r in recipes if r.mixed and r.n_tokens == 5)
    assert program(mixed).vocab == frozenset([0, "1", 2, "3", 4])
    assert from_json(json.loads(json.dumps(to_json(mixed)))) == mixed


def test_texts_are_not_compared_by_order_and_their_tables_are_those_of_their_numbers():
    recipes = [r for r in large(200) if r.mixed]
    by_tokens = [
        o for r in recipes for o in r.operations if isinstance(o, Selection) and 0 in (o.keys, o.queries)
    ]
    assert len(by_tokens) > 20
    assert not [o for o in by_tokens if o.by in BY_ORDER]
    recipe = Recipe(
        n_tokens=4,
        max_seq_len=5,
        mixed=True,
        operations=(Map(0, (2, 1, 0, 1)), Pair(2, 0, ((0, 1, 2, 3), (3, 2, 1, 0)))),
    )
    assert Evaluator([0, "1", 2, "3"], causal=False)(program(recipe).build()) == [0, 2, 2, 0]
    assert Evaluator(["1", 2], causal=False)(
        program(replace(recipe, operations=recipe.operations[:1])).build()
    ) == ["1", 0]


def test_large_programs_compile_to_what_the_interpreter_gives_on_lists_of_each_length():
    for number, compiled in islice(Draws(seed=1, size="large"), 6):
        recipe = numbered(1, number, "large")
        lengths = Counter(map(len, compiled.domain.inputs))
        assert set(lengths) == set(range(1, recipe.max_seq_len + 1))
        if sum(recipe.n_tokens**n for n in lengths) > 400:
            assert max(lengths.values()) <= 24


def test_the_inputs_of_a_small_program_are_all_there_are():
    assert some_inputs(range(4), 4) is None
    drawn = some_inputs(range(5), 4)
    assert drawn == some_inputs(range(5), 4)
    assert [one for one in drawn if len(one) == 1] == [[0], [1], [2], [3], [4]]
