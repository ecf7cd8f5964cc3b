"""edgeprune_core: one masked forward over the edges between components, and the methods that search them.

It knows nothing of RASP or Tracr. Import what you need from here; deeper modules may move. A name loads its module
when it is first used: `import edgeprune_core` alone loads the standard library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeprune_core.lazy import exports

if TYPE_CHECKING:
    from edgeprune_core.ablations import ABLATIONS, Ablation, Mean, Resample, Zero
    from edgeprune_core.circuit import Circuit
    from edgeprune_core.criterion import Outcome
    from edgeprune_core.discovery import Discovery, Scores
    from edgeprune_core.engine import outputs, run, trace
    from edgeprune_core.errors import CheckError
    from edgeprune_core.families import FAMILIES, Family, load
    from edgeprune_core.graph import Edge, Reader, ResidualGraph, Writer
    from edgeprune_core.mask import to_mask
    from edgeprune_core.methods import (
        METHODS,
        Acdc,
        Eap,
        EapIg,
        EdgePruning,
        EdgePruningBounded,
        EdgePruningScoreFunction,
        Exact,
        Method,
        RandomEdges,
    )
    from edgeprune_core.metrics import METRICS, Metric
    from edgeprune_core.spec import ModelSpec
    from edgeprune_core.task import Task
    from edgeprune_core.tasks import TASKS, Pair, PromptSource, pairs, read_pairs
    from edgeprune_core.tasks.prompt_task import PromptTask, prompt_task
    from edgeprune_core.trained_models import SUBJECTS, TrainedModel, load_model
    from edgeprune_core.training.prices import FixedPrice, RisingPrice, SparsityTarget
    from edgeprune_core.weights import Model, Weights

__all__ = [
    "ABLATIONS",
    "FAMILIES",
    "METHODS",
    "METRICS",
    "SUBJECTS",
    "TASKS",
    "Ablation",
    "Acdc",
    "CheckError",
    "Circuit",
    "Discovery",
    "Eap",
    "EapIg",
    "Edge",
    "EdgePruning",
    "EdgePruningBounded",
    "EdgePruningScoreFunction",
    "Exact",
    "Family",
    "FixedPrice",
    "Mean",
    "Method",
    "Metric",
    "Model",
    "ModelSpec",
    "Outcome",
    "Pair",
    "PromptSource",
    "PromptTask",
    "RandomEdges",
    "Reader",
    "Resample",
    "ResidualGraph",
    "RisingPrice",
    "Scores",
    "SparsityTarget",
    "Task",
    "TrainedModel",
    "Weights",
    "Writer",
    "Zero",
    "load",
    "load_model",
    "outputs",
    "pairs",
    "prompt_task",
    "read_pairs",
    "run",
    "to_mask",
    "trace",
]

_HOMES = {
    "ablations": ("ABLATIONS", "Ablation", "Mean", "Resample", "Zero"),
    "circuit": ("Circuit",),
    "criterion": ("Outcome",),
    "discovery": ("Discovery", "Scores"),
    "engine": ("outputs", "run", "trace"),
    "errors": ("CheckError",),
    "families": ("FAMILIES", "Family", "load"),
    "graph": ("Edge", "Reader", "ResidualGraph", "Writer"),
    "mask": ("to_mask",),
    "methods": (
        "METHODS",
        "Acdc",
        "Eap",
        "EapIg",
        "EdgePruning",
        "EdgePruningBounded",
        "EdgePruningScoreFunction",
        "Exact",
        "Method",
        "RandomEdges",
    ),
    "metrics": ("METRICS", "Metric"),
    "spec": ("ModelSpec",),
    "task": ("Task",),
    "tasks": ("TASKS", "Pair", "PromptSource", "pairs", "read_pairs"),
    "tasks.prompt_task": ("PromptTask", "prompt_task"),
    "trained_models": ("SUBJECTS", "TrainedModel", "load_model"),
    "training.prices": ("FixedPrice", "RisingPrice", "SparsityTarget"),
    "weights": ("Model", "Weights"),
}  # fmt: skip

__getattr__ = exports(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
