"""How long proving is said to take."""

from __future__ import annotations

from types import SimpleNamespace

from tests import zoo
from tracrcheck.truth import cost
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of


def test_the_estimate_counts_what_repeats_and_not_what_is_prepared_once(monkeypatch):
    """By a clock that a circuit's run moves on: 1,000 s the first time, 1 s later."""
    compiled = zoo.compiled("reverse")
    task = task_of(compiled, Setting())
    now, ran = [0.0], []

    def deviations(circuit, items):
        now[0] += 1 if ran else 1000
        ran.append(circuit)

    timed = SimpleNamespace(items=task.items, tokens=task.tokens, graph=task.graph, deviations=deviations)
    monkeypatch.setattr(cost, "task_of", lambda compiled, setting: timed)
    monkeypatch.setattr(cost, "SMALL", 0)
    monkeypatch.setattr(cost, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    n_items, n_permitted = len(task.items), 15
    runs = 2 * n_permitted * min(cost.SCREEN, n_items) + cost.WHOLE_RUNS * n_items
    assert cost.estimate(compiled, [Setting()]) == runs / len(task.items[:: max(1, n_items // 64)][:64])
    assert {len(circuit) for circuit in ran} == {n_permitted}  # what a proof runs: the full graph costs more
