"""How a task measures outputs: only at scored positions, each once, however the list is split into batches."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgeprune_core import task as tasks
from edgeprune_core.ablations import Resample
from edgeprune_core.circuit import Circuit
from edgeprune_core.criterion import Outcome
from edgeprune_core.engine import trace
from edgeprune_core.mask import to_mask
from edgeprune_core.metrics import METRICS
from edgeprune_core.task import Task
from tests import zoo
from tests.edgeprune_core.models import model
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

MEASURES = {
    "deviation": Task.deviation,
    "divergence": Task.divergence,
    "margins": Task.margins,
    "matches": Task.matches,
    **{f"the metric {name}": METRICS[name] for name in METRICS},
}
OF_NUMBERS = ("deviation", "divergence", "margins")
CASES = [("hist", measure) for measure in MEASURES] + [("xproportion", measure) for measure in OF_NUMBERS]


def ragged(name: str) -> Task:
    """Position 0 is not scored, so each input, of length 1 to 3, has as many scored positions as tokens."""
    task = task_of(zoo.compiled(name), Setting(ablation="zero", lengths=(1, 3)))
    assert len(set(task.scored.sum(1).tolist())) == 3
    return task


def broken(task: Task) -> torch.Tensor:
    """Masks of the whole model and of two circuits that each lack one edge."""
    full = Circuit.full(task.graph)
    some = [full, *(full.without(edge) for edge in task.graph.edges if edge.reader.kind == "out")]
    return to_mask(some, dtype=torch.float64)


@pytest.mark.parametrize(("name", "measure"), CASES)
def test_what_stands_at_positions_that_are_not_scored_changes_no_measure(name, measure):
    task = ragged(name)
    off = replace(task)
    off.reference[~task.scored] += 100.0  # this copy has outputs of its own
    got = task.outputs(broken(task), task.items)
    elsewhere = got.masked_fill(~task.scored[task.items[:, 0]][..., None], -50.0)
    want, found = (MEASURES[measure](*given, task.items) for given in ((task, got), (off, elsewhere)))
    assert (want[1:] != want[0]).any()
    torch.testing.assert_close(found, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["hist", "xproportion"])
def test_a_divergence_of_the_list_is_the_mean_over_scored_positions_in_whatever_parts_it_runs(
    name, monkeypatch
):
    task = ragged(name)
    masks = broken(task)
    whole = task.divergences(masks)
    assert whole[0] < 1e-9 < whole[1:].max()
    by_length = []
    for n in (1, 2, 3):
        items = task.items[task.scored[task.items[:, 0]].sum(1) == n]
        by_length.append((n * len(items), replace(task, items=items).divergences(masks)))
    by_hand = sum(n * part for n, part in by_length) / sum(n for n, _ in by_length)
    torch.testing.assert_close(whole, by_hand)
    monkeypatch.setattr(tasks, "CHUNK_FLOATS", 1)
    torch.testing.assert_close(task.divergences(masks), whole)


def test_the_unpruned_model_writes_what_it_writes_without_padding():
    lengths, bag = (2, 4), model("bag")
    tokens = torch.tensor([[1, 2, 3, 3], [3, 0, 1, 2]])
    valid = torch.arange(4) < torch.tensor(lengths)[:, None]
    task = Task(
        name="bag", model=bag, ablation=Resample(), tokens=tokens, valid=valid, scored=valid,
        items=torch.tensor([[0, 0], [1, 1]]), outcome=Outcome(categorical=False),
    )  # fmt: skip
    for row, length in enumerate(lengths):
        alone = trace(bag, tokens[row : row + 1, :length]).writers[:, 0]
        torch.testing.assert_close(task.writers[:, row, :length], alone, rtol=1e-12, atol=1e-12)
