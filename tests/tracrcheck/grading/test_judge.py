"""What is judged: rankings, circuits that a selector made, and nodes; each seen to hold and to fail."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from edgeprune_core import Circuit, Discovery, Scores
from edgeprune_core.errors import CheckError
from tests import zoo
from tests.tracrcheck.grading.test_grade import Exam
from tracrcheck.grading.judge import Judge, judged
from tracrcheck.grading.run_method import Answer, ask
from tracrcheck.grading.verdict import exit_code
from tracrcheck.peers.answers import NodeScores
from tracrcheck.peers.names import Correspondence


@pytest.fixture(scope="module")
def hist():
    return Exam("hist")


@pytest.fixture(scope="module")
def several():
    return Exam("either_of_two_heads")


def verdict(exam, result, *, on="auto", select=None, certificate=None):
    answer = (
        result if isinstance(result, Answer) else ask(lambda task: result, exam.task, seed=3, timeout=None)
    )
    certificate = certificate or exam.certificate
    judge = Judge.of(on, select)
    return judged(exam.compiled, exam.task, certificate, answer, method="m", seed=3, judge=judge)


def scores(exam, circuit, *, low=0.0, high=1.0, **others):
    """`high` for the edges of a circuit and `low` for the rest."""
    found = torch.tensor(
        [high if edge in circuit else low for edge in exam.task.graph.edges], dtype=torch.float64
    )
    for text, score in others.items():
        found[exam.task.graph.edges.index(exam.task.graph.edge(text))] = score
    return found


# Rankings ----------------------------------------------------------------------------------------------


def test_a_ranking_holds_where_a_threshold_gives_the_circuit(hist):
    found = scores(hist, hist.certificate.required)
    found += torch.linspace(0, 0.4, len(found), dtype=torch.float64)
    got = verdict(hist, Scores(scores=found))
    assert (got.verdict, got.reason, got.judged, got.seed) == ("HOLDS", None, "ranking", 3)
    assert (got.n_found, got.missing, got.extra) == (got.n_required, (), ())
    assert got.ranking.exact_threshold


def test_a_ranking_fails_where_a_useless_edge_scores_as_much_as_a_required_one(hist):
    found = scores(hist, hist.certificate.required, **{"m0 -> out": 0.0})
    got = verdict(hist, Scores(scores=found))
    assert (got.verdict, got.reason, got.judged) == ("FAILS", "no_threshold", "ranking")
    assert (got.missing, got.extra) == (("m0 -> out",), ())
    assert got.witness is not None
    useless = hist.task.graph.n_edges - got.n_required
    assert got.detail.startswith(
        f"m0 -> out is required and scores 0; {useless} edges that are not score as much or more"
    )
    assert not got.ranking.exact_threshold


def test_a_tie_across_the_border_enters_together_and_fails(hist):
    found = scores(hist, hist.certificate.required, **{"tok -> out": 1.0})
    got = verdict(hist, Scores(scores=found))
    assert (got.verdict, got.missing, got.extra, got.witness) == ("FAILS", (), ("tok -> out",), None)
    assert verdict(hist, Scores(scores=torch.zeros(len(found)))).reason == "no_threshold"


def test_a_required_edge_that_only_rounding_puts_above_a_useless_one_fails(hist):
    """9e-19 and 0 are what a sum that cancels gives on one machine and on another."""
    found = scores(hist, hist.certificate.required, **{"m0 -> out": 9e-19})
    got = verdict(hist, Scores(scores=found))
    assert (got.verdict, got.reason, got.missing) == ("FAILS", "no_threshold", ("m0 -> out",))
    assert (
        got.ranking
        == verdict(hist, Scores(scores=scores(hist, hist.certificate.required, **{"m0 -> out": 0.0}))).ranking
    )
    small = scores(hist, hist.certificate.required, **{"m0 -> out": 1e-6})
    assert verdict(hist, Scores(scores=small)).verdict == "HOLDS"
    assert verdict(hist, Scores(scores=small.float())).verdict == "FAILS"  # float32 rounds by 1e-7


def test_a_dangling_edge_above_the_border_is_not_dropped(hist):
    assert "pos -> a0.h0.q" not in hist.certificate.required
    found = scores(hist, hist.certificate.required, **{"pos -> a0.h0.q": 2.0})
    assert verdict(hist, Scores(scores=found)).reason == "no_threshold"


def test_a_ranking_may_give_any_of_several_smallest_circuits(several):
    for circuit in (several.certificate.required, several.certificate.other):
        assert verdict(several, Scores(scores=scores(several, circuit))).verdict == "HOLDS"
    both = several.certificate.required | several.certificate.other
    assert verdict(several, Scores(scores=scores(several, both))).verdict == "FAILS"


def test_a_ranking_is_unknown_where_nothing_is_proved(hist):
    unproved = replace(hist.certificate, proved=(), unknown={"sufficient": "so", "minimal": "so"})
    for found in (scores(hist, hist.certificate.required), torch.zeros(hist.task.graph.n_edges)):
        got = verdict(hist, Scores(scores=found), certificate=unproved)
        assert (got.verdict, got.judged) == ("UNKNOWN", "ranking")


def test_the_ranking_of_a_method_with_a_circuit_is_judged_only_where_the_call_says_so(hist):
    wrong = Discovery(circuit=Circuit.empty(hist.task.graph), scores=scores(hist, hist.certificate.required))
    assert (verdict(hist, wrong).verdict, verdict(hist, wrong).judged) == ("FAILS", "circuit")
    assert verdict(hist, wrong, on="ranking").verdict == "HOLDS"
    assert verdict(hist, wrong, on="circuit").verdict == "FAILS"


def test_what_an_answer_lacks_is_no_result(hist):
    required = hist.certificate.required
    got = verdict(hist, required, on="ranking")
    assert (got.verdict, got.reason, got.detail) == (
        "FAILS",
        "no_result",
        "it returned no scores of the edges",
    )
    assert verdict(hist, required, select="top_n:3").reason == "no_result"
    got = verdict(hist, Scores(scores=scores(hist, required)), on="circuit")
    assert (got.reason, "--select" in got.detail) == ("no_result", True)
    assert verdict(hist, Scores(scores=torch.tensor([1.0]))).reason == "no_result"
    assert verdict(hist, Scores(scores=scores(hist, required) * torch.nan)).reason == "nan"


def test_a_judge_or_a_selector_that_does_not_exist_is_refused():
    for on, select, code in (("rank", None, "TC111"), ("auto", "top", "EP191")):
        with pytest.raises(CheckError) as caught:
            Judge.of(on, select)
        assert caught.value.code == code


# Selectors ---------------------------------------------------------------------------------------------


def test_a_selector_makes_the_circuit_and_is_named_in_the_verdict(hist):
    required = hist.certificate.required
    good = Scores(scores=scores(hist, required))
    for select in (f"top_n:{len(required)}", f"greedy:{len(required)}", "fewest_within_tolerance"):
        got = verdict(hist, good, select=select)
        assert (got.verdict, got.judged, got.selector) == ("HOLDS", "circuit", select)
    got = verdict(hist, good, select="top_n:2")
    assert (got.verdict, got.reason, got.selector) == ("FAILS", "unfaithful", "top_n:2")
    assert verdict(hist, good, select="greedy:3", on="ranking").judged == "ranking"


def test_a_selector_that_the_method_used_is_named_too(hist):
    required = hist.certificate.required
    found = Discovery(circuit=required, scores=scores(hist, required), notes={"selector": "mine"})
    assert verdict(hist, found).selector == "mine"
    assert verdict(hist, Discovery(circuit=required)).selector is None


# Nodes -------------------------------------------------------------------------------------------------


def required_nodes(exam):
    return [str(w) for w in exam.task.graph.writers if w.kind in ("head", "mlp") and any(
        e.writer == w for e in exam.certificate.required)]  # fmt: skip


def test_the_required_nodes_hold_and_without_one_they_fail(hist):
    nodes = required_nodes(hist)
    assert nodes == ["a0.h0", "m0"]
    got = verdict(hist, nodes)
    assert (got.verdict, got.judged, got.n_required, got.n_found, got.seed) == ("HOLDS", "nodes", 2, 2, 3)
    got = verdict(hist, ["m0"])
    assert (got.verdict, got.reason, got.missing, got.extra) == ("FAILS", "unfaithful", ("a0.h0",), ())
    assert got.witness is not None


def test_a_node_that_is_not_needed_is_one_too_many():
    exam = Exam("xproportion")
    nodes = required_nodes(exam)
    assert nodes == ["m0", "a1.h0"]
    got = verdict(exam, [*nodes, "m1"])
    assert (got.verdict, got.reason, got.extra) == ("FAILS", "not_smallest", ("m1",))
    assert verdict(exam, nodes).verdict == "HOLDS"


def node_scores(exam, **given):
    """0 for every node but those that are given."""
    return {str(node): 0.0 for node in exam.task.graph.nodes} | given


def test_a_ranking_of_nodes_holds_where_a_threshold_keeps_the_required_ones():
    exam = Exam("xproportion")
    got = verdict(exam, node_scores(exam, **{"m0": 2.0, "a1.h0": 1.0, "m1": 0.5}))
    assert (got.verdict, got.judged, got.n_required, got.n_found, got.seed) == (
        "HOLDS",
        "node_ranking",
        2,
        2,
        3,
    )
    assert (got.ranking.auroc, got.ranking.exact_threshold) == (1.0, True)
    assert verdict(exam, node_scores(exam, **{"m0": 2.0, "a1.h0": 1.0}), on="ranking").verdict == "HOLDS"


def test_a_ranking_of_nodes_fails_where_another_node_comes_between():
    exam = Exam("xproportion")
    got = verdict(exam, node_scores(exam, **{"m0": 2.0, "m1": 1.0, "a1.h0": 0.5}))
    assert (got.verdict, got.reason, got.judged) == ("FAILS", "no_threshold", "node_ranking")
    assert (got.missing, got.extra) == (("a1.h0",), ())
    assert got.ranking.auroc == 0.75
    assert got.detail.endswith(
        "a1.h0 is required and scores 0.5; 1 nodes that are not score as much or more, the highest m1 with 1"
    )
    assert not got.ranking.exact_threshold
    tied = verdict(exam, node_scores(exam, **{"m0": 2.0, "m1": 1.0, "a1.h0": 1.0}))
    assert (tied.reason, tied.missing, tied.n_found) == ("no_threshold", ("a1.h0",), 1)


def test_a_ranking_of_nodes_is_unknown_where_a_threshold_keeps_fewer_faithful_ones():
    """The circuit that is smallest in edges need not be smallest in nodes."""
    exam = Exam("xproportion")
    larger = replace(
        exam.certificate, required=exam.certificate.required | Circuit.of(exam.task.graph, ["m1 -> out"])
    )
    scores = node_scores(exam, **{"m0": 2.0, "a1.h0": 1.0, "a0.h0": 0.5})
    got = verdict(exam, scores, certificate=larger)
    assert (got.verdict, got.judged, got.n_required, got.n_found) == ("UNKNOWN", "node_ranking", 3, 2)
    assert "faithful" in got.reason


def test_a_ranking_of_nodes_fails_as_unfaithful_where_even_the_required_nodes_are():
    exam = Exam("shuffle_dyck1", ablation="zero")
    required = required_nodes(exam)
    assert verdict(exam, required).reason == "unfaithful"
    got = verdict(exam, node_scores(exam, **dict.fromkeys(required, 1.0)))
    assert (got.verdict, got.reason, got.missing, got.extra) == ("FAILS", "unfaithful", (), ())
    assert "the coarsened truth" in got.detail


def test_what_a_ranking_of_nodes_lacks_is_named(hist):
    some = node_scores(hist)
    got = verdict(hist, some, on="circuit")
    assert (got.reason, got.detail) == ("no_result", "it returned scores of nodes and no circuit")
    assert verdict(hist, some, select="top_n:2").reason == "no_result"
    assert verdict(hist, {"m0": 1.0}).reason == "refused"
    assert (
        verdict(hist, NodeScores(scores=torch.ones(1))).detail
        == "it returned 1 scores for the 2 nodes of the graph"
    )
    assert verdict(hist, NodeScores(scores=torch.tensor([1.0, torch.nan]))).reason == "nan"


def test_a_node_that_the_model_does_not_have_is_foreign(hist):
    got = verdict(hist, ["m0", "m4"])
    assert (got.reason, exit_code([got])) == ("foreign_edges", 2)


def graph_of_eap_ig(names):
    """An object of the class that EAP-IG's graphs have, with these edges kept."""
    made = type("Graph", (), {"__module__": "eap.graph"})()
    made.edges = {name: SimpleNamespace(score=torch.tensor(1.0), in_graph=True) for name in names}
    return made


def other_names():
    return Correspondence(zoo.compiled("reverse").graph, True, 2).known("eap_ig")


WRONG_ANSWERS = {
    "scores without a sign convention": (lambda own: dict.fromkeys(own, -1.0), "TC193"),
    "scores cut short": (lambda own: dict.fromkeys(list(own)[:5], 1.0), "TC194"),
    "scores for another model": (lambda own: dict.fromkeys(other_names(), 1.0), "TC195"),
    "a graph of another model": (lambda own: graph_of_eap_ig(other_names()), "TC195"),
    "a graph cut short": (lambda own: graph_of_eap_ig(list(own)[:-3]), "TC194"),
}


@pytest.mark.parametrize(("made", "code"), WRONG_ANSWERS.values(), ids=WRONG_ANSWERS)
def test_an_answer_that_is_refused_makes_the_call_wrong(hist, made, code):
    own = Correspondence(hist.task.graph, True, 2).known("eap_ig")
    got = verdict(hist, made(own))
    assert (got.verdict, got.reason, exit_code([got])) == ("FAILS", "refused", 2)
    assert got.detail.startswith(code), got.detail
