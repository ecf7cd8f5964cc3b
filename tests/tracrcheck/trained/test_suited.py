"""Which settings edge pruning has on a large graph, and which of the user's it leaves alone."""

from __future__ import annotations

from dataclasses import replace

from edgeprune_core.graph import LARGE
from edgeprune_core.methods import Eap, EapIg, EdgePruning
from edgeprune_core.methods.edge_pruning import WarmStart
from edgeprune_core.training.prices import FixedPrice
from tracrcheck.trained.sizes import EdgeCount, MeanKl
from tracrcheck.trained.suited import SAMPLED, SETTINGS, Effort, effort, suited


def large(method, **how):
    return suited(method, LARGE + 1, **how)


def test_a_small_graph_and_another_method_are_left_alone():
    assert suited(EdgePruning(), LARGE) == EdgePruning()
    assert large(EapIg()) == EapIg()


def test_gates_are_annealed_on_a_large_graph_and_chosen_settings_stay():
    assert large(EdgePruning()) == EdgePruning(**SETTINGS)
    assert large(EdgePruning(steps=7)) == EdgePruning(**{**SETTINGS, "steps": 7})
    ranked = large(EdgePruning(init=WarmStart(method=Eap())))
    assert ranked == EdgePruning(**{**SETTINGS, "init": replace(SETTINGS["init"], method=Eap())})


def test_a_price_or_a_cold_start_means_sampled_gates():
    price = FixedPrice(per_edge=1e-4)
    assert large(EdgePruning(price=price)) == EdgePruning(price=price, **SAMPLED)
    cold = large(EdgePruning(), cold=True)
    assert (cold.annealing, cold.init, cold.circuits) == (None, None, 1)


def test_annealed_gates_need_no_price_for_a_number_of_edges_and_no_number_for_a_divergence():
    method = large(EdgePruning())
    assert EdgeCount(edges=40).applied_to(method, 20_000) == replace(method, n_edges=40)
    assert MeanKl(nats=0.1).applied_to(method, 20_000) == method


def test_a_ranking_of_a_large_graph_has_few_prompts_and_an_evaluation_as_long_as_itself():
    found = effort(Eap(), LARGE + 1)
    assert (found.prompts, found.judged) == (24, 24)
    assert [found.minutes(seconds) for seconds in (1, 120, 6000)] == [0.5, 2.0, 10.0]
    assert str(found) == "24 prompts of each list; evaluation in as much time as the search, 0.5 to 10 min"


def test_a_training_or_a_small_graph_has_200_prompts_and_ten_minutes():
    for found in (effort(EdgePruning(), LARGE + 1), effort(Eap(), LARGE), Effort()):
        assert found.prompts == 200
        assert found.minutes(1) == found.minutes(6000) == 10
    assert str(found) == "200 prompts of each list; evaluation in at most 10 min"


def test_what_the_user_chose_is_kept():
    found = effort(Eap(), LARGE + 1).chosen(prompts=7, minutes=0)
    assert (found.prompts, found.minutes(6000)) == (7, 0)
    assert effort(Eap(), LARGE + 1).chosen(prompts=None, minutes=None) == effort(Eap(), LARGE + 1)


def test_a_circuit_of_a_training_on_a_large_graph_is_judged_on_few_prompts():
    assert effort(EdgePruning(), LARGE + 1).judged == effort(EapIg(), LARGE + 1).prompts == 24
