"""`--set name=value` and `--init`: each setting reaches the method, and what is no setting is refused."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from edgeprune_core.errors import CheckError
from edgeprune_core.methods import METHODS, EapIg, EdgePruning
from edgeprune_core.methods.edge_pruning import WarmStart
from edgeprune_core.training.prices import FixedPrice
from tracrcheck.trained.method_settings import settings_of, started_from, with_settings


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["steps=800"], EdgePruning(steps=800)),
        (["learning_rate=1"], EdgePruning(learning_rate=1.0)),
        (["n_edges=40", "steps=2"], EdgePruning(n_edges=40, steps=2)),
        (["n_edges=40", "n_edges=None"], EdgePruning()),
        (["price.per_edge=1e-4"], EdgePruning(price=FixedPrice(per_edge=1e-4))),
        (["dtype=bfloat16"], EdgePruning(dtype=torch.bfloat16)),
        ([" divergence = kl "], None),
    ],
)
def test_settings_reach_the_method(texts, wanted):
    if wanted is None:  # a text where the default is None could be anything
        with pytest.raises(CheckError):
            with_settings(EdgePruning(), texts)
        return
    assert with_settings(EdgePruning(), texts) == wanted


def test_a_setting_that_is_text_is_taken_as_it_is():
    assert with_settings(EapIg(), ["path=activations"]) == METHODS["eap_ig_activations"]


@pytest.mark.parametrize(
    ("text", "got", "do"),
    [
        ("steps", "steps", ""),
        ("step=3", "step", "did you mean 'steps' or 'swept' or 'kept'?"),
        ("steps=many", "steps=many", ""),
        ("steps=1.5", "steps=1.5", ""),
        ("price.per_edg=1", "per_edg", "did you mean 'per_edge' or 'per_node'?"),
        ("steps.more=1", "more", "one of: (there are none)"),
    ],
)
def test_what_is_not_a_setting_or_not_a_value_is_refused(text, got, do):
    with pytest.raises(CheckError) as caught:
        with_settings(EdgePruning(), [text])
    assert (caught.value.code, caught.value.where, caught.value.got) == ("TC117", "--set", got)
    assert caught.value.do == do


def test_a_callable_of_the_users_has_the_settings_of_its_dataclass_or_none():
    @dataclass(frozen=True)
    class Own:
        depth: int = 1

    assert with_settings(Own(), ["depth=4"]) == Own(depth=4)
    assert settings_of(lambda task: task) == {}
    assert set(settings_of(EapIg())) == {"path", "steps", "n_edges", "items_at_once"}


def test_edge_pruning_starts_from_the_method_named():
    assert started_from(EdgePruning(), None) == EdgePruning()
    assert started_from(EdgePruning(), "eap") == EdgePruning(init=WarmStart(method=METHODS["eap"]))
    warm = EdgePruning(init=WarmStart(opened=2.0))
    assert started_from(warm, "eap").init == WarmStart(method=METHODS["eap"], opened=2.0)
    assert started_from(warm, "none") == EdgePruning()
    for method, init, code in ((EapIg(), "eap", "TC117"), (EdgePruning(), "epa", "TC113")):
        with pytest.raises(CheckError) as caught:
            started_from(method, init)
        assert (caught.value.code, caught.value.where) == (code, "--init")
