"""The comment on a pull request: what is wrong stands first, it is short enough, and no text becomes markup."""

from __future__ import annotations

import re
from pathlib import Path

from tests.reports.hostile import hostile, results, verdict
from tracrcheck.mutant_results import Found, MutantResults
from tracrcheck.reports.page import comment_of

GITHUB = 65_536  # characters


def test_what_is_wrong_stands_first_and_in_full_below(made):
    lines = (made / "out.md").read_text().splitlines()
    assert lines[0].startswith("### ✗ tracrcheck gate: ")
    assert "of 27 verdicts do not hold" in lines[0]
    table = lines.index("| verdict | program | ablation | seed | why | missing | surplus |")
    assert lines[table + 2].startswith("| ✗ FAILS | <code>hist</code> | zero | 0 | unfaithful |")
    blocks = [n for n, line in enumerate(lines) if line.startswith("<details><summary>FAILS ")]
    sums = lines.index("| ablation | exact | of | vacuous | median seconds |")
    assert table < blocks[0] < blocks[-1] < sums
    assert any(line.startswith("    replay  tracrcheck gate hist") for line in lines)


def test_where_all_holds_it_says_so_in_a_few_lines():
    text = comment_of(
        results([verdict(verdict="HOLDS", reason=None, program=name) for name in ("hist", "sort")])
    )
    assert text.startswith("### ✓ tracrcheck gate: 2 of 2 verdicts hold\n")
    assert "<details>" not in text


def test_failures_come_before_what_is_unknown():
    unknown = [verdict(program=f"u{n}", verdict="UNKNOWN", reason="narrow") for n in range(3)]
    rows = [
        line
        for line in comment_of(results([*unknown, verdict(program="last")])).splitlines()
        if line.startswith(("| ✗", "| ?"))
    ]
    assert ["last" in row for row in rows] == [True, False, False, False]


def test_ten_thousand_long_failures_are_still_a_comment_that_github_takes():
    edges = tuple(f"a{n}.h0 -> out" for n in range(2000))
    many = [verdict(program=f"<{n}|" * 400, seed=n, missing=edges, detail="é`" * 5000) for n in range(10_000)]
    text = comment_of(results(many))
    assert len(text) < GITHUB
    assert "10,000 of 10,000 verdicts do not hold" in text
    assert re.search(r"\n\nand 9,99\d more\.\n", text), "rows have half of the room"
    assert text.count("<details>") == text.count("</details>") >= 1
    assert text.splitlines()[-1].startswith("<sub>")


def test_hostile_text_is_no_markup_and_breaks_no_table():
    text = comment_of(hostile())
    assert len(text) < GITHUB
    text.encode("utf-8")
    outside = "".join(part for n, part in enumerate(text.split("```")) if n % 2 == 0)
    for markup in ("<script", "<img", "](javascript", "@someone", "</title"):
        assert markup not in outside
    (row,) = [line for line in text.splitlines() if line.startswith("| ✗ FAILS")]
    assert row.count("|") == 8


def test_a_fence_is_longer_than_what_it_holds():
    text = comment_of(results([verdict(detail="````\n</details><script>")]))
    assert "`````text\n" in text


def test_seeded_faults_that_survive_stand_first():
    rows = [
        {"name": "good", "why": "w", "status": "killed", "killed_by": "x: y", "seconds": 1.0, "blind": False},
        {
            "name": "bad",
            "why": "worse | worst",
            "status": "survived",
            "killed_by": None,
            "seconds": 1.0,
            "blind": False,
        },
    ]
    text = comment_of(
        MutantResults(path=Path(), run=hostile().run, found=tuple(Found(**row) for row in rows))
    )
    assert text.startswith("### ✗ tracrcheck mutants: 1 of 2 seeded faults are not caught\n")
    assert "| ✗ survived | <code>bad</code> | worse &#124; worst |" in text
    assert "good" not in text
