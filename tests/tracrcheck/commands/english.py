"""What the tests of `discover` and `faithfulness` share: the graph of the shipped model, few prompts, and a pair of a file."""

from __future__ import annotations

from edgeprune_core.graph import ResidualGraph
from edgeprune_core.trained_models import load_model

FEW = ["--prompts", "6", "--draws", "3"]
PAIR = {
    "clean": "So Mary works very hard, doesn't",
    "corrupted": "So John works very hard, doesn't",
    "answer": " she",
}


def graph() -> ResidualGraph:
    return ResidualGraph.of(load_model("english").model.spec)
