"""The table of metrics: every row gives a number per circuit and item, and a metric from outside is treated like ours."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from edgeprune_core.faithfulness import faithfulness
from edgeprune_core.mask import to_mask
from edgeprune_core.metrics import METRICS, Metric
from tests import zoo
from tests.edgeprune_core.methods.subjects import llama, prompts
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of


def program():
    return task_of(zoo.compiled("hist"), Setting(lengths=(2, 3)))


@dataclass(frozen=True)
class Largest(Metric):
    """The largest output, plus 2: for the model of a compiled program this is 3."""

    name: str = "largest"

    def __call__(self, task, outputs, items):
        return outputs.amax((-1, -2)) + 2


@dataclass(frozen=True)
class Rescaled(Largest):
    name: str = "largest_rescaled"
    rescaled: bool = True


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("kind", [program, lambda: prompts(llama())], ids=["program", "prompts"])
def test_a_metric_gives_a_finite_number_per_circuit_and_item(kind, name):
    task, metric = kind(), METRICS[name]
    assert metric.name == name
    assert metric.label
    circuits = [Circuit.full(task.graph), Circuit.empty(task.graph)]
    outputs = task.outputs(to_mask(circuits, dtype=task.model.dtype), task.items)
    found = metric(task, outputs, task.items)
    assert found.shape == (2, len(task.items))
    assert found.isfinite().all()
    assert (
        metric(task, outputs[:1, :2], task.items[:2]) - found[:1, :2]
    ).abs().max() < 1e-12  # each item is measured without the others
    if not metric.rescaled and name != "accuracy":  # a trained model may be wrong
        ideal = {"kl": 0.0}.get(name, 1.0)
        assert (found[0] - ideal).abs().max() < 1e-9
        assert (found[1] - ideal).abs().max() > 1e-3


def test_a_metric_of_your_own_has_cells_like_any_other():
    task = program()
    circuit = Circuit.of(task.graph, [str(e) for e in task.graph.edges][:8])
    own = [Largest(), Rescaled(), METRICS["kl"]]
    matrix = faithfulness({"zero": task}, circuit, metrics=own, draws=2)
    assert [c.metric for c in matrix.cells[:3]] == ["largest", "largest_rescaled", "kl"]
    assert Largest().label == "largest"
    plain, rescaled = matrix.cells[:2]
    outputs = task.outputs(to_mask(circuit, dtype=torch.float64), task.items)
    assert plain.circuit.mean == pytest.approx(2 + float(outputs.amax((-1, -2)).mean()))
    want = (plain.circuit.mean - plain.empty) / (plain.model - plain.empty)
    assert rescaled.circuit.mean == pytest.approx(want)
    assert (rescaled.model, rescaled.empty) == (1.0, 0.0)
    ours = faithfulness({"zero": task}, circuit, draws=2)
    assert matrix.cells[2] == ours.cells[0]  # the same in a batch with others


def test_a_new_row_is_in_every_matrix(monkeypatch):
    monkeypatch.setitem(METRICS, "largest", Largest())
    task = program()
    matrix = faithfulness({"zero": task}, Circuit.full(task.graph), draws=2)
    assert [c.metric for c in matrix.cells] == 2 * [
        "kl",
        "recovered",
        "accuracy",
        "exact_match",
        "tau",
        "largest",
    ]


@pytest.mark.parametrize(
    ("gives", "text"),
    [
        (lambda x: x.amax((0, -1, -2)), "does not give a number per circuit and item\n    got     shape [36]\n"
         "    wanted  a tensor of shape [6, 36]"),
        (lambda x: 1.0, "does not give a number per circuit and item\n    got     a float\n"),
        (lambda x: x.no_such_thing, "raises an error\n    got     AttributeError: 'Tensor' object has no attribute"),
    ],
)  # fmt: skip
def test_a_metric_that_fails_is_named(gives, text):
    class Broken(Largest):
        def __call__(self, task, outputs, items):
            return gives(outputs)

    task = program()
    with pytest.raises(CheckError) as caught:
        faithfulness({"zero": task}, Circuit.full(task.graph), metrics=[Broken()], draws=1)
    assert str(caught.value).startswith(f"EP197 the metric 'largest' {text}")
