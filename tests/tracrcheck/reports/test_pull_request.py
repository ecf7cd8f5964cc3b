"""The comment on a pull request: what is wrong stands first, it is short enough, and no text becomes markup."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tracrcheck.reports.hostile import NASTY, RUN, hostile, results, verdict
from tracrcheck.reports.certify import document
from tracrcheck.reports.context import Context
from tracrcheck.reports.kinds import comment_of
from tracrcheck.reports.mutants import document as of_faults
from tracrcheck.reports.render.html.page import page
from tracrcheck.reports.render.junit import junit
from tracrcheck.reports.saved import CertificatesFile, DiscoveryFile
from tracrcheck.runs.compare import CompareResults
from tracrcheck.runs.mutants import Found, MutantResults
from tracrcheck.trained.curve import Curve, Point

GITHUB = 65_536  # characters


def test_what_is_wrong_stands_first_and_in_full_below(made):
    lines = (made / "out.md").read_text().splitlines()
    assert lines[0].startswith("### ✗ tracrcheck gate: ")
    assert "of 27 verdicts do not hold" in lines[0]
    table = lines.index("|  | program | ablation | seed | why | missing | extra |")
    assert lines[table + 2].startswith("| ✗ FAILS | <code>hist</code> | zero | 0 | unfaithful |")
    blocks = [n for n, line in enumerate(lines) if line.startswith("<details><summary>FAILS ")]
    sums = lines.index("| ablation | exact | of | vacuous | median seconds | most |")
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


@pytest.mark.parametrize("n", [1, 7, 29, 30, 31, 200])
@pytest.mark.parametrize("times", [1, 400], ids=["short names", "names that fill the comment"])
def test_failures_in_the_table_of_a_comment_and_those_said_to_be_left_out_are_all_of_them(n, times):
    text = comment_of(results([verdict(program=f"<{k}|" * times) for k in range(n)]))
    there = sum(line.startswith("| ✗ FAILS |") for line in text.splitlines())
    more = re.findall(r"^and ([\d,]+) more\.$", text, re.MULTILINE)
    assert there + sum(int(number.replace(",", "")) for number in more) == n
    assert there < n or n <= 30


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


def test_the_head_of_a_page_counts_the_faults_that_were_written_blind_too():
    numbers = {("killed", False): 5, ("survived", False): 1, ("error", False): 2}
    numbers |= {("killed", True): 7, ("survived", True): 3, ("error", True): 4}
    found = tuple(
        Found(
            name=f"{status} {blind} {n}", why="w", status=status, seconds=1.0, blind=blind,
            killed_by=None if status == "survived" else "x: y",
        )
        for (status, blind), number in numbers.items()
        for n in range(number)
    )  # fmt: skip
    shown = of_faults(MutantResults(path=Path(), run=hostile().run, found=found))
    tiles = {tile.label: tile.value for tile in shown.tiles}
    del tiles["seconds"]
    assert tiles == {"of 8 killed": 5, "of 14 written blind, killed": 7, "survived": 4, "errors": 6}
    assert shown.outcome == "10 of 22 seeded faults are not caught"


def certificate(**change) -> dict:
    return {
        "program": "hist", "ablation": "zero", "criterion": "value", "lengths": None, "score_bos": False,
        "required": ["tok -> out"], "permitted": ["tok -> out"] * 2, "proved": ["sufficient", "minimal"], "unknown": {},
    } | change  # fmt: skip


def test_truths_that_are_not_proved_come_first_and_many_are_cut():
    unsure = certificate(
        program="deep", lengths=[1, 3], proved=["sufficient"], unknown={"minimal": "a narrow gap"}
    )
    file = CertificatesFile(certificates=(*[certificate()] * 500, unsure))
    lines = comment_of(file).splitlines()
    assert lines[0] == "### ✗ tracrcheck certify: 1 of 501 truths are not proved"
    assert "| ? UNKNOWN | <code>deep</code> | zero, value, lengths 1-3 | minimal |" in lines
    assert (
        sum(
            line.startswith("| <code>hist</code> | zero, value | 1 | 2 | proved | proved |") for line in lines
        )
        == 150
    )
    assert "and 351 more." in lines
    assert comment_of(CertificatesFile(certificates=(certificate(),))).startswith(
        "### ✓ tracrcheck certify: 1 of 1 truths are proved\n"
    )


def test_a_sample_is_its_own_word_in_a_comment_a_page_and_junit():
    sample = certificate(program="long", n_inputs=48, sampled="unknown")
    file = CertificatesFile(certificates=(certificate(), sample))
    assert comment_of(file).startswith(
        "### ✓ tracrcheck certify: 1 of 2 truths are proved, 1 on a sample only\n"
    )
    assert "| <code>long</code> | zero, value | sampled 48 of unknown |" in comment_of(file)
    shown = document(file, Context())
    assert (shown.word, {tile.label: tile.value for tile in shown.tiles}["sufficient and minimal"]) == (
        "sampled",
        1,
    )
    assert "sampled 48 of unknown" in page(shown)
    assert "<system-out>sampled 48 of unknown</system-out>" in junit(shown)
    whole = document(CertificatesFile(certificates=(certificate(),)), Context())
    assert whole.word == "proved"
    assert "sampled" not in page(whole)
    assert "system-out" not in junit(whole)


def discovery(**change) -> DiscoveryFile:
    interval = {"mean": 0.5, "low": 0.4, "high": None}
    cell = {
        "ablation": "zero", "direction": "knocked_out", "metric": "tau", "circuit": interval, "random": interval,
        "model": 1.0, "no_edges": None, "faithful": False,
    }  # fmt: skip
    document = {
        "asked": {"task": NASTY, "model": "english", "method": "eap", "ablation": "zero"}, "seconds": 1.0, "fault": None,
        "circuit": {}, "n_edges": 1200, "n_graph_edges": 32_936,
        "faithfulness": {
            "sentence": "It <survives> no cell.", "cells": [cell], "confidence": 0.95, "n_edges": 1200, "n_prompts": 6, "draws": 3,
        },
    }  # fmt: skip
    return DiscoveryFile(document=document | change)


def test_a_circuit_of_a_trained_model_is_reported_with_every_cell():
    text = comment_of(discovery())
    assert text.startswith("### ✓ tracrcheck discover: 1,200 of 32,936 edges\n")
    assert "It &#60;survives&#62; no cell." in text
    row = "| zero | knocked out | Kendall's tau | 0.500 | 0.400 to undefined | 0.500 | 0.400 to undefined | 1.000 | undefined | no |"
    assert row in text.splitlines()
    assert "<script" not in text
    none = comment_of(discovery(circuit=None, fault="timeout", faithfulness=None))
    assert none.startswith("### ✗ tracrcheck discover: no circuit, timeout\n")


def test_a_comparison_of_methods_is_reported_with_its_table_and_what_failed():
    point = Point(setting="", n_edges=10, train_kl=0.0, held_out_kl=0.0)
    curves = tuple(
        Curve(method=m, seed=0, candidates=20, seconds=1, peak_mib=1, points=(point,), fault=fault)
        for m, fault in (("edge_pruning", None), ("acdc", NASTY))
    )
    asked = {
        "task": "ioi",
        "model": "english",
        "ablation": "resample",
        "seeds": [0],
        "methods": [],
        "prompts": 10,
    }
    text = comment_of(CompareResults(path=Path(), run={**RUN, "asked": asked}, curves=curves))
    lines = text.splitlines()
    assert lines[0] == "### ✗ tracrcheck compare: 1 of 2 curves failed"
    assert "| edge_pruning | 10 | 10 | 10 | 10 | 10 | 20 | 1.0 | 1 |" in lines
    assert "<script" not in text.split("```")[0]
    assert any(line.startswith("* acdc has the fewest edges at 0.01, ") for line in lines)
    assert "half" not in text, "a report holds no method to a bar"
