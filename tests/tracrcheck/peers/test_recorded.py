"""Scores that the real tools gave once get the verdict that they must; and the methods that call the tools, on a stand-in."""

from __future__ import annotations

import json
from functools import cache

import pytest

from edgeprune_core import Scores
from tests import zoo
from tests.tracrcheck.peers.conftest import STAND_IN, task
from tracrcheck.grading.by_name import find_method
from tracrcheck.grading.judge import judged
from tracrcheck.grading.run_method import ask
from tracrcheck.peers.answers import scores_of
from tracrcheck.peers.names import Correspondence
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting

RECORDED = sorted((STAND_IN.parent / "recorded").glob("*.json"))


@cache
def certificate(name, ablation):
    return certify(task(name, ablation), Setting(ablation=ablation))


def verdict_of(method, name, ablation):
    answer = ask(method, task(name, ablation), seed=0, timeout=None)
    return judged(
        zoo.compiled(name), task(name, ablation), certificate(name, ablation), answer, method="m", seed=0
    )


def test_both_verdicts_and_both_tools_are_recorded():
    records = [json.loads(path.read_text()) for path in RECORDED]
    assert {(r["names"], r["verdict"]) for r in records} >= {
        ("eap_ig", "HOLDS"), ("eap_ig", "FAILS"), ("autocircuit", "HOLDS"), ("autocircuit", "FAILS"),
    }  # fmt: skip


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_scores_get_their_verdict(path):
    record = json.loads(path.read_text())
    graph = zoo.compiled(record["program"]).graph
    names = Correspondence(graph, True, max(graph.n_heads, 2))

    def replayed(task):
        return Scores(scores=scores_of(record["scores"], names, names=record["names"], by_magnitude=True))

    verdict = verdict_of(replayed, record["program"], record["ablation"])
    assert (verdict.verdict, verdict.judged) == (record["verdict"], "ranking")
    assert verdict.ranking.auroc == pytest.approx(record["auroc"], abs=1e-6)


@pytest.mark.parametrize(
    ("method", "program", "ablation", "word", "reason"),
    [
        ("eap_ig_inputs", "hist", "resample", "FAILS", "no_threshold"),
        ("eap_ig_inputs", "xproportion", "resample", "HOLDS", None),
        ("exact", "hist", "zero", "HOLDS", None),
        ("eap_ig_inputs", "hist", "zero", "FAILS", "refused"),
        ("clean_corrupted", "hist", "zero", "FAILS", "refused"),
    ],
)
def test_a_named_method_of_eap_ig_runs_its_tool_on_the_tasks_model(
    stand_in, method, program, ablation, word, reason
):
    found = find_method(f"tracrcheck.peers.eap_ig:{method}")
    verdict = verdict_of(found, program, ablation)
    assert (verdict.verdict, verdict.reason) == (word, reason)
    if reason == "refused":
        assert "takes patching alone, which is resample ablation" in verdict.detail
