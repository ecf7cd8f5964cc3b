"""Verdicts and reports where a circuit must be right whichever of the other edges are cut."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from edgeprune_core.circuit import Circuit
from tests import zoo
from tracrcheck.grading import grade as grading
from tracrcheck.grading import grade_imported as imported
from tracrcheck.grading.grade import FAULTY, grade
from tracrcheck.grading.grade_imported import grade_imported
from tracrcheck.grading.robustness import robustness_of
from tracrcheck.grading.run_method import Answer
from tracrcheck.importers.base import Imported
from tracrcheck.importers.nodes import Nodes
from tracrcheck.reports.certify import ONLY
from tracrcheck.testing import Case
from tracrcheck.truth.cache import certificate_for
from tracrcheck.truth.robust import LIMITS, probe
from tracrcheck.truth.search import Limits
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

RIGHT = "tests.tracrcheck.pruners:knows_the_answer"
ALONE = ["tok -> m1", "m1 -> out"]  # right where everything else is cut
ROBUST = [*ALONE, "tok -> a0.h0.v", "tok -> a0.h1.v", "a0.h0 -> m0", "a0.h1 -> m0"]
WORDS = ["checked_copy", "--ablation", "resample", "--lengths", "1-2"]


def case(**changed):
    return Case("checked_copy", ablation="resample", lengths=(1, 2), **changed)


def test_a_circuit_that_is_right_only_if_everything_else_is_cut_holds_and_is_not_robust():
    assert case().verdict(ALONE).verdict == "HOLDS"
    found = case(robust=True).verdict(ALONE)
    assert (found.verdict, found.reason) == ("FAILS", "not_robust")
    assert set(found.missing) == set(ROBUST) - set(ALONE)
    assert (found.witness.want, found.witness.got) == ("a", "!")
    assert re.fullmatch(r"wrong if these are kept too, and the rest is cut: .*m0 -> m1", found.detail)


def test_the_smallest_robust_circuit_holds_and_a_larger_one_does_not():
    assert case(robust=True).verdict(ROBUST).verdict == "HOLDS"
    assert case(robust=True).verdict([*ROBUST, "m0 -> m1"]).reason == "not_smallest"
    assert case().verdict(ROBUST).reason == "not_smallest"


def test_an_unfaithful_circuit_is_unfaithful_and_not_merely_not_robust():
    assert case(robust=True).verdict(ROBUST[1:]).reason == "unfaithful"


def test_the_witness_is_the_smallest_input_on_which_it_fails():
    """Not that of the first break which the search meets, on two tokens."""
    setting = Setting(ablation="mean")
    required = certificate_for(task_of(zoo.compiled("cancelling_pair"), setting), setting).required
    found = Case("cancelling_pair", ablation="mean", robust=True).verdict(required.texts)
    assert (found.reason, len(found.witness.input)) == ("not_robust", 1)


@pytest.mark.parametrize("limits", [LIMITS, Limits(combinations=1)], ids=["searched", "sampled"])
@pytest.mark.parametrize("larger", [0, 1])
def test_another_circuit_holds_only_if_it_is_proved_robust(limits, larger, monkeypatch):
    """Beside a certificate that requires other edges, as many or one more."""
    compiled, setting = (
        zoo.compiled("checked_copy"),
        Setting(ablation="resample", lengths=(1, 2), robust=True),
    )
    task = task_of(compiled, setting)
    true = certificate_for(task, setting)
    edges = [e for e in task.graph.edges if e not in true.required.edges]
    required = Circuit.of(task.graph, edges[: len(true.required) + larger])
    other = replace(
        true, required=required, other=true.required, proved=("sufficient", "minimal", "smallest")
    )
    monkeypatch.setattr(grading, "probe", lambda *words: probe(*words, limits))
    found = grade(compiled, task, other, Answer(circuit=true.required), method="m", seed=0)
    words = {(LIMITS, 0): "HOLDS", (LIMITS, 1): FAULTY}.get(
        (limits, larger), "robust is not proved of this circuit: "
    )
    assert found.verdict == ("HOLDS" if words == "HOLDS" else "UNKNOWN")
    assert (found.reason or "HOLDS").startswith(words)


@pytest.mark.parametrize(("limits", "word"), [(LIMITS, "HOLDS"), (Limits(combinations=1), "UNKNOWN")])
def test_nodes_hold_only_if_their_circuit_is_proved_robust(limits, word, monkeypatch):
    compiled, setting = (
        zoo.compiled("checked_copy"),
        Setting(ablation="resample", lengths=(1, 2), robust=True),
    )
    task = task_of(compiled, setting)
    kept = frozenset(e.split(" -> ")[0] for e in ROBUST) - {"tok"}
    monkeypatch.setattr(imported, "probe", lambda *words: probe(*words, limits))
    nodes = Imported(format="nodes", granularity=Nodes(), kept=kept)
    found = grade_imported(compiled, task, certificate_for(task, setting), nodes, name="m")
    assert found.verdict == word, found


def test_nodes_are_judged_by_the_same_rule():
    compiled = zoo.compiled("checked_copy")
    setting = Setting(ablation="resample", lengths=(1, 2), robust=True)
    task = task_of(compiled, setting)
    kept = Imported(format="nodes", granularity=Nodes(), kept=frozenset({"m1"}))
    found = grade_imported(compiled, task, certificate_for(task, setting), kept, name="m")
    assert (found.verdict, found.reason) == ("FAILS", "not_robust")


def test_the_gate_judges_by_the_robust_truth_and_its_replay_too(call, here):
    assert call("gate", *WORDS, "--method", RIGHT).exit_code == 0
    result = call("gate", *WORDS, "--method", RIGHT, "--robust", "--json", "out.json")
    assert result.exit_code == 1, result.output
    assert result.stdout.startswith("criterion value, robust\n")
    block = result.stdout[result.stdout.index("FAILS checked_copy") :]
    assert block.splitlines()[0].endswith("seed 0: not_robust")
    assert "    detail  wrong if these are kept too, and the rest is cut: " in block
    assert re.search(r"\n    replay  tracrcheck gate checked_copy .* --lengths 1-2 --robust\n", block)
    record = json.loads((here / "out.json").read_text())
    assert record["run"]["asked"]["robust"] is True
    assert record["verdicts"][0]["reason"] == "not_robust"
    result = call("report", "out.json", "--html", "out.html", "--junit", "out.xml")
    assert result.exit_code == 0, result.output
    page = (here / "out.html").read_text()
    assert ONLY in page
    assert "criterion value, robust, 1 seed." in page
    assert 'name="resample, value, robust, seed 0"' in (here / "out.xml").read_text()


def test_certify_says_whether_the_circuit_is_robust_and_which_smallest_one_is(call, here):
    files = [word for kind in ("json", "html", "md") for word in (f"--{kind}", f"out.{kind}")]
    result = call("certify", *WORDS, "--robust", *files)
    assert result.exit_code == 0, result.output
    assert f"  robust    no: {ONLY}\n    wrong     if these are kept too: " in result.stdout
    assert "    witness   input ['a'], corrupted by ['b'], position 1: want 'a', got '!'\n" in result.stdout
    assert (
        "    smallest  robust circuit: 6 edges (sufficient, minimal, smallest, unique): + " in result.stdout
    )
    (one,) = json.loads((here / "out.json").read_text())["certificates"]
    assert one["required"] == ALONE
    assert one["robustness"]["word"] == "no"
    assert set(one["robustness"]["required"]) == set(ROBUST)
    assert set(one["robustness"]["kept"]).isdisjoint(ALONE)
    for page in ("out.html", "out.md"):
        assert ONLY in (here / page).read_text()


def test_certify_of_a_robust_circuit_says_proved(call, here):
    result = call("certify", "hist", "--ablation", "zero", "--lengths", "1-2", "--robust", "--md", "out.md")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "  robust    proved"
    assert ONLY not in (here / "out.md").read_text()
    assert "robust" not in call("certify", "hist", "--ablation", "zero", "--lengths", "1-2").stdout


def test_the_witness_is_the_smallest_input_on_which_the_circuit_fails():
    compiled, setting = zoo.compiled("cancelling_pair"), Setting(ablation="mean")
    certificate = certificate_for(task_of(compiled, setting), setting)
    assert robustness_of(compiled, certificate).witness.input == ("a",)
