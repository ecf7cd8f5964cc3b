"""The device, and the figures: they are printed at the end of the run, and written to a file if one is named.

    python -m pytest tests/gpu -m gpu
    TRACRCHECK_FIGURES=ci/bench/results/gpu.json python -m pytest tests/gpu -m gpu

TRACRCHECK_TEST_DEVICE names another device than cuda: cuda:1, or cpu, where the full shapes take minutes too.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

from tracrcheck.records.machine import machine
from tracrcheck.records.sources import commit

TOLD = pytest.StashKey[dict[str, dict[str, float]]]()


@pytest.fixture
def device() -> torch.device:
    wanted = torch.device(os.environ.get("TRACRCHECK_TEST_DEVICE", "cuda"))
    if wanted.type == "cuda" and not torch.cuda.is_available():
        pytest.skip(f"no CUDA device: torch {torch.__version__} sees none")
    return wanted


@pytest.fixture
def figures(request):
    """What a test measures, by name."""
    measured: dict[str, float] = {}
    yield measured
    if measured:
        request.config.stash.setdefault(TOLD, {})[request.node.name] = measured


def pytest_terminal_summary(terminalreporter, config):
    if not (figures := config.stash.get(TOLD, {})):
        return
    terminalreporter.section("figures")
    for test, measured in figures.items():
        terminalreporter.write_line(test)
        for name, value in measured.items():
            terminalreporter.write_line(f"    {name:<62} {value:12.6g}")
    if path := os.environ.get("TRACRCHECK_FIGURES"):
        Path(path).write_text(json.dumps(document(figures), indent=2) + "\n")


def document(figures: dict[str, dict[str, float]]) -> dict:
    """The figures as a document, with hardware, versions, commit and date."""
    there = torch.cuda.is_available()
    return {
        "schema": "tracrcheck.gpu/1",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "gpu": torch.cuda.get_device_name() if there else None,
        "gpu_memory_gib": round(torch.cuda.get_device_properties(0).total_memory / 2**30, 1) if there else None,
        "cuda": torch.version.cuda,
        "machine": machine(),
        "figures": figures,
    }  # fmt: skip
