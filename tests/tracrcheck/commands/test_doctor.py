"""`tracrcheck doctor`: every part is reported as it is, in complete and in incomplete installations."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from pathlib import Path

import pytest

from tracrcheck import doctor
from tracrcheck.doctor import Part, examine, parts
from tracrcheck.truth import cache

ROOT = Path(__file__).parents[3]

PARTS = parts()
BAD = (
    Part("no-such-package", "no_such_module", ">=1", "nothing", "more"),
    Part("numpy", "numpy", ">=99", "arrays", "more"),
    Part("typer", "raises_when_imported", ">=0.15", "nothing", "more"),
    Part("rich", "ends_the_process", ">=13", "nothing", "more"),
    Part("joblib", "hangs_up_and_talks", ">=1.4", "nothing", "more"),
)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """One run over our parts, and some broken ones between them."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "raises_when_imported.py").write_text(
        "raise OSError('libfoo.so.1: cannot open\\nshared object')"
    )
    (folder / "ends_the_process.py").write_text("import os; os.abort()")
    (folder / "hangs_up_and_talks.py").write_text(
        "import sys; print('a banner'); print('x', end=''); sys.exit(3)"
    )
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(folder)
    try:
        return examine((*PARTS[:5], *BAD, *PARTS[5:]))
    finally:
        patch.undo()


def found(report, module: str):
    return next(part for part in report.parts if part.module == module)


def test_a_whole_installation_is_reported_with_its_versions_and_devices(report):
    lacking = (
        () if find_spec("transformer_lens") else ("transformer-lens",)
    )  # the extra `test` does not install it
    names = [part.name for part in PARTS if part.name not in lacking]
    found_ok = [part.name for part in report.parts if part.status == "ok"]
    assert found_ok == names
    assert found(report, "tracr").found == "1.0.0"
    assert report.devices[0] == "cpu"
    assert report.programs >= 48
    assert report.works, report.why


def test_optional_parts_that_are_missing_old_or_broken_are_reported_and_nothing_fails(report):
    seen = [(found(report, part.module).status, found(report, part.module).detail) for part in BAD[2:]]
    assert found(report, "no_such_module").status == "missing"
    assert [part.status for part in report.parts if part.wanted == BAD[1].wanted] == ["old"]
    assert seen == [
        ("broken", "OSError: libfoo.so.1: cannot open"),
        ("broken", "importing it ends the process (-6)"),
        ("broken", "SystemExit: 3"),
    ]
    assert report.exit_code == 0


@pytest.mark.parametrize("status", ["missing", "old", "broken"])
def test_a_required_part_that_is_not_right_fails(report, status):
    worse = replace(found(report, "torch"), status=status)
    others = tuple(part for part in report.parts if part.module != "torch")
    assert replace(report, parts=(worse, *others)).exit_code == 1
    text = "\n".join(replace(report, parts=(worse, *others)).lines())
    assert status.upper() in text
    assert "something that is required is missing or broken" in text


def test_packages_that_import_and_do_not_work_together_fail(report):
    sick = replace(report, works=False, why="ValueError: no")
    assert sick.exit_code == 1
    assert "reverse   BROKEN: ValueError: no" in "\n".join(sick.lines())


def test_an_optional_part_is_listed_with_the_command_that_installs_it(report):
    text = "\n".join(report.lines())
    assert "  missing no-such-package" in text
    assert "not installed; pip install 'tracrcheck[more]'" in text


def test_the_parts_are_what_the_project_requires_and_each_has_a_use(monkeypatch):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted, lines = {("", line) for line in project["dependencies"]}, list(project["dependencies"])
    for extra, more in project["optional-dependencies"].items():
        lines += [f"{line}; extra == '{extra}'" for line in more]
        wanted |= {(extra, line) for line in more if extra not in ("dev", "docs", "test")}
    monkeypatch.setattr(doctor, "requires", lambda name: lines)
    found = parts()
    assert {(part.extra, part.name + part.wanted) for part in found} == wanted
    assert {part.name for part in found} == set(doctor.USES)
    assert found[0].extra == "" != found[-1].extra


