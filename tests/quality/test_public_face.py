"""What users import comes from the two packages themselves: everything promised is there, and the docs use nothing deeper."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import edgeprune_core
import tracrcheck
from edgeprune_core import ablations, families, methods, metrics
from tests.quality.docs.blocks import blocks_of
from tests.quality.test_imports import imported

ROOT = Path(__file__).parents[2]
PACKAGES = (tracrcheck, edgeprune_core)
# Packages that import names from their modules lazily, each with the other names that it defines.
LAZY = {
    tracrcheck: {"ByHand", "Program", "__version__"},
    edgeprune_core: set(),
    ablations: {"ABLATIONS", "VARIANTS"},
    families: {"FAMILIES", "family_of"},
    methods: {"METHODS"},
    metrics: {"METRICS"},
}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# `tracrcheck.mutants` is for contributors alone: the packages do not export it, since no check may know of a fault.
PUBLIC = {
    "tracrcheck",
    "edgeprune_core",
    "tracrcheck.testing",
    "tracrcheck.strategies",
    "tracrcheck.mutants",
    "tracrcheck.peers",
}


@pytest.mark.parametrize("package", LAZY, ids=lambda p: p.__name__)
def test_every_public_name_is_the_object_of_its_home(package):
    for home, names in package._HOMES.items():
        module = import_module(f"{package.__name__}.{home}")
        for name in names:
            assert getattr(package, name) is getattr(module, name), name


@pytest.mark.parametrize("package", LAZY, ids=lambda p: p.__name__)
def test_the_list_the_table_and_the_types_name_the_same(package):
    lazy = {name for names in package._HOMES.values() for name in names}
    assert sorted(package.__all__) == sorted(lazy | LAZY[package])
    assert package not in PACKAGES or set(package.__all__) <= set(dir(package))
    typed = {
        (node.module, alias.name)
        for part in ast.parse(Path(package.__file__).read_text()).body
        if isinstance(part, ast.If)
        for node in part.body
        for alias in node.names
    }
    assert typed == {
        (f"{package.__name__}.{home}", n) for home, names in package._HOMES.items() for n in names
    }


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.__name__)
def test_an_unknown_name_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'Circus'"):
        package.Circus  # noqa: B018
    with pytest.raises(ImportError):
        exec(f"from {package.__name__} import Circus")


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.__name__)
def test_a_name_hides_no_module(package):
    """`from package import name` must mean one thing, whatever was imported before."""
    folder = Path(package.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} | {
        path.name for path in folder.iterdir() if path.is_dir()
    }
    assert not modules & set(package.__all__)


def test_a_first_use_loads_the_module_and_keeps_the_value():
    code = (
        "import sys, edgeprune_core as core; before = 'torch' in sys.modules; core.Task; "
        "print(before, 'torch' in sys.modules, 'Task' in vars(core))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "True"]


def test_no_module_of_ours_imports_by_the_public_names():
    """Our modules import a name from its home, so that layers and hashes of sources see what they depend on."""
    lazy = {f"{p.__name__}.{name}" for p in PACKAGES for names in p._HOMES.values() for name in names}
    for package in PACKAGES:
        for path in Path(package.__file__).parent.rglob("*.py"):
            assert not lazy & {name for name, _ in imported(path.read_text(encoding="utf-8"))}, path


def deeper(text: str) -> list[str]:
    """Modules of ours, below the public ones, that the Python of a page imports."""
    found = []
    for block in blocks_of(text):
        lines = block.text.splitlines()
        if block.kind == "pycon":
            lines = [line[4:] for line in lines if line.startswith((">>> ", "... "))]
        if block.kind in ("python", "pycon"):
            for node in ast.walk(ast.parse("\n".join(lines))):
                if isinstance(node, ast.ImportFrom):
                    found.append(str(node.module))
                elif isinstance(node, ast.Import):
                    found += [alias.name for alias in node.names]
    return [
        name
        for name in found
        if name.split(".")[0] in ("tracrcheck", "edgeprune_core") and name not in PUBLIC
    ]


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_page_imports_nothing_below_the_public_modules(path):
    assert deeper(path.read_text(encoding="utf-8")) == []


def test_a_deeper_import_is_noticed():
    page = (
        "```python\nimport torch\nfrom tracrcheck import Program\nimport tracrcheck.cli\n```\n"
        "```pycon\n>>> def f():\n...     from edgeprune_core.task import Task\n>>> f()\n1\n```\n"
        "```text\nfrom tracrcheck.truth import cache\n```\n"
    )
    assert sorted(deeper(page)) == ["edgeprune_core.task", "tracrcheck.cli"]
