"""`tracr.compiler` without JAX: what it does not need is not loaded, and all of it is still there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DEFER = "from tracrcheck.rasp.tracr_without_jax import defer_jax; defer_jax(); import sys"


def printed(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"{DEFER}\n{code}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    "code",
    [
        "import tracr.compiler",
        "from tracr.compiler import basis_inference, nodes",
        "from tracr.compiler.lib import make_hist",
        "import tracr.compiler as c; c.rasp_to_graph",
    ],
)
def test_the_passes_load_neither_jax_nor_haiku(code):
    assert printed(f"{code}\nprint(*({{'jax', 'haiku', 'chex'}} & set(sys.modules)))") == ""


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (
            "from tracr.compiler import compile_rasp_to_model as f; print(f.__module__)",
            "tracr.compiler.compiling",
        ),
        ("from tracr.compiler import *; print(compile_rasp_to_model.__name__)", "compile_rasp_to_model"),
        ("import tracr.compiler; print(tracr.compiler.compiling.__name__)", "tracr.compiler.compiling"),
        (
            "from tracr.compiler.assemble import AssembledTransformerModel; print(*{'jax'} & set(sys.modules))",
            "jax",
        ),
        (
            "import tracr.compiler as c; print(hasattr(c, 'nothing'), hasattr(c, '__nothing__'))",
            "False False",
        ),
        ("import tracr.compiler as c; c.compile_rasp_to_model; print(type(c).__name__)", "module"),
    ],
)
def test_everything_of_tracr_is_there_when_it_is_asked_for(code, wanted):
    assert printed(code) == wanted


def test_a_package_that_is_imported_already_stays():
    code = (
        "import tracr.compiler as c; defer_jax(); print(sys.modules['tracr.compiler'] is c, type(c).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import tracr.compiler\n{DEFER}\n{code}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["True", "module"]


@pytest.mark.parametrize("words", [["programs"], ["certify", "hist"], ["explain", "hist", "a0.h0 -> m0"]])
def test_a_command_that_runs_a_program_loads_no_jax(words, tmp_path):
    code = (
        "import sys; from typer.testing import CliRunner; from tracrcheck.cli import app; "
        f"done = CliRunner().invoke(app, {words!r}); "
        "print(done.exit_code, *({'jax', 'haiku'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0"], done.stderr