@pytest.mark.parametrize("lacking", ["packaging", "tracrcheck"])
def test_without_what_names_the_parts_that_is_missing_and_the_rest_is_tried(lacking, monkeypatch):
    def requires(name):
        raise PackageNotFoundError(name)

    if lacking == "packaging":
        monkeypatch.setitem(sys.modules, "packaging.requirements", None)
    else:
        monkeypatch.setattr(doctor, "requires", requires)
    report = examine()
    assert [(part.name, part.status) for part in report.parts] == [(lacking, "missing")]
    assert report.works
    assert report.exit_code == 1
    assert f"not installed; pip install '{lacking}'" in "\n".join(report.lines())


def test_the_folder_of_the_cache_is_the_one_that_is_used(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "_probe", lambda module: {})
    monkeypatch.setenv("TRACRCHECK_CACHE", str(tmp_path))
    assert examine([]).cache == str(cache.cache_folder()) == str(tmp_path)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    assert doctor._writable(tmp_path / "new" / "deep")
    assert not doctor._writable(tmp_path / "file" / "below")


TORCH = """
from types import SimpleNamespace as S
cuda = S(device_count={count}, get_device_properties=lambda i: S(name="H100", total_memory=80 * 2**30))
backends = S(mps=S(is_available=lambda: False))
"""


@pytest.mark.parametrize(
    ("count", "devices"),
    [
        ("lambda: 1", ("cpu", "cuda:0 H100, 80 GiB")),
        ("lambda: 1 / 0", ("cpu", "cuda cannot be asked: division by zero")),
    ],
)
def test_devices_are_named_and_a_driver_that_fails_is_reported(count, devices, tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text(TORCH.format(count=count))
    monkeypatch.syspath_prepend(tmp_path)
    found = examine([part for part in PARTS if part.name == "torch"])
    assert found.devices == devices
    assert not found.works  # this torch can do nothing else
    assert "reverse   BROKEN: " in "\n".join(found.lines())


# The command -------------------------------------------------------------------------------------------


def test_the_command_prints_and_writes_what_was_found(report, call, here, monkeypatch):
    monkeypatch.setattr(doctor, "examine", lambda: report)
    done = call("doctor", "--json", "doctor.json")
    assert done.exit_code == 0
    assert done.stdout == "\n".join(report.lines()) + "\n"
    assert json.loads(Path("doctor.json").read_text()) == json.loads(json.dumps(report.document()))
    assert call("doctor", "--json", "no/such/folder/d.json").exit_code == 2


def without(module: str, folder: Path) -> dict[str, str]:
    """An environment in which a module cannot be imported."""
    return raised_by(module, f'ModuleNotFoundError("No module named {module}")', folder)


def raised_by(module: str, error: str, folder: Path) -> dict[str, str]:
    """An environment in which the import of a module raises an error."""
    (folder / f"{module}.py").write_text(f"raise {error}\n")
    return os.environ | {"PYTHONPATH": f"{folder}:{ROOT}"}


@pytest.mark.parametrize("module", ["typer", "rich"])
def test_without_what_the_command_line_needs_doctor_says_so_and_the_rest_points_to_it(module, tmp_path):
    begin = [sys.executable, "-m", "tracrcheck"]
    env = without(module, tmp_path)
    done = subprocess.run([*begin, "gate"], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "TC198 the command line cannot be loaded"
    assert f"got     No module named {module}" in done.stderr
    assert "Traceback" not in done.stderr
    if module == "typer":  # doctor takes seconds, so it runs once, without what takes long to import
        for part in PARTS:
            if part.extra or part.module in ("haiku", "jax", "tracr"):
                without(part.module, tmp_path)
        done = subprocess.run([*begin, "doctor"], env=env, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 1, done.stderr
        assert re.search(r"^  BROKEN  typer", done.stdout, re.MULTILINE)
        assert re.search(r"^  ok      torch", done.stdout, re.MULTILINE)


def test_doctor_itself_needs_the_standard_library_alone():
    code = "import sys; import tracrcheck.doctor, tracrcheck.__main__; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    tops = {name.partition(".")[0] for name in loaded.stdout.split()}
    assert tops - set(sys.stdlib_module_names) <= {
        "tracrcheck",
        "edgeprune_core",
        "__main__",
        "sitecustomize",
    }


def test_an_interrupt_while_the_command_line_loads_is_no_traceback(tmp_path):
    env = raised_by("typer", "KeyboardInterrupt", tmp_path)
    command = [sys.executable, "-m", "tracrcheck", "gate"]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")
