"""Hashes of sources change with what they are of, and with nothing else; the machine is described without names."""

from __future__ import annotations

import ast
import os
import platform
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.tracrcheck import pruners
from tracrcheck.grading.by_name import find_method
from tracrcheck.records import machine, sources

ROOT = Path(__file__).parents[3]
CORE_TASK = ROOT / "edgeprune_core" / "task.py"


def test_programs_are_distinguished_by_name_and_bytes_and_not_by_place_or_order(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name in ("a.py", "b.py"):
            (tmp_path / folder / name).write_text(f"# {name}")
    paths = [[tmp_path / folder / name for name in ("a.py", "b.py")] for folder in ("one", "two")]
    same = sources.programs_sha(paths[0])
    assert sources.programs_sha(paths[1]) == same
    assert sources.programs_sha(reversed(paths[0])) == same
    assert sources.programs_sha(paths[0][:1]) != same
    paths[1][0].write_text("# changed")
    assert sources.programs_sha(paths[1]) != same
    paths[0][0].rename(tmp_path / "one" / "c.py")
    assert sources.programs_sha([tmp_path / "one" / "c.py", paths[0][1]]) != same


PRUNING = "edgeprune_core.methods.edge_pruning_score_function"


def test_what_decides_a_verdict_counts_and_what_only_shows_it_does_not(tmp_path, monkeypatch):
    for name in ("edgeprune_core", "tracrcheck"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.setattr(sources, "package_folder", lambda package: tmp_path / package.__name__)
    sha = sources.packages_sha.__wrapped__
    seen = {sha(PRUNING)}
    assert seen == {sources.packages_sha(PRUNING)}

    def changed(name):
        with (tmp_path / name).open("a") as file:
            file.write("# changed\n")
        before = len(seen)
        seen.add(sha(PRUNING))
        return len(seen) > before

    for name in (
        "training/score_function.py",
        "engine/forward.py",
        "engine/blocks/attention.py",
        "ablations/mean.py",
        "training/gates.py",
    ):
        assert changed(f"edgeprune_core/{name}"), name
    for name in (
        "truth/search.py",
        "compiler/compile.py",
        "grading/grade.py",
        "rasp/interpreter.py",
        "rasp/domain.py",
        "grading/verdict.py",
    ):
        assert changed(f"tracrcheck/{name}"), name
    for name in (
        "tracrcheck/reports/text.py",
        "tracrcheck/cli.py",
        "tracrcheck/_version.py",
        "edgeprune_core/methods/random_edges.py",
    ):
        assert not changed(name), name
    (tmp_path / "edgeprune_core/methods/new.py").write_text("")
    assert not changed("edgeprune_core/methods/__init__.py")


def test_each_method_of_ours_counts_by_its_own_file():
    assert sources.packages_sha(PRUNING) != sources.packages_sha("edgeprune_core.methods.random_edges")
    given = [
        sources.sources_of([], find_method(name))["packages"]
        for name in ("edge_pruning_score_function", "random")
    ]
    assert given == [
        sources.packages_sha(PRUNING),
        sources.packages_sha("edgeprune_core.methods.random_edges"),
    ]


def test_a_third_party_method_counts_by_its_file():
    assert sources.method_sha(find_method("edge_pruning_score_function")) is None
    file = sources.method_sha(pruners.some_edges)
    assert file is not None
    assert sources.method_sha(pruners.everything) != file  # another function of the same file
    assert sources.sources_of([], pruners.some_edges)["method"] == file


MINE = {
    "mine/__init__.py": "",
    "mine/prune.py": "from . import costs\nfrom mine.deep.rules import RULE\n\n\ndef find(task):\n    import scale\n",
    "mine/costs.py": "import torch\n",
    "mine/deep/__init__.py": "",
    "mine/deep/rules.py": "RULE = 1\n",
    "mine/other.py": "",
    "scale.py": "",
}


def test_a_third_party_method_counts_with_all_that_it_imports_from_its_own_project(tmp_path, monkeypatch):
    for name, text in MINE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    seen = {sources.method_sha("mine.prune:find")}
    for name in MINE:
        before = len(seen)
        with (tmp_path / name).open("a") as file:
            file.write("# changed\n")
        seen.add(sources.method_sha("mine.prune:find"))
        assert (len(seen) > before) == (name != "mine/other.py"), name
    assert not any(name.partition(".")[0] in ("mine", "scale") for name in sys.modules)  # nothing of it ran


def test_an_installed_method_counts_with_its_package_alone(tmp_path, monkeypatch):
    folder = tmp_path / "site-packages"
    for name, text in MINE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    before = sources.method_sha("mine.prune:find")
    (folder / "scale.py").write_text("# changed")
    assert sources.method_sha("mine.prune:find") == before
    (folder / "mine/costs.py").write_text("# changed")
    assert sources.method_sha("mine.prune:find") != before


def made_with(rate):
    def method(task):
        return rate

    return method


class Sets:
    def __init__(self, value):
        self.value = value

    def call(self, task):
        return self.value


@pytest.mark.parametrize(
    "make",
    [
        made_with,
        lambda value: partial(pruners.some_edges, value),
        lambda value: partial(pruners.some_edges, share=value),
        lambda value: pruners.Record(share=value),
        lambda value: Sets(value).call,
        lambda value: partial(made_with(value)),
        lambda value: made_with([{"deep": (value,)}]),
        lambda value: made_with(torch.tensor([value])),
    ],
)
def test_a_method_counts_with_what_it_was_made_with(make):
    one, other = sources.method_sha(make(0.1)), sources.method_sha(make(0.2))
    assert None not in (one, other)
    assert one == sources.method_sha(make(0.1)) != other


def test_imports_of_our_own_files_are_not_followed_for_a_third_party_method(monkeypatch):
    parsed, parse = [], ast.parse
    monkeypatch.setattr(
        ast, "parse", lambda text, *rest, **also: parsed.append(text) or parse(text, *rest, **also)
    )
    assert sources.method_sha(pruners.some_edges) is not None
    assert Path(pruners.__file__).read_bytes() in parsed
    assert CORE_TASK.read_bytes() not in parsed


def test_a_partial_counts_by_the_file_of_its_function():
    assert sources.method_sha(partial(find_method("random"))) is None
    assert sources.method_sha(partial(pruners.some_edges)) is not None


def test_the_commit_is_that_of_the_checkout_and_says_where_it_was_changed(tmp_path, monkeypatch):
    package = tmp_path / "tracrcheck"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(sources, "package_folder", lambda _: package)
    assert sources.commit() is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert sources.commit() is None
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    clean = sources.commit()
    assert clean is not None
    assert len(clean) == 40
    (tmp_path / "other").write_text("")
    assert sources.commit() == clean
    (package / "__init__.py").write_text("changed")
    assert sources.commit() == f"{clean}-changed"


def test_without_git_there_is_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert sources.commit() is None


def test_the_machine_is_described_without_the_names_of_hosts_and_users():
    found = machine.machine()
    assert found["python"] == platform.python_version()
    assert found["cores"] >= 1
    text = str(found)
    assert platform.node() not in text
    assert str(Path.home()) not in text
    assert found["cpu"] in machine.in_words(found)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_where_nothing_is_known_of_the_processor_it_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "no")
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(machine, "PACKAGES", ("no-such-package",))
    assert (machine.machine()["cpu"], machine.machine()["no-such-package"]) == ("unknown", None)
    assert os.sysconf("SC_PAGE_SIZE") > 0


def test_imports_count_wherever_they_run_and_not_those_for_types_alone():
    source = """
import a
if TYPE_CHECKING:
    import types_alone
else:
    import b
try:
    from c import d
except ImportError:
    import e
def f():
    with g():
        from h import i
    match j:
        case 1:
            import k
class L:
    import m
"""
    found = [ast.unparse(node) for node in sources._imports(ast.parse(source))]
    assert found == [
        "import a", "import b", "from c import d", "import e", "from h import i", "import k", "import m",
    ]  # fmt: skip


def test_the_public_names_make_no_result_depend_on_everything():
    files = {path.name for path in sources.reached(("tracrcheck", "edgeprune_core"))}
    assert "__init__.py" in files
    assert not files & {"gate.py", "planting.py", "engine.py", "forward.py"}
