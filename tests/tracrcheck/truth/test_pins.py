"""Pins: each certificate is compared with its own, and none may be missing on either side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import zoo
from tracrcheck.truth.pins import differences, read

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
