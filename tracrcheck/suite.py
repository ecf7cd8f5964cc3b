"""The default test suite as a check of seeded faults: which tests, quickest to see one first, and what they rest on.

Left out, because they are not about what the core computes, or cannot be run on a copy:

    tests/quality                   compares source text: imports, codes of errors, workflows
    tests/mutants                   knows the faults, and would run hunts in a hunt
    tests/e2e                       builds wheels and installs them
    tests/surfaces, tests/plugin    commands, files, packaging, committed results: what the core finds is passed on by them
    tests/programs, tests/docs      texts
    tests/reports, tests/sweeps     pages and clusters: what was found is shown and handed on by them
    tests/gpu, tests/large          the core's other runs, compared with the engine itself, in processes of their own

A test that is left out can only lower the share of faults that is caught.
"""

from __future__ import annotations

import ast
from pathlib import Path

# Files and folders of tests, in the order in which they are run: what names a fault in seconds, then what trains and certifies.
TESTS = (
    "tests/core",
    "tests/invariants/test_invariants.py",
    "tests/tasks",
    "tests/families",
    "tests/compile",
    "tests/truth",
    "tests/methods",
    "tests/invariants/test_campaign.py",
    "tests/invariants/test_counterexamples.py",
    "tests/invariants/test_running.py",
    "tests/faults",
    "tests/brute",
    "tests/importers",
    "tests/subjects",
    "tests/planted",
    "tests/fuzz",
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
