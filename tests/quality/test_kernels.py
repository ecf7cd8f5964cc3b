"""`make kernels`: runs the command with every set of kernels that the processor has, and reports each failure."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "ci" / "kernels.py"
# Under `make kernels` the kernels are chosen already. These are removed, so that child processes choose their own.
CHOSEN = ("ATEN_CPU_CAPABILITY", "MKL_CBWR", "OPENBLAS_CORETYPE", "TRACRCHECK_TEST_THREADS")


@pytest.fixture
def kernels(monkeypatch):
    for name in CHOSEN:
        monkeypatch.delenv(name, raising=False)
    spec = importlib.util.spec_from_file_location("kernels", SCRIPT)
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


def test_what_is_already_chosen_hides_nothing_that_the_processor_has(kernels, monkeypatch):
    found = kernels.best()
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    assert kernels.best() == found


def test_pytorch_uses_the_kernels_it_is_set_to_use(kernels, capfd):
    code = "import torch; print('took', torch.backends.cpu.get_cpu_capability())"
    assert kernels.main([sys.executable, "-c", code]) == 0
    most = kernels.best()
    names = [name for name in kernels.settings(most) if name in kernels.KERNELS]
    took = [line.split()[1] for line in capfd.readouterr().out.splitlines() if line.startswith("took ")]
    if most in ("AVX512", "AVX2"):
        assert took == [*(name.upper() for name in names), most]
    else:
        assert len(took) == len(names) + 1


def test_the_tests_take_the_number_of_threads_from_the_environment(kernels, monkeypatch):
    code = "import tests.conftest, torch; print(torch.get_num_threads())"
    got = []
    for env in ({}, kernels.THREADS):
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=SCRIPT.parents[1], capture_output=True, text=True, check=True
        )
        got.append(done.stdout.strip())
    assert got == ["1", "2"]


def test_a_failure_with_some_kernels_is_reported_and_the_others_run_all_the_same(kernels, monkeypatch, capfd):
    monkeypatch.setattr(kernels, "best", lambda: "AVX2")
    code = "import os, sys; sys.exit(7 * (os.environ.get('OPENBLAS_CORETYPE') == 'Nehalem'))"
    assert kernels.main([sys.executable, "-c", code]) == 1
    said = capfd.readouterr().out.splitlines()
    assert said[-3:] == ["default: FAILED, exit code 7", "avx2: passed", "two threads: passed"]
