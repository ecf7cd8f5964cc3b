"""Every report, for every verdict and every order of seeds: none shows the first seed's word as that of all seeds."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from tests import zoo
from tests.tracrcheck.reports.hostile import RUN, results, verdict
from tracrcheck.grading.verdict import exit_code
from tracrcheck.pytest_items import GateItem, NotRecovered
from tracrcheck.reports.certify import sampled_words
from tracrcheck.reports.context import Context, replay_of
from tracrcheck.reports.document import Edges, Table, plain
from tracrcheck.reports.gate import document
from tracrcheck.reports.kinds import comment_of, document_of, html_of, junit_of, page_of
from tracrcheck.reports.saved import CertificatesFile
from tracrcheck.reports.text import separated, share, truth_words
from tracrcheck.truth.cache import certificate_of
from tracrcheck.truth.setting import Setting

WORDS = ("HOLDS", "FAILS", "UNKNOWN")
REASON = {"HOLDS": None, "FAILS": "unfaithful", "UNKNOWN": "too near to call"}
EVERY = sorted(itertools.product(WORDS, repeat=3))


def found(words):
    return results([verdict(verdict=w, reason=REASON[w], seed=n) for n, w in enumerate(words)])


def worst(words):
    return min(words, key=("FAILS", "UNKNOWN", "HOLDS").index)


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_a_document_says_the_worst_word_and_counts_all(words):
    made, bad = document(found(words), Context()), sum(word != "HOLDS" for word in words)
    assert (made.word, made.good) == (worst(words), bad == 0)
    assert made.outcome == (f"{bad} of 3 verdicts do not hold" if bad else "3 of 3 verdicts hold")
    table = next(s for s in made.sections if s.title == "Verdicts").blocks[0]
    names = [column.name for column in table.columns]
    row = dict(zip(names, map(plain, table.rows[0]), strict=True))
    assert (row["verdict"], row["holds"]) == (worst(words), f"{3 - bad} of 3")
    assert exit_code(found(words).verdicts) == int(bad > 0)


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_page_says_so_too(words):
    of, context = found(words), Context()
    bad, failed = sum(word != "HOLDS" for word in words), words.count("FAILS")
    root = ET.fromstring(junit_of(of, context))
    assert (root.get("failures"), root.get("errors")) == (str(failed), str(bad - failed))
    assert len(list(root.iter("failure"))) == failed
    assert len(list(root.iter("error"))) == bad - failed
    assert comment_of(of, context).startswith("### ✗" if bad else "### ✓")
    said = f"{bad} of 3 verdicts do not hold" if bad else "3 of 3 verdicts hold"
    assert all(said in text for text in (comment_of(of, context), page_of(of, context), html_of(of, context)))


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_a_test_of_pytest_passes_where_every_seed_holds(words):
    plugin = SimpleNamespace(
        verdicts=lambda entry, setting: found(words).verdicts, failure_text=lambda entry, failed: "why"
    )
    item = SimpleNamespace(plugin=plugin, entry=None, setting=None)
    if set(words) == {"HOLDS"}:
        GateItem.runtest(item)
    else:
        with pytest.raises(NotRecovered, match="why"):
            GateItem.runtest(item)


@pytest.mark.parametrize("sampled", [None, 9999])
@pytest.mark.parametrize(("ablation", "items"), [("zero", 120), ("resample", 7380)])
def test_what_holds_on_a_sample_is_nowhere_called_proved(sampled, ablation, items):
    found = replace(certificate_of(zoo.compiled("hist"), Setting(ablation=ablation)), sampled=sampled)
    saved, said = CertificatesFile(certificates=(found.to_json(),)), f"sampled {items:,} of 9,999"
    for text in (page_of(saved, Context()), html_of(saved, Context()), sampled_words(found)):
        assert (said in text) == (sampled is not None)
    tables = [
        block
        for section in document_of(saved).sections
        for block in section.blocks
        if isinstance(block, Table)
    ]
    (table,) = (table for table in tables if "sufficient" in [c.name for c in table.columns])
    named = dict(zip([c.name for c in table.columns], map(plain, table.rows[0]), strict=True))
    assert named["sufficient"] == ("proved" if sampled is None else said)


def test_numbers_of_a_sample_have_separators_except_in_json():
    found = verdict(reason=None, sampled="20000 of 146813779479510")
    assert found.to_json()["sampled"] == "20000 of 146813779479510"
    assert truth_words(found) == "sampled 20,000 of 146,813,779,479,510"
    assert separated("sampled 4096 of 2^1024 circuits, 999 of unknown") == (
        "sampled 4,096 of 2^1024 circuits, 999 of unknown"
    )


@pytest.mark.parametrize(("sampled", "there"), [(None, "the whole list"), ("20 of 9999", "the sample")])
def test_a_circuit_that_is_too_large_is_faithful_on_what_was_run(sampled, there):
    found = verdict(reason="not_smallest", witness=None, sampled=sampled)
    assert f"none: faithful on {there}; the extra" in html_of(results([found]), Context())


def test_an_unfinished_run_says_so_wherever_it_is_shown():
    of, context = results([verdict()], RUN | {"finished": False}), Context()
    assert "(NOT FINISHED)" in comment_of(of, context).splitlines()[0]
    assert ", NOT FINISHED" in page_of(of, context)
    whole = results([verdict()])
    assert not any("NOT FINISHED" in made(whole, context) for made in (comment_of, page_of))


def test_failures_of_different_kinds_are_each_reported_and_equal_ones_once():
    seeds = [verdict(seed=n, missing=("a",) if n < 2 else ("b",), found_sha=str(n // 2)) for n in range(3)]
    made = document(results(seeds), Context())
    findings = next(s for s in made.sections if "not right" in s.title).blocks[0].of
    assert [[plain(cell) for cell in f.cells][2] for f in findings] == ["0, 1", "2"]


def test_vacuous_verdicts_are_counted_apart_by_ablation():
    rows = [verdict(verdict="HOLDS", reason=None, seed=n, vacuous=n > 0) for n in range(3)]
    table = next(s for s in document(results(rows), Context()).sections if s.title == "By ablation").blocks[0]
    named = dict(zip([c.name for c in table.columns], map(plain, table.rows[0]), strict=True))
    assert (named["exact"], named["of"], named["vacuous"]) == ("1", "1", "2")


def test_a_share_is_rounded_down_and_a_list_says_what_it_leaves_out():
    assert [share(x) for x in (1.0, 0.99999, 0.9994, None)] == ["1.000", "0.999", "0.999", "-"]
    assert plain(Edges(tuple(map(str, range(20))))).endswith("11, and 8 more")
    assert plain(Edges(("a", "b"))) == "a, b"


@pytest.mark.parametrize(("lengths", "score_bos"), [(None, False), ([2, 3], False), ([2, 3], True)])
def test_the_replay_of_a_saved_run_repeats_its_setting_and_its_seed(lengths, score_bos):
    run = RUN | {"asked": RUN["asked"] | {"lengths": lengths, "score_bos": score_bos}}
    words = replay_of(run)(verdict(seed=7))
    assert ("--lengths 2-3" in words) == (lengths is not None)
    assert ("--score-bos" in words) == score_bos
    assert " --seed 7" in words


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"judge": "ranking"}, "--judge ranking"),
        ({"select": "top_n:4"}, "--select top_n:4"),
        ({"timeout": 7.5}, "--timeout 7.5"),
        ({"memory": 512}, "--memory 512"),
        ({"in_process": True}, "--in-process"),
    ],
    ids=str,
)
def test_the_replay_of_a_saved_run_repeats_how_it_was_judged(asked, words):
    run = RUN | {"asked": RUN["asked"] | asked}
    assert replay_of(run)(verdict()).endswith(f" {words}")
    assert words not in replay_of(RUN)(verdict())
