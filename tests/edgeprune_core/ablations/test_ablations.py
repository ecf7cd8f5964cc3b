"""What a cut edge carries: which inputs a mean is over, and that it does not depend on the current batch."""

from __future__ import annotations

import pytest
import torch

from edgeprune_core.ablations import ABLATIONS, VARIANTS, Ablation, Mean, Resample, Zero
from edgeprune_core.criterion import Outcome
from edgeprune_core.engine import trace
from edgeprune_core.errors import CheckError
from edgeprune_core.task import Task
from tests.edgeprune_core import models

SHORT = torch.tensor([[0, 1], [2, 3], [4, 0]])
LONG = torch.tensor([[1, 2, 3], [3, 2, 1]])


def _model():
    return models.model("gpt2")


def test_the_mean_is_per_length_and_position_over_the_inputs_of_that_length():
    mean = Mean().of(_model(), [SHORT, LONG])
    assert mean.name == "mean"
    for inputs in (SHORT, LONG):
        wrote = trace(_model(), inputs).writers
        torch.testing.assert_close(mean.table[inputs.shape[1]], wrote.mean(1), atol=1e-12, rtol=0)
    assert (mean.table[2] - mean.table[3][:, :2]).abs().max() > 1e-3  # lengths differ, and so do positions:
    assert (mean.table[3][:, 0] - mean.table[3][:, 1]).abs().max() > 1e-3


def test_the_pooled_mean_weighs_every_input_that_has_the_position_alike():
    pooled = Mean(pooled=True).of(_model(), [SHORT, LONG])
    assert pooled.name == "mean_pooled"
    short, long = trace(_model(), SHORT).writers, trace(_model(), LONG).writers
    both = torch.cat([short, long[:, :, :2]], 1).mean(1)
    torch.testing.assert_close(pooled.table[2], both, atol=1e-12, rtol=0)
    torch.testing.assert_close(pooled.table[3][:, :2], both, atol=1e-12, rtol=0)
    torch.testing.assert_close(pooled.table[3][:, 2], long[:, :, 2].mean(1), atol=1e-12, rtol=0)
    assert (pooled.table[2] - Mean().of(_model(), [SHORT, LONG]).table[2]).abs().max() > 1e-3


@pytest.mark.parametrize("pooled", [False, True])
def test_repeated_inputs_do_not_enter_twice(pooled):
    once = Mean(pooled=pooled).of(_model(), [SHORT, LONG])
    again = Mean(pooled=pooled).of(_model(), [SHORT, LONG, LONG[:1], torch.cat([SHORT, SHORT[:2]])])
    for n in (2, 3):
        torch.testing.assert_close(again.table[n], once.table[n], atol=1e-12, rtol=0)


def test_the_batch_at_hand_never_enters_the_mean():
    mean, model = Mean().of(_model(), [SHORT, LONG]), _model()
    tokens = torch.tensor([[4, 4, 4], [0, 0, 0], [1, 1, 0]])
    valid = torch.tensor([[True, True, True], [True, True, True], [True, True, False]])
    got = mean.background(model, tokens, valid)
    assert torch.equal(got[:, 0], mean.table[3])
    assert torch.equal(got[:, 0], got[:, 1])
    assert torch.equal(got[:, 2, :2], mean.table[2])
    assert torch.equal(mean.background(model, tokens[2:], valid[2:])[:, 0], got[:, 2])


def test_a_length_without_a_mean_is_refused():
    with pytest.raises(CheckError) as caught:
        Mean().of(_model(), [SHORT]).background(_model(), LONG, LONG >= 0)
    assert str(caught.value) == "EP151 no mean for this length\n    got     3\n    wanted  [2]"


def test_a_mean_taken_in_float32_is_summed_in_float64():
    exact = Mean().of(_model(), [SHORT]).table[2]
    assert torch.equal(Mean().of(_model().to(torch.float32).to(torch.float64), [SHORT]).table[2].float(),
                       Mean().of(_model().to(torch.float32), [SHORT]).table[2])  # fmt: skip
    assert exact.dtype == torch.float64


