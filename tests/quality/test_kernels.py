"""`make kernels`: runs the command with every set of kernels that the processor has, and reports each failure."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest
import torch

CONFTEST = Path(__file__).parents[1] / "conftest.py"
SCRIPT = Path(__file__).parents[2] / "ci" / "kernels.py"
# Under `make kernels` the kernels are chosen already. These are removed, so that child processes choose their own.
CHOSEN = ("ATEN_CPU_CAPABILITY", "MKL_CBWR", "OPENBLAS_CORETYPE", "TRACRCHECK_TEST_THREADS")
CHOSEN_HERE = CHOSEN[0] in os.environ


@pytest.fixture
def kernels(monkeypatch):
    for name in CHOSEN:
        monkeypatch.delenv(name, raising=False)
    return _loaded(SCRIPT)


def _loaded(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("most", "names"),
    [
        ("AVX512", ["default", "avx2", "avx512", "two threads"]),
        ("AVX2", ["default", "avx2", "two threads"]),
        ("DEFAULT", ["default", "two threads"]),
        ("SVE256", ["default", "two threads"]),
    ],
)
def test_no_kernels_are_requested_that_the_processor_lacks(kernels, most, names):
    assert list(kernels.settings(most)) == names


def test_pytorch_uses_the_kernels_it_is_set_to_use_whatever_was_chosen_before(kernels, monkeypatch, capfd):
    # Without a choice, PyTorch's kernels here are the best; with one, a new process has to look.
    most = kernels.best() if CHOSEN_HERE else torch.backends.cpu.get_cpu_capability()
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    code = "import torch; print('took', torch.backends.cpu.get_cpu_capability())"
    assert kernels.main([sys.executable, "-c", code]) == 0
    names = [name for name in kernels.settings(most) if name in kernels.KERNELS]
    took = [line.split()[1] for line in capfd.readouterr().out.splitlines() if line.startswith("took ")]
    if most in ("AVX512", "AVX2"):
        assert took == [*(name.upper() for name in names), "DEFAULT"]
    else:
        assert len(took) == len(names) + 1


@pytest.mark.parametrize("env", ["THREADS", "none"])
def test_the_tests_take_the_number_of_threads_from_the_environment(kernels, monkeypatch, env):
    for name, value in getattr(kernels, env, {}).items():
        monkeypatch.setenv(name, value)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        _loaded(CONFTEST)
        assert torch.get_num_threads() == (2 if env == "THREADS" else 1)
    finally:
        torch.set_num_threads(before)


def test_a_failure_with_some_kernels_is_reported_and_the_others_run_all_the_same(kernels, monkeypatch, capfd):
    monkeypatch.setattr(kernels, "best", lambda: "AVX2")
    code = "import os, sys; sys.exit(7 * (os.environ.get('OPENBLAS_CORETYPE') == 'Nehalem'))"
    assert kernels.main([sys.executable, "-c", code]) == 1
    said = capfd.readouterr().out.splitlines()
    assert said[-3:] == ["default: FAILED, exit code 7", "avx2: passed", "two threads: passed"]
