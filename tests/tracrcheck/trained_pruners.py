"""Methods under test on trained models, named on the command line as `tests.tracrcheck.trained_pruners:name`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from edgeprune_core.circuit import Circuit
from edgeprune_core.methods import EdgePruning
from edgeprune_core.trained_models import load_model

# Trained for a second.
quick = EdgePruning(steps=20, circuits=4, n_edges=40)


def with_a_dangling_edge(task):
    return ["tok -> out", "tok -> a1.h2.v", "a1.h2 -> out", "tok -> m3"]


def nothing(task):
    return None


class Twice:
    """Swept: two circuits of its own choice, whatever its scores say."""

    def __call__(self, task):
        raise AssertionError("a method with a sweep is not called")

    def sweep(self, task):
        yield "few", Circuit.of(task.graph, with_a_dangling_edge(task))
        yield "many", Circuit.full(task.graph)


def prints(task):
    sys.stdout.write("at work\n")
    return ["tok -> out"]


def writes_what_it_sees(task):
    words = load_model("english").tokenizer
    clean = [words.decode(task.tokens[row][task.valid[row]].tolist()) for row in task.items[:, 0]]
    Path("seen.json").write_text(
        json.dumps({"ablation": task.ablation.name, "seed": task.seed, "prompts": clean})
    )
    return Circuit.of(task.graph, ["tok -> out"])


def never_ends(task):
    while True:
        time.sleep(1)


def raises(task):
    raise ValueError("no idea")
