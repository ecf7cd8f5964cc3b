"""Runs a command once with each set of kernels that this processor has, and once in two threads.

    python ci/kernels.py python -m pytest

PyTorch, MKL and OpenBLAS each choose kernels by the processor, and kernels round differently. A test that needs one way
of rounding passes on one machine and fails on another; here it fails on any machine that has both kernels.
Exit 1 where the command failed with one of them; it is run with the others all the same.
"""

from __future__ import annotations

import os
import subprocess
import sys

# ATEN_CPU_CAPABILITY is PyTorch's own, MKL_CBWR is for its matrix products, OPENBLAS_CORETYPE for NumPy's.
KERNELS = {
    "default": {
        "ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "OPENBLAS_CORETYPE": "Nehalem",
    },
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "OPENBLAS_CORETYPE": "Haswell"},
    "avx512": {"ATEN_CPU_CAPABILITY": "avx512", "OPENBLAS_CORETYPE": "SkylakeX"},
}  # fmt: skip
# Threads that spin while they wait slow each other down by ten times where the machine has few cores.
THREADS = {"OMP_NUM_THREADS": "2", "TRACRCHECK_TEST_THREADS": "2", "OMP_WAIT_POLICY": "passive"}


def best() -> str:
    """The largest set of instructions that PyTorch finds here, as it names it. It does not check one that it is given:
    kernels that the processor lacks end the process."""
    code = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    env = {name: value for name, value in os.environ.items() if name != "ATEN_CPU_CAPABILITY"}
    return subprocess.run(
        [sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()


def settings(most: str) -> dict[str, dict[str, str]]:
    """Name -> environment. Other processors than x86 have neither AVX2 nor AVX-512, and PyTorch's kernels by default."""
    had = {"AVX512": ["default", "avx2", "avx512"], "AVX2": ["default", "avx2"]}.get(most, ["default"])
    return {name: KERNELS[name] for name in had} | {"two threads": THREADS}


def main(command: list[str]) -> int:
    codes = {}
    for name, env in settings(best()).items():
        print(f"{name}: {' '.join(f'{key}={value}' for key, value in env.items())}", flush=True)
        codes[name] = subprocess.run(command, env=os.environ | env).returncode
    for name, code in codes.items():
        print(f"{name}: {'passed' if code == 0 else f'FAILED, exit code {code}'}")
    return int(any(codes.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
