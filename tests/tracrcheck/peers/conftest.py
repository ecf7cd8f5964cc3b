"""Tasks as TransformerLens models, made once; and the stand-in for EAP-IG."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import pytest

from tests import zoo
from tracrcheck.peers import hooked
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

STAND_IN = Path(__file__).parent / "stand_in"


@cache
def task(name: str, ablation: str = "resample", **setting):
    return task_of(zoo.compiled(name), Setting(ablation=ablation, **setting))


@cache
def peer(name: str, ablation: str = "resample"):
    return hooked(task(name, ablation))


def forget_eap() -> None:
    for module in [m for m in sys.modules if m.split(".")[0] == "eap" or m == "tracrcheck.peers.eap_ig"]:
        del sys.modules[module]


@pytest.fixture
def stand_in(monkeypatch):
    """`import eap` finds the stand-in."""
    forget_eap()
    monkeypatch.syspath_prepend(str(STAND_IN))
    yield
    forget_eap()
