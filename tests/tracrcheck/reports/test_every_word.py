"""Every surface under every verdict and every order of seeds: none shows the first seed's word for that of all."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from tests import zoo
from tests.tracrcheck.reports.hostile import results, verdict
from tracrcheck.grading.verdict import exit_code
from tracrcheck.pytest_items import GateItem, NotRecovered
from tracrcheck.reports.context import Context
from tracrcheck.reports.document import plain
from tracrcheck.reports.gate import document
from tracrcheck.reports.kinds import comment_of, html_of, junit_of, page_of
from tracrcheck.reports.saved import CertificatesFile
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
        verdicts=lambda entry, setting: found(words).verdicts, told=lambda entry, failed: "why"
    )
    item = SimpleNamespace(plugin=plugin, entry=None, setting=None)
    if set(words) == {"HOLDS"}:
        GateItem.runtest(item)
    else:
        with pytest.raises(NotRecovered, match="why"):
            GateItem.runtest(item)


@pytest.mark.parametrize("sampled", [None, 9999])
def test_what_holds_on_a_sample_is_nowhere_called_proved(sampled):
    found = replace(certificate_of(zoo.compiled("hist"), Setting()), sampled=sampled)
    saved, said = CertificatesFile(certificates=(found.to_json(),)), "sampled 120 of 9999"
    for text in (page_of(saved, Context()), html_of(saved, Context()), found.says("sufficient")):
        assert (said in text) == (sampled is not None)
