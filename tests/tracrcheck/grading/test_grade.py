"""Every rule of a verdict, seen to hold and to fail."""

from __future__ import annotations

import hashlib
import itertools
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.criterion import Outcome
from tests.tracrcheck import pruners
from tracrcheck.compiler.compile import compile_program
from tracrcheck.grading.grade import _worst, grade
from tracrcheck.grading.run_method import Answer, ask
from tracrcheck.grading.verdict import Summary, edges_sha, exit_code
from tracrcheck.rasp.library import Library
from tracrcheck.truth.cache import certificate_for
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of


class Exam:
    """A program in a setting, certified, so that circuits can be graded."""

    def __init__(self, name: str, **setting):
        self.compiled = compile_program(Library.here().load(name).program)
        self.setting = Setting(**setting)
        self.task = task_of(self.compiled, self.setting)
        self.certificate = certificate_for(self.task, self.setting)

    def grade(self, circuit: Circuit, **changed):
        certificate = replace(self.certificate, **changed)
        return grade(self.compiled, self.task, certificate, Answer(circuit=circuit), method="m", seed=0)

    def ask(self, method, *, timeout=30.0, seed=0):
        answer = ask(method, self.task, seed=seed, timeout=timeout)
        return grade(self.compiled, self.task, self.certificate, answer, method="m", seed=seed)


@pytest.fixture(scope="module")
def hist():
    return Exam("hist")


@pytest.fixture(scope="module")
def several():
    exam = Exam("either_of_two_heads")
    assert exam.certificate.other is not None
    return exam


# Circuits ----------------------------------------------------------------------------------------------


def test_the_required_circuit_holds(hist):
    verdict = hist.grade(hist.certificate.required)
    assert (verdict.verdict, verdict.reason, verdict.missing, verdict.extra) == ("HOLDS", None, (), ())
    assert verdict.n_found == verdict.n_required == len(hist.certificate.required)


def test_a_circuit_without_a_required_edge_fails_with_a_witness(hist):
    lost = next(iter(hist.certificate.required))
    verdict = hist.grade(hist.certificate.required.without(lost))
    assert (verdict.verdict, verdict.reason, verdict.missing) == ("FAILS", "unfaithful", (str(lost),))
    witness = verdict.witness
    assert (witness.input, witness.corruption, witness.position) == (("a", "b"), None, 1)
    assert (witness.want, witness.got) == (1, 2)


def test_a_faithful_circuit_with_an_edge_too_many_fails_without_a_witness(hist):
    verdict = hist.grade(Circuit.full(hist.task.graph))
    assert (verdict.verdict, verdict.reason, verdict.witness) == ("FAILS", "not_smallest", None)
    assert verdict.missing == ()
    assert len(verdict.extra) == hist.task.graph.n_edges - verdict.n_required


def test_any_smallest_circuit_holds_where_there_are_several(several):
    for circuit in (several.certificate.required, several.certificate.other):
        verdict = several.grade(circuit)
        assert (verdict.verdict, verdict.missing, verdict.extra) == ("HOLDS", (), ())


def test_a_smallest_circuit_that_the_certificate_does_not_name_holds_without_differences(several):
    proved = ("sufficient", "minimal", "smallest")
    verdict = several.grade(several.certificate.other, other=None, proved=proved)
    assert (verdict.verdict, verdict.missing, verdict.extra) == ("HOLDS", (), ())


def test_differences_are_reported_against_the_nearest_of_several_smallest(several):
    lost = list(several.certificate.other)[-1]
    verdict = several.grade(several.certificate.other.without(lost))
    assert (verdict.verdict, verdict.missing, verdict.extra) == ("FAILS", (str(lost),), ())


def test_a_certificate_without_minimal_decides_nothing(hist):
    verdict = hist.grade(
        hist.certificate.required, proved=(), unknown={"sufficient": "a narrow gap", "minimal": "so"}
    )
    assert (verdict.verdict, verdict.reason) == ("UNKNOWN", "sufficient is not proved: a narrow gap")


