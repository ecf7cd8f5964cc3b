"""The strategies: what they draw, what they reject, and that a planted bug shrinks to a small program."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
from hypothesis import HealthCheck, Phase, find, given
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import NoSuchExample

from edgeprune_core.methods import EdgePruningScoreFunction
from tests.tracrcheck.runs import pruners
from tracrcheck import strategies
from tracrcheck.generator.accept import REASONS, Rejected, compiled_of, draw
from tracrcheck.generator.recipe import OPERATIONS, Recipe
from tracrcheck.program import Program
from tracrcheck.runs import regressions
from tracrcheck.runs.fuzz_program import judge
from tracrcheck.strategies import compiled_programs, compiled_recipes, programs, recipes, settings
from tracrcheck.truth.setting import Setting

NO_SHRINKING = [Phase.generate]
SEARCH = hypothesis_settings(max_examples=100, derandomize=True, database=None, deadline=None)


def row_of(compiled, setting, method):
    return judge(compiled, setting, method, number=0, name="planted", timeout=60)


@given(recipes())
@hypothesis_settings(max_examples=100)
def test_a_recipe_has_one_to_six_operations_two_to_four_tokens_and_up_to_four_places(recipe):
    assert isinstance(recipe, Recipe)
    assert 1 <= len(recipe.operations) <= 6
    assert 2 <= recipe.n_tokens <= 4
    assert 1 <= recipe.max_seq_len <= 4


def test_every_kind_of_operation_is_drawn_in_causal_programs_and_others():
    seen = set()

    @given(recipes())
    @hypothesis_settings(max_examples=200, derandomize=True, phases=NO_SHRINKING)
    def draw(recipe):
        seen.update([recipe.causal, *(type(operation) for operation in recipe.operations)])

    draw()
    assert seen == {*OPERATIONS.values(), False, True}


def test_the_simplest_recipe_is_one_map_of_one_token_list():
    found = find(recipes(), lambda r: True, settings=SEARCH)
    assert (found.n_tokens, found.max_seq_len, found.causal) == (2, 1, False)
    (operation,) = found.operations
    assert (type(operation).__name__, operation.source, operation.table) == ("Map", 0, (0, 0))


def test_only_what_tracr_refuses_or_compiles_wrongly_is_rejected_and_it_is_counted():
    rejected, drawn = Counter(), []

    @given(compiled_programs(rejected=rejected))
    @hypothesis_settings(max_examples=40, derandomize=True, phases=NO_SHRINKING)
    def draw(compiled):
        drawn.append(compiled)

    draw()
    known = {*REASONS.values()}
    assert all(reason in known or reason.startswith("TC3") for reason in rejected)
    assert len(drawn) >= 30
    assert rejected.total() < len(drawn) / 2


def test_each_rejection_is_counted_by_its_reason(monkeypatch):
    def only_causal(recipe):
        if not recipe.causal:
            raise Rejected("not causal")
        return recipe

    monkeypatch.setattr(strategies, "compiled_of", only_causal)
    rejected, drawn = Counter(), []

    @given(compiled_programs(rejected=rejected))
    @hypothesis_settings(max_examples=20, phases=NO_SHRINKING, suppress_health_check=list(HealthCheck))
    def draw(compiled):
        drawn.append(compiled)

    draw()
    assert drawn
    assert all(recipe.causal for recipe in drawn)
    assert rejected["not causal"] == rejected.total() > 0


def test_a_program_that_is_recovered_is_not_saved(tmp_path):
    recipe = draw("5/1")
    judged = partial(row_of, compiled_of(recipe), Setting(), pruners.right)
    assert regressions.keeping(judged, recipe, tmp_path, "right").holds
    assert not list(tmp_path.iterdir())


def test_programs_and_settings_are_what_users_give_to_the_gate():
    few = hypothesis_settings(SEARCH, max_examples=5)
    assert isinstance(find(programs(max_operations=1), lambda p: True, settings=few), Program)
    assert find(settings(), lambda s: True, settings=few) == Setting(ablation="zero")
    assert find(settings(ablations=("mean",)), lambda s: True, settings=few) == Setting(ablation="mean")


@pytest.mark.parametrize(
    "pruner",
    [
        pruners.forgets_positions,
        pytest.param(pruners.forgets_queries_of_later_layers, marks=pytest.mark.slow),
    ],
)
def test_a_planted_bug_shrinks_to_a_program_of_at_most_two_operations(pruner):
    setting = Setting(ablation="zero")
    recipe, compiled = find(
        compiled_recipes(),
        lambda pair: not row_of(pair[1], setting, pruner).holds,
        settings=SEARCH,
    )
    assert len(recipe.operations) <= 2
    assert recipe.n_tokens == 2
    assert recipe.max_seq_len <= 2
    assert row_of(compiled, setting, pruners.right).holds


def test_no_example_is_found_against_a_method_that_is_right():
    few = hypothesis_settings(SEARCH, max_examples=10)
    with pytest.raises(NoSuchExample):
        find(compiled_programs(), lambda c: not row_of(c, Setting(), pruners.right).holds, settings=few)


def test_the_smallest_failing_example_is_the_one_that_is_saved(tmp_path):
    @given(compiled_recipes(max_operations=2), settings())
    @hypothesis_settings(SEARCH, max_examples=30)
    def recovers(pair, setting):
        recipe, compiled = pair
        judged = partial(row_of, compiled, setting, pruners.forgets_positions)
        assert regressions.keeping(judged, recipe, tmp_path, "forgets-positions").holds

    with pytest.raises(AssertionError):
        recovers()
    (path,) = tmp_path.iterdir()
    case = regressions.read(path)
    assert (case.check, len(case.recipe.operations)) == ("recovers", 1)
    assert not row_of(compiled_of(case.recipe), case.setting, pruners.forgets_positions).holds


# The property ------------------------------------------------------------------------------------------


def the_truth_is_recovered(compiled, setting):
    """The method finds the certified circuit, unless nothing is proved because a gap is too narrow."""
    row = row_of(compiled, setting, EdgePruningScoreFunction())
    assert row.holds or (row.verdict.verdict == "UNKNOWN" and "narrow" in row.verdict.detail), row.verdict


@given(compiled_programs(max_operations=3), settings())
@hypothesis_settings(max_examples=6)
def test_edge_pruning_recovers_the_certified_truth(compiled, setting):
    the_truth_is_recovered(compiled, setting)


@pytest.mark.slow
@given(compiled_programs(), settings())
@hypothesis_settings(max_examples=150)
def test_edge_pruning_recovers_the_certified_truth_of_larger_programs(compiled, setting):
    the_truth_is_recovered(compiled, setting)
