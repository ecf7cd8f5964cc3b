"""What is shipped: the wheel and the source archive, the pinned versions, how to cite it."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

from tracrcheck import __version__
from tracrcheck.rasp.library import shipped_folder

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
    assets = {str(p.relative_to(ROOT)) for p in (ROOT / "tracrcheck").rglob("assets/*")}
    assert {Path(name).suffix for name in assets} == {".css", ".js"}
    assert assets <= names
    programs = {f"tracrcheck/programs/{p.name}" for p in shipped_folder().glob("*.py")}
    assert len(programs) >= 48
    assert programs <= names
    assert not any(name.startswith("tests/") for name in names)
    assert {"tracrcheck/py.typed", "edgeprune_core/py.typed"} <= names


def test_the_source_archive_holds_whatever_builds_tests_and_documents(tmp_path):
    builders = pytest.importorskip("hatchling.builders.sdist")
    (built,) = builders.SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    kept = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    left_out = {name for name in kept if not (ROOT / name).exists()} | {".ci/run", ".gitignore"}
    assert set(kept) - left_out <= names
    assert {"pyproject.toml", "mkdocs.yml", "CITATION.cff", "docs/index.md", "PKG-INFO"} <= names


def test_the_version_is_written_in_one_place():
    assert "version" in project()["dynamic"]
    assert "version" not in yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text().splitlines()[2]
    naming = [
        str(path.relative_to(ROOT))
        for package in ("tracrcheck", "edgeprune_core")
        for path in (ROOT / package).rglob("*.py")
        if f'"{__version__}"' in path.read_text(encoding="utf-8")
    ]
    assert naming == ["tracrcheck/_version.py"]


def test_how_to_cite_it_is_valid():
    check = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.citation-file-format",
        "CITATION.cff",
    ]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (cited["title"], cited["license"]) == (project()["name"], project()["license"])


def test_an_environment_that_builds_the_documentation_can_test_it():
    optional = project()["optional-dependencies"]
    assert set(optional["docs"]) <= set(optional["dev"])


# In an empty environment -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The `bin` folder of a fresh environment, with the wheel that the source archive builds and its dependencies."""
    place = tmp_path_factory.mktemp("built")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(place), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = place.glob("*.whl")
    venv.create(place / "env", with_pip=False)
    python = place / "env" / "bin" / "python"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--no-deps",
        "--no-index",
        "--quiet",
    ]
    subprocess.run([*pip, str(wheel)], check=True)
    # A path in a .pth file is appended to sys.path, and .pth files there (our editable install) are not read.
    inside = next((place / "env" / "lib").glob("python*/site-packages"))
    (inside / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def run(command: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(command), *words], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_wheel_alone_gates_a_program_and_is_well(installed, tmp_path):
    assert run(installed / "tracrcheck", "--version", cwd=tmp_path).stdout == f"tracrcheck {__version__}\n"
    done = run(installed / "tracrcheck", "gate", "reverse", "--ablation", "zero", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 hold, 0 fail" in done.stdout
    done = run(installed / "tracrcheck", "doctor", "--json", "doctor.json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "doctor.json").read_text())
    assert found["executable"].startswith(str(installed))
    assert found["programs"] >= 48


@pytest.mark.slow
def test_the_wheel_ships_its_types_to_a_type_checker(installed, tmp_path):
    (tmp_path / "user.py").write_text(
        "from tracrcheck import Program\n\nreveal_type(Program.name)\nProgram(name=3)\n"
    )
    check = [sys.executable, "-m", "mypy", "--python-executable", str(installed / "python"), "user.py"]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    said = subprocess.run(check, cwd=tmp_path, env=env, capture_output=True, text=True, check=False).stdout
    assert 'Revealed type is "str"' in said or 'Revealed type is "builtins.str"' in said
    assert 'Argument "name" to "Program" has incompatible type "int"' in said


# Dependencies ------------------------------------------------------------------------------------------


def test_every_direct_dependency_is_pinned():
    optional = project()["optional-dependencies"]
    extras = ("models", "cluster", "transformer-lens", "docs", "dev")
    wanted = [*project()["dependencies"], *(line for name in extras for line in optional[name])]
    names = {re.match(r"[\w-]+", line)[0] for line in wanted}
    lines = [
        x for x in (ROOT / "ci" / "constraints.txt").read_text().splitlines() if x and not x.startswith("#")
    ]
    pinned = dict(line.split("==") for line in lines)
    assert names <= set(pinned)
    assert pinned["torch"] == "2.13.0"


def test_the_oldest_versions_that_are_tested_are_the_declared_bounds():
    """`make versions` installs them; the extra `transformer-lens` needs newer packages than the others."""
    optional = project()["optional-dependencies"]
    lines = [
        *project()["dependencies"],
        *(x for name in ("models", "cluster", "gguf", "properties") for x in optional[name]),
    ]
    bounds = dict(re.match(r"([\w-]+)[>=]=([\d.]+)", line).groups() for line in lines)
    lines = [x for x in (ROOT / "ci" / "oldest.txt").read_text().splitlines() if x and not x.startswith("#")]
    pinned = dict(line.split("==") for line in lines)
    assert {name: Version(pinned[name]) for name in bounds} == {n: Version(bounds[n]) for n in bounds}


def test_every_import_of_the_packages_is_a_declared_dependency():
    optional = project()["optional-dependencies"]
    lines = [
        *project()["dependencies"],
        *(x for name in ("models", "cluster", "gguf", "transformer-lens") for x in optional[name]),
    ]
    declared = {re.match(r"[\w-]+", line)[0] for line in lines}
    modules = {
        "tracr": "tracr-pypi",
        "haiku": "dm-haiku",
        "huggingface_hub": "huggingface-hub",
        "transformer_lens": "transformer-lens",
    }
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
    assert foreign - {"hypothesis", "pytest"} <= declared  # pytest loads our plugin, so it is installed


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
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
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
