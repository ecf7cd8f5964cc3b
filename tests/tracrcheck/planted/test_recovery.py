"""Edge pruning, in its one setting, finds what is planted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgeprune_core.methods import EdgePruningScoreFunction
from tests import zoo
from tests.tracrcheck.planted.models import planted
from tracrcheck.planted.planting import Planted
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

ABLATIONS = ("zero", "mean", "resample")
# Every program here fits in four layers, has a unique smallest circuit and is not trivial under some ablation.
AT_FOUR = (
    "reverse", "sort", "hist", "pair_balance", "xproportion", "all_equal", "blend", "bracket_depth",
    "count_a", "count_distinct", "detect_pattern_ab", "first_equals_last", "frac_prevs", "is_mode", "last_a",
    "max_token", "mean_token", "rank", "running_parity", "shift_by_one", "sort_unique", "token_at_own_count",
)  # fmt: skip


def wrong(made: Planted, ablation: str, seed: int) -> list[str]:
    """Edges missing and extra in what is found; the truth is the original's, mapped."""
    setting = Setting(ablation=ablation)
    want = made.mapped(certify(task_of(made.original, setting), setting).required)
    found = EdgePruningScoreFunction()(replace(task_of(made.compiled, setting), seed=seed)).circuit
    return [f"- {e}" for e in (want - found).texts] + [f"+ {e}" for e in (found - want).texts]


@pytest.mark.parametrize(("name", "ablation"), [("pair_balance", "mean")])
def test_what_is_planted_in_four_layers_of_four_heads_is_found(name, ablation):
    assert not wrong(planted(name, 4, 4, 11), ablation, seed=11)


@pytest.mark.slow
@pytest.mark.parametrize("ablation", ABLATIONS)
@pytest.mark.parametrize("name", AT_FOUR)
def test_what_any_program_plants_in_four_layers_of_four_heads_is_found(name, ablation):
    assert name in zoo.NAMES
    assert not wrong(planted(name, 4, 4, 1), ablation, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("ablation", ["zero", "resample"])
@pytest.mark.parametrize("name", ["reverse", "sort", "hist"])
def test_what_is_planted_in_a_graph_of_32_936_edges_is_found(name, ablation):
    made = planted(name, 12, 12, 0)
    assert made.graph.n_edges == 32_936
    assert not wrong(made, ablation, seed=0)
