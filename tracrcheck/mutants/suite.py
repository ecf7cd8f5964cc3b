"""The default test suite as a check of seeded faults: which tests, quickest to see one first, and what they rest on.

Left out, because they are not about what the core computes, or cannot be run on a copy:

    tests/quality                     compares source text: imports, codes of errors, workflows
    tests/tracrcheck/mutants          knows the faults, and would run hunts in a hunt
    tests/e2e                         builds wheels and installs them
    tests/programs, docs              texts
    commands, runs (but fuzz and invariants), grading, records, executors, dask, reports, trained, pytest_plugin
                                      commands, files, committed results: what the core finds is passed on by them
    tests/gpu, distributed            the core's other runs, compared with the engine itself, in processes of their own

A test that is left out can only lower the share of faults that is caught.
"""

from __future__ import annotations

import ast
from pathlib import Path

# Files and folders of tests, in the order in which they are run: what names a fault in seconds, then what trains and certifies.
TESTS = (
    "tests/edgeprune_core/ablations",
    "tests/edgeprune_core/engine",
    "tests/edgeprune_core/metrics",
    "tests/edgeprune_core/test_criterion.py",
    "tests/edgeprune_core/test_faithfulness.py",
    "tests/edgeprune_core/test_graph.py",
    "tests/edgeprune_core/test_weights.py",
    "tests/tracrcheck/invariants/test_invariants.py",
    "tests/edgeprune_core/tasks",
    "tests/edgeprune_core/families",
    "tests/tracrcheck/compiler/test_by_hand.py",
    "tests/tracrcheck/compiler/test_compile.py",
    "tests/tracrcheck/rasp/test_domain.py",
    "tests/tracrcheck/truth",
    "tests/edgeprune_core/training",
    "tests/edgeprune_core/methods",
    "tests/contracts",
    "tests/tracrcheck/runs/test_invariants.py",
    "tests/tracrcheck/invariants/test_counterexamples.py",
    "tests/tracrcheck/invariants/test_runner.py",
    "tests/tracrcheck/compiler/tracr_bugs",
    "tests/tracrcheck/importers",
    "tests/edgeprune_core/trained_models",
    "tests/tracrcheck/planted",
    "tests/tracrcheck/generator",
    "tests/tracrcheck/test_strategies.py",
    "tests/tracrcheck/runs/test_fuzz.py",
    "tests/tracrcheck/runs/test_fuzz_results.py",
    "tests/tracrcheck/runs/test_regressions.py",
)
# What those tests read beside the packages.
BESIDE = ("tests", "programs", "docs", "pyproject.toml", "ci/certificates.json", "ci/subjects")


def files(root: Path) -> list[Path]:
    """Every file that the suite's tests are made of, programs included."""
    named = (root / name for name in TESTS)
    folders = {path.parent if path.suffix == ".py" else path for path in named}
    folders |= {root / "tests" / "regressions", root / "programs"}
    found = {path for folder in folders for path in folder.rglob("*") if path.is_file()}
    return sorted(path for path in {*found, *(root / "tests").glob("*.py")} if path.suffix != ".pyc")


def modules(root: Path) -> list[str]:
    """Every module that the suite's tests import, whosesoever."""
    found: set[str] = set()
    for path in files(root):
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.Import):
                    found |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return sorted(found)
