"""What is shipped: the wheel and the source archive, the pinned versions, how to cite it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tracrcheck.library import shipped_folder

ROOT = Path(__file__).parents[2]


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_wheel_holds_both_packages_and_every_program(tmp_path):
    builders = pytest.importorskip("hatchling.builders.wheel")
    (built,) = builders.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(built).namelist())
    for package in ("tracrcheck", "edgeprune_core"):
        sources = {str(p.relative_to(ROOT)) for p in (ROOT / package).rglob("*.py")}
        assert sources <= names
    words = {str(p.relative_to(ROOT)) for p in (ROOT / "edgeprune_core").rglob("*.json")}
    assert len(words) >= 2
    assert words <= names
    models = {str(p.relative_to(ROOT)) for p in (ROOT / "edgeprune_core").rglob("*.safetensors")}
    assert models
    assert models <= names
    programs = {f"tracrcheck/programs/{p.name}" for p in shipped_folder().glob("*.py")}
    assert len(programs) >= 48
    assert programs <= names
    assert not any(name.startswith("tests/") for name in names)


def test_every_direct_dependency_is_pinned():
    optional = project()["optional-dependencies"]
    wanted = [*project()["dependencies"], *optional["models"], *optional["docs"], *optional["dev"]]
    names = {re.match(r"[\w-]+", line)[0] for line in wanted}
    lines = [
        x for x in (ROOT / "ci" / "constraints.txt").read_text().splitlines() if x and not x.startswith("#")
    ]
    pinned = dict(line.split("==") for line in lines)
    assert names <= set(pinned)
    assert pinned["torch"] == "2.13.0"


def test_every_import_of_the_packages_is_a_declared_dependency():
    lines = [*project()["dependencies"], *project()["optional-dependencies"]["models"]]
    declared = {re.match(r"[\w-]+", line)[0] for line in lines}
    modules = {"tracr": "tracr-pypi", "haiku": "dm-haiku", "huggingface_hub": "huggingface-hub"}
    imported = set()
    for package in ("tracrcheck", "edgeprune_core"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    imported.add(node.module.partition(".")[0])
    ours = {"tracrcheck", "edgeprune_core"}
    foreign = {modules.get(m, m) for m in imported - ours - set(sys.stdlib_module_names)}
    assert foreign - {"hypothesis", "pytest"} <= declared  # pytest loads our plugin: it is there


def test_hypothesis_is_an_extra_of_the_strategies_and_imported_by_nothing_else():
    extras = project()["optional-dependencies"]
    assert [re.match(r"[\w-]+", line)[0] for line in extras["properties"]] == ["hypothesis"]
    using = [
        path.name
        for path in (ROOT / "tracrcheck").rglob("*.py")
        if re.search(r"^(?:from|import) hypothesis", path.read_text(), re.MULTILINE)
    ]
    assert using == ["strategies.py"]


def test_make_help_lists_every_target():
    found = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert targets == {line.split()[0] for line in found.splitlines()}
    assert {"gate", "test", "lint", "help"} <= targets


def test_what_ci_runs_is_the_tests_the_documentation_the_gate_and_a_share_of_what_is_committed():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert re.findall(r"^make (\w+)$", script.read_text(), re.MULTILINE) == [
        "test",
        "docs",
        "gate",
        "recheck",
    ]
