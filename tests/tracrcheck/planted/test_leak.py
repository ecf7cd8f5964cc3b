"""What distractors leak: less than the bound in every circuit tried, and more where a hole is made."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from edgeprune_core.weights import Model
from tests import zoo
from tests.tracrcheck.planted.models import SOME, planted
from tracrcheck.planted import host, leak
from tracrcheck.planted.planting import plant
from tracrcheck.planted.truth import truth_of
from tracrcheck.truth.permitted import permitted
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

every = pytest.mark.parametrize("which", SOME, ids="{0[0]}-{0[1]}x{0[2]}".format)


@every
def test_the_leak_is_below_its_bound_and_that_below_a_billionth_of_the_range(which):
    made = planted(*which)
    circuits = leak.circuits_to_try(made.graph, 3, torch.Generator().manual_seed(which[3]))
    assert len(circuits[0]) == 0
    assert circuits[1] == Circuit.full(made.graph)
    for ablation in ("zero", "mean", "resample"):
        task = task_of(made.compiled, Setting(ablation=ablation))
        got = leak.leaks(made, task, circuits)
        assert 0 < got.max() <= leak.bound(made) / (task.outcome.scale or 1.0) <= leak.MOST


@every
def test_the_stream_is_at_most_twice_as_long_as_the_programs_own(which):
    assert 1.05 < leak.stream_ratio(planted(*which)) <= leak.LONGEST


def test_what_distractors_would_write_beyond_that_is_cut_back(monkeypatch):
    monkeypatch.setattr(host, "WRITTEN", 50.0)
    made = plant(zoo.compiled("reverse"), layers=4, heads=4)
    assert 1.5 < leak.stream_ratio(made) <= leak.LONGEST


def with_a_hole(made, size: float):
    """The first dense head of the last layer writes into the program's directions too."""
    w = made.model.weights
    writer = max((made.graph.writer(name) for name in made.distractors if "h" in name), key=lambda x: x.index)
    w_o = w.w_o.clone()
    w_o[writer.layer, writer.head] += size * made.directions.sum(0)
    return replace(made, model=Model(made.model.spec, replace(w, w_o=w_o)))


@pytest.mark.parametrize("size", [1e-6, 1e-2])
def test_a_distractor_that_writes_what_the_program_reads_is_caught(size):
    made = planted("reverse", 4, 4, 0)
    holed = with_a_hole(made, size)
    with pytest.raises(CheckError) as caught:
        leak.measure(holed, [Setting()], random_circuits=2)
    assert str(caught.value).startswith(
        "TC162 what leaks into the program's directions is too large in the planted 'reverse'\n"
    )
    tokens = made.original.encode(made.original.domain.inputs)[0]
    mine = permitted(made.original.model, tokens)
    assert permitted(holed.model, tokens) != made.mapped(mine)


def test_a_stream_that_is_too_long_is_caught():
    made = planted("hist", 3, 2, 3)
    w = made.model.weights
    longer = Model(made.model.spec, replace(w, pos=w.pos * 9))
    with pytest.raises(CheckError) as caught:
        leak.measure(replace(made, model=longer), [Setting()], random_circuits=0)
    assert str(caught.value).startswith("TC162 the stream, relative to the program's own, is too large")


def test_measuring_gives_all_that_the_command_prints():
    made = planted("sort", 4, 4, 2)
    got = leak.measure(made, [Setting(), Setting(ablation="mean")], random_circuits=1)
    assert got.n_circuits == 6
    assert 0 < got.leak <= got.bound
    assert 0 <= got.deviation < 1e-12
    assert got.stream == leak.stream_ratio(made)


@pytest.mark.parametrize("fewer", [True, False])
def test_a_truth_that_is_not_the_programs_mapped_is_caught(monkeypatch, tmp_path, fewer):
    monkeypatch.setenv("TRACRCHECK_CACHE", str(tmp_path))
    made = planted("hist", 3, 2, 3)
    assert truth_of(made, Setting()).required.texts
    head = made.slots["a0.h0"]
    wrong = {"a0.h0": head} if fewer else made.slots | {"a0.h0": head[:-1] + str(1 - int(head[-1]))}
    with pytest.raises(CheckError, match="TC163") as caught:
        truth_of(replace(made, slots=wrong), Setting())
    assert "the truth of the planted 'hist' is not the program's (zero)" in str(caught.value)


def test_a_leak_that_is_not_a_number_is_no_small_one(monkeypatch):
    monkeypatch.setattr(leak, "stream_ratio", lambda made: float("nan"))
    with pytest.raises(CheckError, match="TC162"):
        leak.measure(planted("hist", 3, 2, 3), [Setting(ablation="zero")], random_circuits=1)


SETTINGS = [Setting(ablation="zero"), Setting(ablation="mean")]


@pytest.mark.parametrize("off", [1.0, float("nan")])
@pytest.mark.parametrize("ablation", ["zero", "mean"])
def test_the_outputs_are_compared_in_every_setting(ablation, off, monkeypatch):
    made, real = planted("hist", 3, 2, 3), leak.task_of

    def shifted(compiled, setting):
        task = real(compiled, setting)
        if compiled is made.compiled and setting.ablation == ablation:
            vars(task)["reference"] = task.reference + off
        return task

    monkeypatch.setattr(leak, "task_of", shifted)
    with pytest.raises(CheckError, match="TC162 what the outputs differ by"):
        leak.measure(made, SETTINGS, random_circuits=1)


@pytest.mark.parametrize("off", [1.0, float("nan")])
@pytest.mark.parametrize("ablation", ["zero", "mean"])
def test_what_leaks_in_any_setting_counts(ablation, off, monkeypatch):
    made = planted("hist", 3, 2, 3)

    def leaks(planted, task, circuits):
        return torch.tensor([0.0, off if task.ablation.name == ablation else 0.0])

    monkeypatch.setattr(leak, "leaks", leaks)
    with pytest.raises(CheckError, match="TC162 what leaks into"):
        leak.measure(made, SETTINGS, random_circuits=1)