def test_a_certificate_that_is_sufficient_alone_decides_nothing(hist):
    unproved = {"proved": ("sufficient",), "unknown": {"minimal": "too near"}}
    for circuit in (hist.certificate.required, Circuit.empty(hist.task.graph), Circuit.full(hist.task.graph)):
        verdict = hist.grade(circuit, **unproved)
        assert (verdict.verdict, verdict.reason) == ("UNKNOWN", "minimal is not proved: too near")


UNPROVED = {"proved": ("sufficient", "minimal"), "unknown": {"smallest": "too large", "unique": "too large"}}


def test_where_smallest_is_not_proved_the_required_circuit_holds_and_a_wrong_one_fails(hist):
    required = hist.certificate.required
    assert hist.grade(required, **UNPROVED).verdict == "HOLDS"
    assert hist.grade(Circuit.empty(hist.task.graph), **UNPROVED).verdict == "FAILS"


def test_where_smallest_is_not_proved_a_larger_faithful_circuit_fails(hist):
    verdict = hist.grade(Circuit.full(hist.task.graph), **UNPROVED)
    assert (verdict.verdict, verdict.reason) == ("FAILS", "not_smallest")


def test_where_smallest_is_not_proved_another_faithful_circuit_is_unknown(several):
    verdict = several.grade(several.certificate.other, other=None, **UNPROVED)
    assert (verdict.verdict, verdict.reason) == (
        "UNKNOWN",
        "smallest is not proved, and this circuit is faithful: too large",
    )


def test_a_faithful_circuit_below_the_proved_size_is_a_fault_of_the_certificate(hist):
    required = hist.certificate.required
    surplus = next(e for e in hist.task.graph.edges if e not in required)
    verdict = hist.grade(required, required=required | Circuit.of(hist.task.graph, [surplus]))
    assert verdict.verdict == "UNKNOWN"
    assert verdict.reason.startswith("fault of the certificate: a faithful circuit has")


def test_a_second_faithful_circuit_where_one_was_proved_unique_is_a_fault_of_the_certificate(several):
    verdict = several.grade(
        several.certificate.other, other=None, proved=("sufficient", "minimal", "smallest", "unique")
    )
    assert verdict.verdict == "UNKNOWN"
    assert "proved to be the only one" in verdict.reason


def test_an_empty_circuit_holds_where_the_truth_is_empty():
    exam = Exam("length", ablation="resample")  # the length cannot change within a length
    assert exam.certificate.vacuous
    verdict = exam.ask(pruners.nothing_kept)
    assert (verdict.verdict, verdict.vacuous) == ("HOLDS", True)
    assert exam.ask(pruners.everything).verdict == "FAILS"


# Witnesses ---------------------------------------------------------------------------------------------


def test_a_witness_under_resampling_names_the_corruption():
    exam = Exam("reverse", ablation="resample")
    witness = exam.grade(Circuit.empty(exam.task.graph)).witness
    assert (witness.input, witness.corruption, witness.position) == (("a",), ("b",), 1)
    assert (witness.want, witness.got) == ("a", "b")


def test_a_witness_shows_coordinates_where_both_outputs_decode_alike():
    exam = Exam("reverse", ablation="zero")
    witness = exam.grade(Circuit.empty(exam.task.graph)).witness
    assert (witness.want, witness.got) == ([1.0, 0.0, 0.0], [0.0, 0.0, 0.0])


def test_a_witness_by_decoding_shows_a_position_that_decodes_otherwise():
    exam = Exam("reverse", ablation="zero", criterion="decoded")
    witness = exam.grade(Circuit.empty(exam.task.graph)).witness
    assert (witness.input, witness.want, witness.got) == (("b",), "b", "a")