def _task(ablation, items) -> Task:
    valid = LONG >= 0
    return Task(
        name="t", model=_model(), ablation=ablation, tokens=LONG, valid=valid, scored=valid,
        items=torch.tensor(items), outcome=Outcome(categorical=False),
    )  # fmt: skip


def test_in_a_task_the_first_of_a_pair_is_clean_and_the_second_corrupted():
    task = _task(Resample(), [[0, 1]])
    wrote = trace(_model(), LONG).writers
    assert torch.equal(task.background(task.items)[:, 0], wrote[:, 1])
    assert torch.allclose(task.reference[0], trace(_model(), LONG).outputs[0], rtol=0, atol=1e-12)
    from edgeprune_core.circuit import Circuit
    from edgeprune_core.mask import to_mask

    for circuit, row in ((Circuit.full(task.graph), 0), (Circuit.empty(task.graph), 1)):
        got = task.outputs(to_mask(circuit, dtype=torch.float64), task.items)[0, 0]
        torch.testing.assert_close(got, task.reference[row], atol=1e-10, rtol=0)
    assert task.deviations(Circuit.full(task.graph)).max() < 1e-10
    assert task.deviations(Circuit.empty(task.graph)).max() > 0.01
    assert task.accepts(Circuit.full(task.graph))
    assert not task.accepts(Circuit.empty(task.graph))


def test_a_task_gives_the_same_background_as_the_ablation_itself():
    for ablation in (Resample(), Mean().of(_model(), [LONG])):
        task = _task(ablation, [[0, 1], [1, 1]])
        want = ablation.background(_model(), LONG[[1, 1]], task.valid[[1, 1]])
        torch.testing.assert_close(task.background(task.items), want, atol=1e-12, rtol=0)
    assert _task(Zero(), [[0, 0]]).background(torch.tensor([[0, 0]])) is None


def test_a_pair_of_unequal_lengths_is_refused():
    tokens = torch.tensor([[1, 2, 3], [1, 2, 0]])
    valid = torch.tensor([[True, True, True], [True, True, False]])
    with pytest.raises(CheckError) as caught:
        Task(
            name="t", model=_model(), ablation=Resample(), tokens=tokens, valid=valid, scored=valid,
            items=torch.tensor([[0, 1]]), outcome=Outcome(categorical=False),
        )  # fmt: skip
    assert (
        str(caught.value)
        == "EP161 t a pair of unequal lengths\n    wanted  clean and corrupted of one length"
    )


def test_long_lists_run_in_parts_give_what_they_give_whole(monkeypatch):
    from edgeprune_core import task as module
    from edgeprune_core.circuit import Circuit

    task = _task(Resample(), [[0, 1], [1, 0], [0, 0], [1, 1]])
    circuits = [Circuit.empty(task.graph), Circuit.full(task.graph)]
    whole = task.deviations(circuits)
    monkeypatch.setattr(module, "CHUNK_FLOATS", 1)
    torch.testing.assert_close(task.deviations(circuits), whole, atol=1e-12, rtol=0)


@pytest.mark.parametrize("table", [ABLATIONS, VARIANTS], ids=["ABLATIONS", "VARIANTS"])
def test_every_row_has_its_name_and_keeps_it_for_a_model_and_in_another_precision(table):
    valid = torch.ones_like(LONG, dtype=torch.bool)
    for name, row in table.items():
        for made in (row, row.of(_model(), [SHORT, LONG]), row.of(_model(), [LONG]).to(torch.float32)):
            assert made.name == name
            assert (made.paired, made.within_span) == (row.paired, row.within_span)
        single = row.of(_model(), [LONG]).to(torch.float32)
        carried = single.background(_model().to(torch.float32), LONG, valid)
        assert carried is None or carried.dtype == torch.float32
        assert not row.interchange or (row.paired and row.within_span)


def test_only_resampling_is_read_from_the_stored_run():
    """Any other paired ablation computes its own background."""

    class Doubled(Ablation):
        name, paired = "doubled", True

        def background(self, model, corrupted, valid):
            return 2 * trace(model, corrupted, valid=valid).writers

    for ablation, factor in ((Resample(), 1), (Doubled(), 2)):
        task = _task(ablation, [[0, 1]])
        torch.testing.assert_close(task.background(task.items), factor * task.writers[:, [1]])
