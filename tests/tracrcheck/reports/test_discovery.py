"""What is said of a circuit of a trained model: each number stands beside its own name."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from edgeprune_core.circuit import Circuit
from tests.tracrcheck.commands.english import graph
from tracrcheck.reports import discovery as report
from tracrcheck.reports import overlap as overlap_report
from tracrcheck.trained.discover import Found


@pytest.fixture
def found() -> Found:
    whole = graph()
    answer = SimpleNamespace(fault=None, seconds=1.0, scores=torch.arange(float(whole.n_edges)))
    circuit = Circuit.of(whole, ["tok -> out", "tok -> m0", "m0 -> out"])
    return Found(
        answer=answer, n_edges=whole.n_edges, n_prompts=4, circuit=circuit, kl_mean=0.25, kl_worst=0.75
    )


def test_the_line_says_the_mean_first_and_then_the_worst(found):
    assert "KL 0.250 nats in the mean, 0.750 at worst" in report.found_lines(found)[0]


def test_each_tile_has_its_own_number(found):
    document = report.discovery_document({"task": "ioi", "model": "english"}, found, None, {})
    shown = {str(tile.label).partition(": ")[2]: tile.value for tile in report._tiles(document)}
    assert shown["mean on the prompts it was found on"] == "0.250"
    assert shown["worst of these prompts"] == "0.750"


def test_each_edge_has_its_own_score(found):
    place = {str(edge): float(i) for i, edge in enumerate(found.circuit.graph.edges)}
    assert report._scores(found) == {str(edge): place[str(edge)] for edge in found.circuit}


@pytest.mark.parametrize(("good", "word"), [(0, "not faithful"), (20, "partly faithful"), (30, "faithful")])
def test_a_circuit_is_called_faithful_if_every_cell_is(good, word):
    assert report._word({"cells": [{"faithful": i < good} for i in range(30)]}) == word


def test_each_column_of_two_circuits_compared_is_of_its_own_cell():
    def cell(metric: str, x: float, good: bool) -> dict:
        of = {"ablation": "resample", "direction": "kept", "metric": metric, "faithful": good}
        return of | {"circuit": {"mean": x}, "random": {"mean": x + 7}, "model": 1.0}

    cells = [cell("kl", 1, True), cell("recovered", 2, False), cell("accuracy", 3, False)]
    judged = [{"circuit": "a", "task": "ioi", "faithfulness": {"n_edges": 5, "cells": cells}}]
    (row,) = overlap_report._crossed({"judged": judged}).rows
    assert [str(x) for x in row[2:]] == ["5", "1.000", "8.000", "2.000", "3.000", "1.000", "1 of 3 cells"]


def test_each_tile_of_two_circuits_compared_has_its_own_number():
    edges = {"shared": [1], "only_a": [1] * 2, "only_b": [1] * 3}
    tiles = overlap_report._tiles(edges | {"jaccard": 1 / 6, "expected_shared": 0.5})
    assert [str(tile.value) for tile in tiles] == ["1", "2", "3", "17%", "0.5"]