@pytest.mark.parametrize(
    ("criterion", "moved", "position"),
    [("value", 1.9, 1), ("decoded", 1.9, 2), ("value", 1.3, 2), ("decoded", 1.3, 2), ("value", math.nan, 1)],
)
def test_a_witness_is_shown_where_the_criterion_sees_it(criterion, moved, position):
    """Position 0 is not scored; 1 is moved and decodes alike; 2 is moved by 0.6 and decodes otherwise."""
    want = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    got = torch.tensor([[9.0, 0.0], [moved, 0.0], [0.4, 0.6]])
    task = SimpleNamespace(outcome=Outcome(categorical=True, criterion=criterion))
    assert _worst(task, got, want, torch.tensor([False, True, True])) == position


def test_a_witness_of_a_numerical_output_shows_numbers():
    exam = Exam("xproportion")
    witness = exam.grade(Circuit.empty(exam.task.graph)).witness
    assert (witness.input, witness.want, witness.got) == (("x",), 1.0, 0.0)


def test_a_witness_may_lie_at_position_0_where_that_is_judged():
    exam = Exam("xproportion", score_bos=True)
    unjudged = Exam("xproportion").certificate.required
    assert exam.grade(unjudged).witness.position == 0


# Methods -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["knows_the_answer", "as_discovery", "as_texts", "as_generator"])
def test_every_form_of_answer_is_read(hist, name):
    assert hist.ask(getattr(pruners, name)).verdict == "HOLDS"


@pytest.mark.parametrize(
    ("name", "reason", "detail"),
    [
        ("raises", "raised", "ValueError: no luck"),
        ("raises_late", "raised", "ValueError: no luck"),
        ("exits", "raised", "SystemExit: 3"),
        ("nan_scores", "nan", "the scores of the edges are not numbers"),
        ("foreign", "foreign_edges", "no such edges: a7.h3 -> out"),
        ("other_graph", "foreign_edges", "a circuit of another graph"),
        ("skips", "raised", "Skipped: not today"),
        ("too_few_scores", "no_result", "it returned 3 scores for the 13 edges of the graph"),
        ("returns_none", "no_result", "it returned nothing, not a Discovery, a Circuit or edges"),
        ("returns_number", "no_result", "it returned a int, not a Discovery, a Circuit or edges"),
        ("returns_text", "no_result", "it returned a str, not a Discovery, a Circuit or edges"),
        ("returns_numbers", "no_result", "it returned a int where an edge belongs"),
    ],
)
def test_a_faulty_method_fails_with_the_reason(hist, name, reason, detail):
    verdict = hist.ask(getattr(pruners, name))
    assert (verdict.verdict, verdict.reason, verdict.detail, verdict.witness) == (
        "FAILS",
        reason,
        detail,
        None,
    )
    assert verdict.n_found == verdict.n_required - len(verdict.missing) + len(verdict.extra)


def test_edges_of_another_graph_do_not_count_as_surplus_for_missing_edges_of_the_same_name(
    hist,
):
    assert hist.ask(pruners.other_graph).extra == ()


@pytest.mark.parametrize("name", ["hangs", "hangs_and_swallows"])
def test_a_method_that_hangs_is_stopped(hist, name):
    verdict = hist.ask(getattr(pruners, name), timeout=0.2)
    assert (verdict.reason, verdict.detail) == ("timeout", "no answer within 0.2 s")
    assert 0.2 <= verdict.seconds < 5


def test_scores_are_ranked_against_the_required_edges(hist):
    verdict = hist.ask(pruners.scores_all_but_one)
    required = len(hist.certificate.required)
    assert verdict.verdict == "FAILS"
    assert verdict.ranking.recall == (required - 1) / required
    assert (verdict.ranking.precision, verdict.ranking.exact_threshold) == (1.0, True)
    assert hist.ask(pruners.as_discovery).ranking.auroc == 0.5
    assert hist.ask(pruners.everything).ranking is None


