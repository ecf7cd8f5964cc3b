"""Where a trained model runs, how precisely, and on how many threads."""

from __future__ import annotations

import os
from dataclasses import replace

import torch

from edgeprune_core.fold_norms import folded
from edgeprune_core.graph import LARGE, ResidualGraph
from edgeprune_core.trained_models import TrainedModel
from tracrcheck.error_codes import unknown_name, user_error

DEVICES = ("auto", "cpu", "cuda")
DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}


def placed(subject: TrainedModel, *, device: str, dtype: str) -> TrainedModel:
    """The model on this device and in this precision, its norms folded into its weights (`fold_norms.py`). Errors: TC117."""
    if device not in DEVICES:
        raise unknown_name("TC117.device", device, DEVICES, where="--device")
    if dtype not in DTYPES:
        raise unknown_name("TC117.precision", dtype, DTYPES, where="--dtype")
    if device == "cuda" and not torch.cuda.is_available():
        raise user_error("TC117.no_gpu", where="--device", got="no CUDA device that torch can use")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return replace(subject, model=folded(subject.model).to(DTYPES[dtype]).to(device))


def threads_for(subject: TrainedModel) -> int:
    """One, and every core on a large graph, whose matrices are worth sharing."""
    large = ResidualGraph.of(subject.model.spec).n_edges > LARGE
    return len(os.sched_getaffinity(0)) if large else torch.get_num_threads()
