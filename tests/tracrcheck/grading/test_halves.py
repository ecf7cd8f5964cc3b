"""Stability: a method on two random halves of the inputs."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from edgeprune_core.circuit import Circuit
from tests import zoo
from tracrcheck.grading.halves import compared, halves_of
from tracrcheck.grading.run_method import Answer
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

METHODS = "tests.tracrcheck.pruners:"


def task(**setting):
    return task_of(zoo.compiled("xproportion"), Setting(lengths=(1, 3), **setting))


@pytest.mark.parametrize("ablation", ["zero", "mean", "resample"])
def test_every_input_is_in_one_half_and_every_length_in_both(ablation):
    whole = task(ablation=ablation)
    one, other = halves_of(whole)
    rows = [{tuple(row) for row in half.tokens.tolist()} for half in (one, other)]
    assert rows[0] | rows[1] == {tuple(row) for row in whole.tokens.tolist()}
    assert not rows[0] & rows[1]
    for n in whole.valid.sum(1).unique():
        sizes = [int((half.valid.sum(1) == n).sum()) for half in (one, other)]
        assert abs(sizes[0] - sizes[1]) <= 1


@pytest.mark.parametrize("ablation", ["zero", "mean", "resample"])
def test_a_half_has_the_setting_of_the_whole(ablation):
    """On the items of a half, a circuit deviates as it does in the whole task."""
    whole = task(ablation=ablation)
    cut = Circuit.full(whole.graph).without("tok -> m0")
    deviation = {
        tuple(map(tuple, whole.tokens[pair].tolist())): off
        for pair, off in zip(whole.items, whole.deviations(cut)[0].tolist(), strict=True)
    }
    for half in halves_of(whole):
        wanted = [deviation[tuple(map(tuple, half.tokens[pair].tolist()))] for pair in half.items]
        torch.testing.assert_close(half.deviations(cut)[0].tolist(), wanted)


def test_one_input_has_no_halves():
    compiled = zoo.compiled("copy_indices")
    whole = task_of(compiled, Setting(lengths=(1, 1)))
    first = whole.tokens[:1]
    alone = replace(
        whole,
        tokens=first,
        valid=whole.valid[:1],
        scored=whole.scored[:1],
        items=torch.zeros(1, 2, dtype=torch.long),
    )
    assert halves_of(alone) is None


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ([], [], 1.0),
        ([], ["tok -> out"], 0.0),
        (["tok -> out"], ["tok -> out"], 1.0),
        (["tok -> out", "tok -> m0"], ["tok -> out"], 0.5),
        (None, ["tok -> out"], None),
        (None, None, None),
    ],
)
def test_what_two_circuits_have_in_common_is_a_share_of_the_edges_in_either(one, other, common):
    graph = task().graph
    answers = [
        [Answer(circuit=None if edges is None else Circuit.of(graph, edges))] for edges in (one, other)
    ]
    (found,) = compared(answers, lambda answer, seed: SimpleNamespace(verdict="FAILS"), [0])
    assert (found.common, found.right) == (common, (False, False))


def test_a_method_that_finds_the_truth_on_either_half_is_stable(call, here):
    words = ["gate", "hist", "--ablation", "zero", "--halves", "--json", "out.json", "--method"]
    result = call(*words, METHODS + "knows_the_answer")
    assert result.exit_code == 0, result.output
    (verdict,) = json.loads((here / "out.json").read_text())["verdicts"]
    assert verdict["halves"] == {"common": 1.0, "right": [True, True]}
    head, row = (result.stdout.splitlines()[n] for n in (1, 2))
    assert "halves in common  halves right" in head
    assert " 1.000        2 of 2" in row


def test_a_method_that_looks_at_the_inputs_it_is_given_is_seen_to_be_unstable(call, here):
    words = ["gate", "hist", "--ablation", "zero", "--halves", "--json", "out.json", "--method"]
    result = call(*words, METHODS + "counts_the_inputs")
    assert result.exit_code == 1, result.output
    (verdict,) = json.loads((here / "out.json").read_text())["verdicts"]
    assert verdict["halves"]["right"] == [False, False]
    assert verdict["halves"]["common"] < 1
    assert " --halves\n" in result.stdout


def test_without_the_option_nothing_is_said_of_halves(call, here):
    result = call(
        "gate", "hist", "--ablation", "zero", "--json", "out.json", "--method", METHODS + "knows_the_answer"
    )
    assert "halves in common" not in result.stdout
    assert '"halves"' not in (here / "out.json").read_text()
