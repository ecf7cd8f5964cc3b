"""What a fuzzing run is judged by: the programs it must contain, and the share that must be exact."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice

import pytest
import torch

from edgeprune_core.circuit import Circuit
from tests.tracrcheck.runs.test_fuzz import RIGHT, SETTINGS
from tests.zoo import compiled as compiled_of_the_zoo
from tracrcheck.generator import features as generated_features
from tracrcheck.generator.accept import Draws, numbered
from tracrcheck.generator.features import Composition, Features, Quotas, head_attends_by_tokens
from tracrcheck.grading.grade import Answer, grade
from tracrcheck.runs import fuzz_program, fuzz_score
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

# Composition -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "depends"),
    [("reverse", False), ("hist", True), ("sort_unique", True)],
)
def test_attention_that_depends_on_tokens_is_read_off_the_model(name, depends):
    task = task_of(compiled_of_the_zoo(name), SETTINGS[0])
    heads = [w.index for w in task.graph.writers if w.kind == "head"]
    assert any(head_attends_by_tokens(task, head) for head in heads) == depends


def test_a_head_that_the_truth_does_not_read_from_makes_no_program_depend_on_tokens():
    compiled = compiled_of_the_zoo("hist")
    task = task_of(compiled, SETTINGS[0])
    recipe = numbered(5, 1)
    assert Features.of(0, recipe, task, Circuit.full(task.graph)).attends_by_tokens
    assert not Features.of(0, recipe, task, Circuit.of(task.graph, ["tok -> out"])).attends_by_tokens


def test_attention_counts_where_an_input_has_a_token_and_not_at_bos_or_beyond_its_end(monkeypatch):
    task = task_of(compiled_of_the_zoo("hist"), SETTINGS[0])
    lengths = task.valid.sum(1)
    row = int((lengths == lengths.unique()[1]).nonzero()[0])
    for place in range(task.valid.shape[1]):
        probabilities = torch.zeros(*task.valid.shape, task.valid.shape[1])
        probabilities[row, place, 0] = 1.0
        monkeypatch.setattr(generated_features, "pattern", lambda *_, made=probabilities: made)
        head = next(w.index for w in task.graph.writers if w.kind == "head")
        assert head_attends_by_tokens(task, head) == (0 < place < lengths[row])


def features(n_layers=2, attends_by_tokens=True, numerical=True, required_zero=6):
    return Features(number=0, n_operations=1, n_layers=n_layers, n_heads=1, causal=False,
                    numerical=numerical, attends_by_tokens=attends_by_tokens, required_zero=required_zero)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "short"),
    [
        ({}, set()),
        ({"n_layers": 1}, {"two_layers"}),
        ({"attends_by_tokens": False}, {"attends_by_tokens"}),
        ({"numerical": False}, {"numerical"}),
        ({"required_zero": 5}, {"median_required_zero"}),
    ],
)
def test_a_quota_that_is_not_met_is_reported(change, short):
    assert set(Composition.of([features(**change)] * 4).unmet(Quotas())) == short


def test_the_first_programs_of_the_seed_of_the_bar_meet_its_quotas():
    found = []
    for number, compiled in islice(Draws(seed=20261123), 40):
        task = task_of(compiled, SETTINGS[0])
        required = fuzz_program.certificate_for(task, SETTINGS[0]).required
        found.append(Features.of(number, numbered(20261123, number), task, required))
    assert not Composition.of(found).unmet(Quotas())


# The bar -----------------------------------------------------------------------------------------------


def test_the_interval_of_a_share_is_wilsons():
    share = fuzz_score.Share.of(8, 10)  # Newcombe 1998, Statistics in Medicine 17: the formula by hand
    z, p, n = 1.959964, 0.8, 10
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert share.low == pytest.approx((middle - half) / (1 + z * z / n), abs=1e-5)
    assert share.high == pytest.approx((middle + half) / (1 + z * z / n), abs=1e-5)
    assert (fuzz_score.Share.of(0, 0).low, fuzz_score.Share.of(0, 0).high) == (0.0, 1.0)


def rows_of(exact: int, wrong: int, ablation="zero", **change):
    (row,) = fuzz_program.examine(5, 1, (Setting(ablation=ablation),), method=RIGHT, timeout=60).rows
    bad = replace(row, verdict=replace(row.verdict, **{"verdict": "FAILS", **change}))
    return [row] * exact + [bad] * wrong


def scored(rows, names=("zero",), programs=4):
    composition = replace(Composition.of([features()] * 4), programs=programs)
    return fuzz_score.score_of(rows, composition, names, fuzz_score.Bar())


def test_99_of_100_reach_the_bar_and_98_do_not():
    assert not scored(rows_of(99, 1)).short
    assert scored(rows_of(98, 2)).short == ("overall: 98 of 100 exact, at least 99% wanted",)


def test_each_ablation_must_reach_its_own_bar():
    rows = rows_of(970, 0) + rows_of(29, 1, "mean")
    assert scored(rows, ("zero", "mean")).short == ("mean: 29 of 30 exact, at least 98% wanted",)


@pytest.mark.parametrize("change", [{"verdict": "UNKNOWN"}, {"reason": "timeout"}, {"reason": "raised"}])
def test_unknown_timeouts_and_errors_are_not_exact(change):
    assert scored(rows_of(1, 1, **change)).overall.exact == 1
    assert scored(rows_of(1, 1, **change)).overall.counted == 2


def test_a_narrow_gap_is_told_apart_from_what_is_unknown_for_another_reason():
    """On a truth that is unknown for a narrow gap, and on one that the search did not reach."""
    compiled, setting = compiled_of_the_zoo("xproportion"), Setting()
    task = task_of(compiled, setting)
    near = replace(task, outcome=replace(task.outcome, tolerance=0.2))
    (row,) = rows_of(1, 0)
    answer = Answer(circuit=Circuit.full(task.graph))

    def row_of(certificate):
        verdict = grade(compiled, near, certificate, answer, method=RIGHT, seed=0)
        assert verdict.verdict == "UNKNOWN"
        return replace(row, verdict=verdict)

    unknown = certify(near, setting)
    assert fuzz_score.is_narrow(row_of(unknown))
    late = dict.fromkeys(unknown.unknown, "over 120 s")
    assert not fuzz_score.is_narrow(row_of(replace(unknown, unknown=late)))
    assert not fuzz_score.is_narrow(row)


NARROW = {"verdict": "UNKNOWN", "reason": "sufficient is not proved: a narrow gap: 0 to 0.02 around 0.01"}


def test_narrow_settings_are_in_the_share_and_judged_by_a_bar_of_their_own():
    few = scored(rows_of(95, 5, **NARROW))
    assert (few.overall.exact, few.overall.counted, few.unknown, few.short) == (95, 100, 5, ())
    names = ("overall", "zero")
    assert scored(rows_of(94, 6, **NARROW)).short == tuple(
        f"{name}: 6 of 100 narrow, at most 5% wanted" for name in names
    )
    wrong = scored(rows_of(96, 0) + rows_of(0, 2, **NARROW) + rows_of(0, 2)).short
    assert wrong == (
        "overall: 96 of 98 exact, at least 99% wanted",
        "zero: 96 of 98 exact, at least 98% wanted",
    )


def test_a_run_in_which_nothing_counts_does_not_reach_the_bar():
    names = ("overall", "zero")
    assert scored(rows_of(0, 5, vacuous=True)).short == tuple(
        f"{name}: 0 of 0 exact, at least {least} wanted"
        for name, least in zip(names, ("99%", "98%"), strict=True)
    )


def test_vacuous_settings_are_in_no_share():
    got = scored(rows_of(10, 0) + rows_of(0, 5, vacuous=True))
    assert (got.overall.exact, got.overall.counted, got.vacuous) == (10, 10, {"overall": 5, "zero": 5})


def test_a_run_of_500_programs_needs_150_settings_of_each_ablation():
    assert scored(rows_of(149, 0), programs=500).short == ("zero: 149 settings, at least 150 wanted",)
    assert not scored(rows_of(150, 0), programs=500).short
    assert not scored(rows_of(149, 0), programs=499).short
