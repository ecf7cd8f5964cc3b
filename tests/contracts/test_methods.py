"""What all methods that rank edges keep to, on compiled and planted programs and on prompts alike."""

from __future__ import annotations

import pytest
import torch

from edgeprune_core.discovery import Discovery
from edgeprune_core.methods import METHODS
from tests import zoo
from tests.edgeprune_core.methods.subjects import llama, prompts
from tests.tracrcheck.planted.models import planted
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting, task_of

RANKING = sorted(
    set(METHODS) - {"edge_pruning", "edge_pruning_pathwise", "edge_pruning_kl", "random"}
)  # those have tests of their own
ABLATIONS = ["zero", "mean", "resample"]


def tasks(ablation: str) -> dict[str, object]:
    setting = Setting(ablation=ablation, lengths=(2, 2))
    return {
        "compiled": task_of(zoo.compiled("xproportion"), setting),
        "planted": task_of(planted("hist", 3, 2, 3).compiled, setting),
        "prompts": prompts(llama(), ablation, n=3),
    }


@pytest.mark.parametrize("ablation", ABLATIONS)
@pytest.mark.parametrize("name", RANKING)
def test_a_method_returns_an_accepted_circuit_without_dangling_edges_and_a_score_for_every_edge(
    name, ablation
):
    for kind, task in tasks(ablation).items():
        before = task.model.digest()
        found = METHODS[name](task)
        assert isinstance(found, Discovery)
        assert task.accepts(found.circuit), kind
        assert 0 < len(found.circuit) < task.graph.n_edges, kind
        assert found.circuit == found.circuit.connected()
        assert found.scores.shape == (task.graph.n_edges,)
        assert found.scores.isfinite().all()
        assert task.model.digest() == before
    again = METHODS[name](task)
    assert again.circuit == found.circuit
    assert torch.equal(again.scores, found.scores)


@pytest.mark.parametrize("ablation", ABLATIONS)
@pytest.mark.parametrize("name", ["acdc", "exact"])
def test_a_planted_circuit_is_found_by_patching_edges_one_by_one(name, ablation):
    made = planted("hist", 3, 2, 3)
    setting = Setting(ablation=ablation, lengths=(1, 2))
    truth = made.mapped(certify(task_of(made.original, setting), setting).required)
    assert truth
    assert METHODS[name](task_of(made.compiled, setting)).circuit == truth
