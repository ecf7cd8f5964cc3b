"""Tests written by hand: `cases`, the fixture, and what their assertions say."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from edgeprune_core.circuit import Circuit
from tests.tracrcheck import pruners
from tracrcheck.pytest_plugin import OPTIONS
from tracrcheck.testing import Case, cases

BY_HAND = """
import pytest

import pruners
from tracrcheck.testing import cases


@cases("hist", "successor", ablations=["zero", "resample"])
def test_right(case):
    case.assert_exact(pruners.right(case.task))
    case.assert_faithful(pruners.right(case.task))


@cases("hist")
def test_wrong(case):
    case.assert_exact(pruners.wrong(case.task))


@cases("hist", argument="exam")
def test_unfaithful(exam):
    exam.assert_faithful([])


def test_fixture(tracrcheck_case):
    case = tracrcheck_case("reverse", ablation="resample", lengths=(4, 4))
    case.assert_exact(["tok -> a3.h0.v", "a3.h0 -> out"])


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.tracrcheck
def test_marks():
    pass
"""


def test_cases_the_fixture_and_the_marks_work_in_a_project(project):
    project.pytester.makepyfile(test_by_hand=BY_HAND)
    result = project.run("-v", "--strict-markers")
    result.assert_outcomes(passed=6, failed=2)
    result.stdout.fnmatch_lines(["*::test_right[[]successor-resample[]] PASSED*"])
    result.stdout.fnmatch_lines(
        [
            "E * FAILS hist, zero, value: unfaithful",
            "E * missing 1:",
            "E * tok -> a0.h0.q  carries tokens, into hist = selector_width(same_tok)",
            "E * extra   1:",
            "E * tok -> out  carries tokens, into the output",
            "E * witness input [[]*",
            "E * replay  pytest 'test_by_hand.py::test_wrong[[]hist-zero[]]'",
        ],
        consecutive=True,
    )
    assert project.run("-m", "tracrcheck", "--collect-only", "-q").parseoutcomes() == {
        "tests": 8,
        "deselected": 1,
    }


def test_the_assertion_is_shown_at_the_line_of_the_test(project):
    project.pytester.makepyfile(test_by_hand=BY_HAND)
    result = project.run("-k", "test_wrong")
    assert "tracrcheck/testing.py" not in result.stdout.str()


def test_an_answer_that_can_be_read_once_is_judged_as_a_list_of_the_same_edges():
    case, edges = Case("hist"), ["tok -> m0", "m0 -> out"]
    messages = []
    for answer in (edges, iter(edges)):
        with pytest.raises(AssertionError) as error:
            case.assert_faithful(answer)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_lengths_are_any_pair_and_nothing_else():
    case = Case("reverse", lengths=[4, 4])
    assert case.lengths == (4, 4)
    assert case.task.name == "reverse"
    for wrong in (4, [1, 2, 3]):
        with pytest.raises(TypeError, match="lengths are a pair, shortest and longest, or None; got "):
            Case("reverse", lengths=wrong)


def test_one_ablation_may_be_given_by_its_name():
    _, values = cases("hist", ablations="zero").args
    assert [value.id for value in values] == ["hist-zero"]


@pytest.mark.parametrize("form", ["knows_the_answer", "as_discovery", "as_texts", "as_generator"])
def test_every_form_of_circuit_is_judged(form):
    case = Case("hist")
    case.assert_exact(getattr(pruners, form)(case.task))


def test_a_faithful_circuit_that_is_too_large_is_faithful_and_not_exact():
    case = Case("hist")
    full = Circuit.full(case.task.graph)
    case.assert_faithful(full)
    with pytest.raises(AssertionError, match=r"FAILS hist, zero, value: not_smallest\n    extra   7:\n"):
        case.assert_exact(full)


def test_an_unfaithful_circuit_is_reported_with_its_witness():
    with pytest.raises(
        AssertionError, match=r"FAILS hist, zero, value: unfaithful\n(.*\n)+    witness input \['a'\]"
    ):
        Case("hist").assert_faithful([])


@pytest.mark.parametrize("judge", [Case.assert_exact, Case.assert_faithful])
def test_what_is_no_circuit_of_the_program_fails_with_its_reason(judge):
    for circuit, reason in ((None, "no_result"), (["a7.h3 -> out"], "foreign_edges"), (3, "no_result")):
        with pytest.raises(AssertionError, match=f"FAILS hist, zero, value: {reason}"):
            judge(Case("hist"), circuit)
    with pytest.raises(AssertionError, match="FAILS hist, zero, value: nan"):
        judge(Case("hist"), pruners.nan_scores(Case("hist").task))


def test_what_a_method_does_to_its_task_reaches_no_other():
    case = Case("hist")
    pruners.spoils_its_task(case.task)
    import torch

    torch.set_grad_enabled(True)
    case.assert_exact(pruners.knows_the_answer(case.task))


def test_the_setting_and_the_seed_reach_the_task():
    task = Case(
        "reverse", ablation="resample", criterion="decoded", lengths=(2, 2), score_bos=True, seed=7
    ).task
    assert (task.ablation.name, task.outcome.criterion, task.seed) == ("resample", "decoded", 7)
    assert bool(task.scored[:, 0].all())
    assert set(task.valid.sum(1).tolist()) == {3}


def test_a_case_has_no_field_for_the_truth():
    assert not {"certificate", "required", "truth", "compiled"} & {n for n in dir(Case) if n[0] != "_"}


def test_cases_are_named_after_the_program_and_the_ablation():
    mark = cases("mine/flip.py", "hist", ablations=["mean", "zero"]).mark
    assert mark.args[0] == "case"
    assert [p.id for p in mark.args[1]] == ["flip-mean", "flip-zero", "hist-mean", "hist-zero"]


def test_the_example_of_the_docs_runs(project):
    page = (Path(__file__).parents[3] / "docs" / "plugin.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    project.pytester.makepyfile(test_docs="from pruners import right as my_pruner\n" + block)
    project.run("-k", "hist").assert_outcomes(passed=2, deselected=2)
    assert all(f"`--tracrcheck-{name}" in page or f"--tracrcheck-{name}=" in page for name, _ in OPTIONS)


def test_without_names_every_program_is_a_case():
    from tests import zoo

    assert len(cases().mark.args[1]) == len(zoo.ALL)


@pytest.mark.parametrize("word", ["HOLDS", "FAILS", "UNKNOWN"])
def test_only_what_holds_is_exact(word, monkeypatch):
    verdict = replace(Case("hist").verdict([]), verdict=word)
    monkeypatch.setattr(Case, "verdict", lambda self, circuit: verdict)
    if word == "HOLDS":
        Case("hist").assert_exact([])
    else:
        with pytest.raises(AssertionError, match=word):
            Case("hist").assert_exact([])


def test_edges_that_do_not_exist_are_neither_exact_nor_faithful():
    case = Case("hist")
    edges = [*case.task.graph.edges, "a9.h9 -> out"]
    case.assert_faithful(edges[:-1])
    for judge in (case.assert_faithful, case.assert_exact):
        with pytest.raises(AssertionError, match="foreign_edges"):
            judge(edges)


def test_every_field_of_a_setting_reaches_the_cases():
    setting = {"criterion": "decoded", "lengths": (1, 2), "score_bos": True, "seed": 3}
    made = [parameter.values[0] for parameter in cases("hist", ablations=["zero", "mean"], **setting).args[1]]
    assert made == [Case("hist", ablation=name, **setting) for name in ("zero", "mean")]