def test_scores_are_not_ranked_where_nothing_is_proved(hist):
    answer = ask(pruners.as_discovery, hist.task, seed=0, timeout=None)
    unproved = replace(hist.certificate, proved=())
    assert grade(hist.compiled, hist.task, unproved, answer, method="m", seed=0).ranking is None


def test_a_threshold_that_meets_the_other_smallest_circuit_is_exact(several):
    certificate = several.certificate
    scores = [float(e in certificate.other) for e in several.task.graph.edges]
    answer = Answer(circuit=certificate.required, scores=torch.tensor(scores))
    verdict = grade(several.compiled, several.task, certificate, answer, method="m", seed=0)
    assert (verdict.verdict, verdict.ranking.exact_threshold) == ("HOLDS", True)
    assert verdict.ranking.auroc < 1


def test_foreign_edges_are_named_and_the_others_still_compared(hist):
    verdict = hist.ask(pruners.foreign)
    assert verdict.extra == ("a7.h3 -> out",)
    assert verdict.missing == ()


def test_a_method_that_writes_into_its_task_spoils_nothing(hist):
    assert hist.ask(pruners.spoils_its_task).verdict == "HOLDS"
    assert hist.ask(pruners.everything).reason == "not_smallest"
    assert hist.ask(pruners.knows_the_answer).verdict == "HOLDS"


def test_a_method_gets_its_seed(hist):
    assert hist.ask(pruners.only_for_even_seeds, seed=2).verdict == "HOLDS"
    assert hist.ask(pruners.only_for_even_seeds, seed=3).reason == "raised"


def test_the_generator_of_torch_is_seeded_for_a_method_and_left_alone(hist):
    drawn = []
    before = torch.get_rng_state()
    for seed in (1, 2, 1):
        hist.ask(lambda task: drawn.append(float(torch.rand(()))) or [], seed=seed)
    assert torch.equal(torch.get_rng_state(), before)
    assert drawn[0] == drawn[2] != drawn[1]


# Sums --------------------------------------------------------------------------------------------------


def test_every_verdict_is_counted_once(hist):
    holds = hist.grade(hist.certificate.required)
    fails, unknown = replace(holds, verdict="FAILS"), replace(holds, verdict="UNKNOWN")
    vacuous = replace(holds, vacuous=True)
    summary = Summary.of([holds, holds, fails, unknown, vacuous], 1.0)
    assert summary.to_json() == {"holds": 2, "fails": 1, "unknown": 1, "vacuous": 1, "seconds": 1.0}
    for verdict, vacuous in itertools.product((holds, fails, unknown), (False, True)):
        name = "vacuous" if vacuous and verdict is holds else verdict.verdict.lower()
        counts = Summary.of([replace(verdict, vacuous=vacuous)], 1.0).to_json()
        assert {counted: n for counted, n in counts.items() if n and counted != "seconds"} == {name: 1}


def test_the_hash_of_a_circuit_is_that_of_its_set_of_edges():
    edges = ["tok -> m0", "m0 -> out", "pos -> out"]
    assert len({edges_sha(order) for order in itertools.permutations(edges)}) == 1
    assert len({edges_sha(some) for n in range(4) for some in itertools.combinations(edges, n)}) == 8
    assert edges_sha(edges) == hashlib.sha256(b"m0 -> out\npos -> out\ntok -> m0").hexdigest()[:16]


def test_the_exit_code_follows_the_worst_verdict(hist):
    holds = hist.grade(hist.certificate.required)
    fails, unknown = replace(holds, verdict="FAILS"), replace(holds, verdict="UNKNOWN")
    foreign = replace(fails, reason="foreign_edges")
    assert exit_code([]) == 0
    assert exit_code([holds]) == 0
    assert exit_code([holds, fails]) == 1
    assert exit_code([holds, unknown]) == 1
    assert exit_code([holds, unknown], allow_unknown=True) == 0
    assert exit_code([fails, unknown], allow_unknown=True) == 1
    assert exit_code([fails, foreign]) == 2
