"""Program files: where they are looked for, and what is said of one that cannot be used."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from edgeprune_core.errors import CheckError
from tracrcheck.rasp.library import Library, load_file, shipped_folder
from tracrcheck.records.sources import programs_sha


def error_of(do) -> str:
    with pytest.raises(CheckError) as caught:
        do()
    return str(caught.value)


def test_the_shipped_programs_are_found_by_name(here):
    entry = Library.here().load("reverse")
    assert entry.program.name == "reverse"
    assert entry.path == shipped_folder() / "reverse.py"


def test_a_program_named_after_its_file_is_loaded_without_importing_another(write):
    write("flip")
    write("bomb", text="raise RuntimeError('imported')")
    library = Library(shipped_folder(), (write("flip").parent,))
    assert library.load("flip").program.name == "flip"


def test_a_program_whose_file_has_another_name_is_found_even_next_to_a_broken_file(write):
    path = write("flip")
    path.rename(path.with_name("other.py"))
    write("bomb", text="raise RuntimeError('imported')")
    assert Library(shipped_folder(), (path.parent,)).load("flip").path.name == "other.py"


def test_loading_leaves_sys_path_alone_and_rereads_the_file(write):
    before = list(sys.path)
    path = write("flip", vocab="{0, 1}")
    assert load_file(path).program.vocab == {0, 1}
    write("flip", vocab="{0, 2}")  # same size, same second: byte code would be stale
    assert load_file(path).program.vocab == {0, 2}
    assert sys.path == before


def test_an_unknown_name_says_which_was_meant(here):
    assert error_of(lambda: Library.here().load("revers")) == (
        "TC101 no program 'revers'\n"
        "    got     revers\n"
        "    wanted  a program's name or file\n"
        "    do      did you mean 'reverse' or 'frac_prevs'?"
    )


def test_an_unknown_path_says_which_was_meant(write):
    path = write("flip")
    wrong = path.with_name("flop.py")
    assert error_of(lambda: Library.here().load(str(wrong))) == (
        f"TC101 no program file '{wrong}'\n"
        f"    got     {wrong}\n"
        "    wanted  a Python file\n"
        "    do      did you mean 'flip.py'?"
    )


@pytest.mark.parametrize("name", ["here", "./here", "here.py"])
def test_a_folder_is_no_program_file(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    assert error_of(lambda: Library.here().load(name)).startswith(
        f"TC101 '{Path(name)}' is a folder, not a program file\n"
    )


@pytest.mark.parametrize("name", ["x" * 300 + ".py", "x" * 300, "a\0b.py", "a\0b"])
def test_what_cannot_be_a_path_is_no_program(name):
    assert error_of(lambda: Library.here().load(name)).startswith("TC101 no program")


def test_a_file_may_have_a_name_that_is_no_text(write):
    path = write("flip")
    odd = path.rename(path.with_name(os.fsdecode(b"\xff.py")))
    assert load_file(odd).program.name == "flip"
    assert programs_sha([odd]) != programs_sha([load_file(shipped_folder() / "sort.py").path])


def test_a_file_that_raises_names_its_line(write):
    path = write("bad", text="x = 1\ny = x / 0\n")
    assert error_of(lambda: load_file(path)) == (
        f"TC102 {path}:2 the program file cannot be imported\n"
        "    got     ZeroDivisionError: division by zero\n"
        "    wanted  a file that Python imports\n"
        "    do      fix that line"
    )


def test_a_file_with_a_syntax_error_names_its_line(write):
    path = write("bad", text="x = 1\nif x\n")
    assert error_of(lambda: load_file(path)).startswith(f"TC102 {path}:2 the program file cannot be imported")


def test_a_file_that_exits_does_not_take_us_along(write):
    path = write("bad", text="import sys\nsys.exit(0)\n")
    assert "TC102" in error_of(lambda: load_file(path))
    assert "SystemExit: 0" in error_of(lambda: load_file(path))


@pytest.mark.parametrize(
    ("text", "got"), [("x = 1\n", "no `program`"), ("program = 7\n", "`program` is a int")]
)
def test_a_file_without_a_program_says_what_to_write(write, text, got):
    path = write("bad", text=text)
    assert error_of(lambda: load_file(path)) == (
        f"TC103 {path} the file defines no program\n"
        f"    got     {got}\n"
        "    wanted  program = Program(name=..., build=..., vocab=..., max_seq_len=...)\n"
        "    do      add it, or start from a file that `tracrcheck new NAME` writes"
    )


def test_two_programs_of_one_name_are_refused_and_both_files_named(write):
    one, two = write("flip", folder="one"), write("flip", folder="two", max_seq_len=3)
    library = Library(shipped_folder(), (one.parent, two.parent))
    expected = (
        "TC109 two programs are named 'flip'\n"
        f"    got     {one} and {two}\n"
        "    wanted  one\n"
        "    do      rename one, or give the path of the one you mean"
    )
    assert error_of(lambda: library.load("flip")) == expected
    assert error_of(lambda: library.chosen([])) == expected
    assert library.load(str(two)).program.max_seq_len == 3


def test_a_copy_of_a_file_is_the_same_file(write):
    one, two = write("flip", folder="one"), write("flip", folder="two")
    assert Library(shipped_folder(), (one.parent, two.parent)).load("flip").path == one


def test_a_program_asked_for_twice_is_taken_once(here):
    assert [e.program.name for e in Library.here().chosen(["hist", "reverse", "hist"])] == ["hist", "reverse"]


def test_own_programs_are_chosen_before_the_shipped_ones(write):
    folder = write("flip").parent
    assert [e.program.name for e in Library(shipped_folder(), (folder,)).chosen([])] == ["flip"]
    assert len(Library(shipped_folder()).chosen([])) >= 48


def test_an_empty_folder_is_no_silent_success(here):
    (here / "none").mkdir()
    assert error_of(lambda: Library.here([here / "none"]).chosen([])).startswith("TC101 ")


def test_pyproject_names_folders_of_programs(write, here):
    write("flip")
    (here / "pyproject.toml").write_text('[tool.tracrcheck]\nprograms = ["mine"]\n')
    assert Library.here().load("flip").program.name == "flip"


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("[tool.tracrcheck\n", "TC118 pyproject.toml cannot read it"),
        (
            "[tool.tracrcheck]\nprograms = 3\n",
            "TC118 pyproject.toml `programs` of [tool.tracrcheck] is not a list of folders",
        ),
        (
            '[tool.tracrcheck]\nprograms = ["gone"]\n',
            "TC118 [tool.tracrcheck] programs of pyproject.toml no folder 'gone'",
        ),
    ],
)
def test_a_pyproject_that_cannot_be_used_is_reported(here, text, start):
    (here / "pyproject.toml").write_text(text)
    assert error_of(Library.here).startswith(start)


def test_a_folder_that_is_not_there_is_reported(here):
    assert error_of(lambda: Library.here([here / "gone"])).startswith("TC118 --programs-dir no folder")
