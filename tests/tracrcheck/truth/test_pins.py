"""Pins: each certificate is compared with its own, and none may be missing on either side."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import ResidualGraph
from tests import zoo
from tracrcheck.reports.saved import setting_words
from tracrcheck.truth import pins as pinning
from tracrcheck.truth.certificate import Certificate
from tracrcheck.truth.pins import differences, read
from tracrcheck.truth.setting import Setting

PINS = Path(__file__).parents[3] / "ci" / "certificates.json"
ONE = {"zero value": {"required": ["tok -> out"], "proved": ["sufficient"]}}
BOTH = {"ours": ONE, "theirs": ONE}


@pytest.mark.parametrize("whole", [True, False])
def test_a_program_that_is_certified_and_not_pinned_is_a_difference(whole):
    assert differences({"ours": ONE}, BOTH, whole=whole) == ["theirs, zero value: certified, but not pinned"]
    more = ONE | {"mean value": ONE["zero value"]}
    assert differences(BOTH, {"ours": more, "theirs": ONE}, whole=whole) == [
        "ours, mean value: certified, but not pinned"
    ]


def test_a_pinned_program_that_was_not_certified_is_one_only_where_all_were_asked_for():
    assert differences(BOTH, {"ours": ONE}, whole=False) == []
    assert differences(BOTH, {"ours": ONE}, whole=True) == ["theirs: pinned, but there is no such program"]


def test_every_program_is_pinned_in_every_ablation_and_criterion():
    pins = read(PINS)
    assert sorted(pins) == sorted(zoo.ALL)
    settings = {f"{a} {c}" for a in ("zero", "mean", "resample") for c in ("value", "decoded")}
    for name, pinned in pins.items():
        assert set(pinned) == settings, name
    assert json.loads(PINS.read_text())["schema"] == "tracrcheck.pins/1"


def certificates():
    """One for each setting that can be named, each with another circuit."""
    nothing = Circuit.empty(ResidualGraph(1, 1, 1))
    one = Certificate(program="ours", setting=Setting(), required=nothing, permitted=nothing, proved=())
    parts = itertools.product(
        ("zero", "mean", "resample"), ("value", "decoded"), (None, (1, 2), (1, 3), (2, 3)), (False, True)
    )
    for ablation, criterion, lengths, bos in parts:
        setting = Setting(ablation=ablation, criterion=criterion, lengths=lengths, score_bos=bos)
        yield replace(one, setting=setting)


def test_every_setting_has_a_name_of_its_own_in_the_pins_and_in_reports():
    every = list(certificates())
    assert len(pinning.of(every)["ours"]) == len(every) == 48
    assert len({setting_words(one.to_json()) for one in every}) == 48


def test_a_change_of_what_is_required_or_proved_is_a_line_each_with_its_sign():
    before = {"zero value": {"required": ["a", "b"], "proved": ["sufficient", "unique"]}}
    after = {"zero value": {"required": ["b", "c"], "proved": ["sufficient", "minimal"]}}
    assert differences({"ours": before}, {"ours": after}, whole=False) == [
        "ours, zero value: - a",
        "ours, zero value: + c",
        "ours, zero value: - proof of unique",
        "ours, zero value: + proof of minimal",
    ]
