"""The table of seeded faults: each edit is possible, named once, explained; and no check knows of any."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from edgeprune_core.errors import CheckError
from tracrcheck.mutants import FOLDER, MUTANTS, TOPICS, Mutant
from tracrcheck.mutants.faults import read_tables
from tracrcheck.runs.mutants import PROFILE, chosen

ROOT = Path(__file__).parents[3]
# Code that no hunt runs: what shows faults, what checks results files, and the bars of those files.
KNOWING = {
    "tests/tracrcheck/runs/test_mutants.py",
    "tracrcheck/runs/false_alarms.py",
    "tracrcheck/runs/mutants.py",
    "tracrcheck/reports/mutants.py",
    "tests/quality/bars.py",
    "tests/quality/test_bars.py",
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_an_edit_matches_once_and_leaves_another_program(mutant):
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1
    edited = text.replace(mutant.old, mutant.new)
    if mutant.file.endswith(".py"):
        assert ast.dump(ast.parse(edited)) != ast.dump(ast.parse(text))
    assert edited != text
    assert mutant.why
    assert mutant.source
    assert all((ROOT / test.split("::")[0]).exists() for test in mutant.tests)


def test_every_file_of_the_folder_is_a_topic():
    assert {path.stem for path in FOLDER.glob("*.toml")} == set(TOPICS)


WHOLE = """
[made_up]
file = "edgeprune_core/mask.py"
old = "a"
new = '''
b
'''
why = "made up"
"""


def written(folder: Path, *texts: str) -> list[Path]:
    paths = [folder / f"{n}.toml" for n in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return paths


def test_a_fault_is_read_as_it_stands(tmp_path):
    wanted = Mutant(name="made_up", file="edgeprune_core/mask.py", old="a", new="b\n", why="made up")
    assert read_tables(written(tmp_path, WHOLE)) == {"made_up": wanted}
    assert (wanted.source, wanted.blind) == ("ours", False)


def test_each_fault_of_the_page_is_one(tmp_path):
    page = (ROOT / "docs" / "extend" / "fault.md").read_text(encoding="utf-8")
    blocks = [part.split("```")[0] for part in page.split("```toml\n")[1:]]
    for mutant in read_tables(written(tmp_path, *blocks)).values():
        test_an_edit_matches_once_and_leaves_another_program(mutant)


@pytest.mark.parametrize(
    ("texts", "got"),
    [
        ([WHOLE.replace("why", "what")], "made_up.why: not there; made_up.what: no such field"),
        ([WHOLE.replace('"a"', "1")], "made_up.old: 1, wanted text"),
        ([WHOLE + "blind = 1"], "made_up.blind: 1, wanted true or false"),
        (["made_up = 1"], "made_up: 1, wanted an object"),
        ([WHOLE, WHOLE], "made_up: another fault has this name"),
        ([WHOLE + WHOLE], "Cannot declare ('made_up',) twice"),
        (["[made_up"], "Expected ']' at the end of a table declaration"),
    ],
)
def test_a_faulty_table_is_refused_with_its_file_its_fault_and_its_field(texts, got, tmp_path):
    paths = written(tmp_path, *texts)
    with pytest.raises(CheckError) as caught:
        read_tables(paths)
    what, said, wanted, do = str(caught.value).splitlines()
    assert what == f"TC158 {paths[-1]} not a table of seeded faults"
    assert said.removeprefix("    got     ").startswith(got)
    assert wanted.startswith("    wanted  [NAME] for each fault, with file, old, new and why")
    assert do == "    do      see docs/extend/fault.md"


def test_there_are_seventy_of_the_core_and_five_rounds_written_blind():
    seen = [m for m in MUTANTS.values() if not m.blind and m.file.startswith("edgeprune_core/")]
    assert len(seen) >= 70
    names = ("blind", "blind_second", "blind_third", "blind_fourth", "blind_fifth")
    first, *later = (list(read_tables([FOLDER / f"{name}.toml"]).values()) for name in names)
    assert {m.name for of in (first, *later) for m in of} == {m.name for m in MUTANTS.values() if m.blind}
    assert [m.file.partition("/")[0] for m in first] == ["edgeprune_core"] * 10
    counts = [Counter(m.file.partition("/")[0] for m in of) for of in later]
    assert counts == [
        {"edgeprune_core": 13, "tracrcheck": 19},
        {"edgeprune_core": 10, "tracrcheck": 6},
        {"tracrcheck": 18},
        {"edgeprune_core": 2, "tracrcheck": 14},
    ]
    assert {m.source for m in later[-1]} == {"blind: survived at first"}  # only those are kept
    for of in later[:-1]:
        assert {m.source for m in of} == {"blind: killed at first", "blind: survived at first"}
    assert all(m.tests for of in later for m in of)


def test_the_profile_covers_twelve_programs_under_three_ablations():
    assert PROFILE.programs is not None
    assert len(set(PROFILE.programs)) == 12
    assert PROFILE.ablations == ("zero", "mean", "resample")
    assert PROFILE.seeds == 1


def _imports_mutants(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        if any(name.startswith("tracrcheck.mutants") for name in names):
            return True
    return False


def test_no_check_knows_of_a_fault():
    ours = sorted((*ROOT.glob("edgeprune_core/**/*.py"), *ROOT.glob("tracrcheck/**/*.py")))
    tests = [p for p in ROOT.glob("tests/**/*.py") if Path(__file__).parent not in p.parents]
    knowing = {str(p.relative_to(ROOT)) for p in (*ours, *tests) if _imports_mutants(p)}
    assert {p for p in knowing if not p.startswith("tracrcheck/mutants/")} == KNOWING
    assert "tracrcheck/runs/mutants.py" in knowing


def test_those_chosen_come_in_the_order_of_the_table():
    assert [m.name for m in chosen(["clamp_missing", "future_edges_counted"])] == [
        "future_edges_counted",
        "clamp_missing",
    ]
    assert chosen([]) == tuple(mutant for mutant in MUTANTS.values() if not mutant.tests)
    assert chosen([], by="suite") == tuple(MUTANTS.values())


def test_a_fault_that_only_tests_can_see_is_refused_by_the_gauntlet():
    with pytest.raises(CheckError) as caught:
        chosen(["clamp_missing", "unknown_passes_the_gate"])
    assert str(caught.value) == (
        "TC156 the seeded fault 'unknown_passes_the_gate' is one that only tests can see\n"
        "    got     tests/tracrcheck/grading/test_grade.py\n"
        "    wanted  a fault that invariants or the gate can see\n"
        "    do      in a checkout: python -m ci.faults.suite run --only unknown_passes_the_gate"
    )


def test_an_unknown_fault_is_refused_with_the_nearest_name():
    with pytest.raises(CheckError) as caught:
        chosen(["clamp_mising"])
    assert str(caught.value) == (
        "TC156 no seeded fault 'clamp_mising'\n    got     clamp_mising\n"
        "    wanted  one of the table: tracrcheck mutants --list\n    do      did you mean 'clamp_missing'?"
    )
