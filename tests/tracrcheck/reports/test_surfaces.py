"""Every surface shows the right word for every mixture of verdicts, whatever the order of the seeds."""

from __future__ import annotations

import re
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from tests import zoo
from tests.tracrcheck.reports.hostile import RUN, results, verdict
from tests.tracrcheck.reports.test_pull_request import certificate
from tracrcheck.grading.verdict import exit_code
from tracrcheck.pytest_items import GateItem, GatePlugin, NotRecovered
from tracrcheck.reports import kinds
from tracrcheck.reports.document import plain
from tracrcheck.reports.render import terminal
from tracrcheck.reports.saved import CertificatesFile
from tracrcheck.runs.gate_units import Plan
from tracrcheck.testing import Case

# Words of the seeds of one program and setting, in every order -> the word of all of them together.
TOGETHER = {
    seeds: whole
    for words, whole in {
        ("HOLDS",): "HOLDS",
        ("UNKNOWN",): "UNKNOWN",
        ("FAILS",): "FAILS",
        ("HOLDS", "HOLDS"): "HOLDS",
        ("HOLDS", "UNKNOWN"): "UNKNOWN",
        ("HOLDS", "FAILS"): "FAILS",
        ("UNKNOWN", "FAILS"): "FAILS",
        ("HOLDS", "UNKNOWN", "FAILS"): "FAILS",
        ("HOLDS", "HOLDS", "UNKNOWN"): "UNKNOWN",
    }.items()
    for seeds in permutations(words)
}
REASON = {"HOLDS": None, "UNKNOWN": "a narrow gap", "FAILS": "unfaithful"}
JUNIT = {"HOLDS": [], "UNKNOWN": ["error"], "FAILS": ["failure"]}


def judged(words):
    return [verdict(seed=n, verdict=word, reason=REASON[word]) for n, word in enumerate(words)]


def run_of(words):
    asked = {**RUN["asked"], "method": "random", "seeds": list(range(len(words)))}
    return results(judged(words), {**RUN, "command": "tracrcheck gate", "commit": "c0ffee", "asked": asked})


@pytest.fixture(params=TOGETHER.items(), ids=lambda case: "-".join(case[0]))
def case(request):
    return request.param


def test_json_counts_every_word(case):
    words, _ = case
    document = run_of(words).document
    assert [row["verdict"] for row in document["verdicts"]] == list(words)
    counted = {word: document["summary"][name] for name, word in (("holds", "HOLDS"), ("fails", "FAILS"), ("unknown", "UNKNOWN"))}  # fmt: skip
    assert counted == {word: words.count(word) for word in REASON}
    assert exit_code(run_of(words).verdicts) == int(set(words) != {"HOLDS"})
    assert exit_code(run_of(words).verdicts, allow_unknown=True) == int("FAILS" in words)


def test_the_terminal_shows_the_word_of_all_seeds_and_of_each_that_is_wrong(case, capsys):
    words, whole = case
    terminal.show_document(kinds.document_of(run_of(words)))
    out = capsys.readouterr().out
    (row,) = [line for line in out.splitlines() if line.startswith("hist ")]
    assert re.findall("HOLDS|UNKNOWN|FAILS", row) == [whole]
    assert f"{words.count('HOLDS')} of {len(words)}" in row
    said = re.findall(r"^(HOLDS|UNKNOWN|FAILS) hist, ", out, flags=re.MULTILINE)
    assert sorted(said) == sorted(set(words) - {"HOLDS"})
    counts = [words.count(word) for word in ("HOLDS", "FAILS", "UNKNOWN")]
    assert "{} hold, {} fail, {} unknown".format(*counts) in out.splitlines()[-1]


def test_markdown_shows_the_word_of_all_seeds_in_its_table_and_its_heading(case):
    words, whole = case
    page, comment = kinds.page_of(run_of(words)), kinds.comment_of(run_of(words))
    (row,) = [line for line in page.splitlines() if line.startswith("| hist ")]
    assert re.findall("HOLDS|UNKNOWN|FAILS", row) == [whole]
    assert comment.startswith(f"### {'✓' if whole == 'HOLDS' else '✗'} tracrcheck gate: ")
    marks = re.findall(r"^\| (✗ FAILS|\? UNKNOWN) \|", comment, flags=re.MULTILINE)
    assert [mark.split()[1] for mark in marks] == [w for w in ("FAILS", "UNKNOWN") if w in words]
    wrong = len(words) - words.count("HOLDS")
    assert (f"{wrong} of {len(words)} verdicts do not hold" in comment) == (wrong > 0)


def test_html_shows_the_word_of_all_seeds_in_its_table_and_its_heading(case):
    words, whole = case
    page = kinds.html_of(run_of(words))
    kind = {"HOLDS": "good", "UNKNOWN": "unsure", "FAILS": "bad"}[whole]
    badge = f'<b class="badge {kind}">{whole}</b>'
    assert f'<p class="lead">{badge}' in page
    table = page[page.index("<caption>Verdicts by program") :]
    assert re.findall('<b class="badge .*?</b>', table[: table.index("</table>")]) == [badge]
    findings = re.findall(r'<details class="finding".*?</b>', page)
    assert [re.search("FAILS|UNKNOWN|HOLDS", found)[0] for found in findings] == [
        word for word in ("FAILS", "UNKNOWN") if word in words
    ]
    if len(words) > 1:
        every = page[page.index("<caption>Every verdict") :]
        shown = re.findall(r'<b class="badge \w+">(\w+)</b>', every[: every.index("</table>")])
        assert shown == list(words)


def test_junit_has_a_case_for_each_seed_with_its_own_word(case):
    words, _ = case
    root = ElementTree.fromstring(kinds.junit_of(run_of(words)))
    assert [[child.tag for child in one] for one in root.iter("testcase")] == [JUNIT[word] for word in words]
    assert [one.get("name") for one in root.iter("testcase")] == [
        f"zero, value, seed {n}" for n in range(len(words))
    ]
    for node in (root, *root.iter("testsuite")):
        assert (node.get("tests"), node.get("failures"), node.get("errors")) == tuple(
            map(str, (len(words), words.count("FAILS"), words.count("UNKNOWN")))
        )


def test_the_plugin_passes_only_where_every_seed_holds(case, monkeypatch):
    words, whole = case
    entry = SimpleNamespace(path=Path("hist.py"), named_as="hist")
    plan = Plan(settings=(), method="random", method_name="random")
    plugin = GatePlugin(plan=plan, profile="quick", names=(), json=None, replay_options=())
    plugin.compiled[entry.path] = zoo.compiled("hist")
    monkeypatch.setattr(plugin, "verdicts", lambda *_: judged(words))
    item = SimpleNamespace(plugin=plugin, entry=entry, setting=None)
    if whole == "HOLDS":
        GateItem.runtest(item)
        return
    with pytest.raises(NotRecovered) as caught:
        GateItem.runtest(item)
    said = re.findall(r"^(\w+) hist, zero, value, random, seed (\d)", str(caught.value), flags=re.MULTILINE)
    assert said == [(word, str(n)) for n, word in enumerate(words) if word != "HOLDS"]


@pytest.mark.parametrize("word", REASON)
def test_a_case_of_a_test_is_exact_only_where_it_holds(word, monkeypatch):
    (one,) = judged([word])
    monkeypatch.setattr(Case, "verdict", lambda self, circuit: one)
    monkeypatch.setattr(Case, "_failure_text", lambda self, verdict: verdict.verdict)
    if word == "HOLDS":
        Case("hist").assert_exact([])
        return
    with pytest.raises(AssertionError, match=f"^{word}$"):
        Case("hist").assert_exact([])


# Certificates ------------------------------------------------------------------------------------------

PROVED = ["sufficient", "minimal", "smallest", "unique"]
TRUTHS = {
    "proved": (certificate(proved=PROVED), ["proved"] * 4, "proved"),
    "not unique": (certificate(proved=PROVED[:3], other=["m0 -> out"]), ["proved"] * 3 + ["no"], "proved"),
    "sampled": (
        certificate(proved=PROVED, sampled=1000, n_inputs=20),
        ["sampled 20 of 1,000", "proved", "proved", "proved"],
        "sampled",
    ),
    "smallest is unknown": (
        certificate(proved=PROVED[:2], unknown={"smallest": "too many edges"}),
        ["proved", "proved", "UNKNOWN", "UNKNOWN"],
        "proved",
    ),
    "minimal is unknown": (
        certificate(proved=PROVED[:1], unknown={"minimal": "a narrow gap"}),
        ["proved", "UNKNOWN", "UNKNOWN", "UNKNOWN"],
        "not proved",
    ),
    "nothing is known": (
        certificate(proved=[], unknown={"sufficient": "no time"}),
        ["UNKNOWN"] * 4,
        "not proved",
    ),
}


@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("others", [0, 1])
def test_a_certificate_says_what_is_proved_on_every_surface(truth, others, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")  # the table is a list on a narrow terminal
    record, words, word = TRUTHS[truth]
    usable = word != "not proved"
    sampled = [True] * (word == "sampled")  # a table of its own comes first
    record = {"n_inputs": 20, **record}
    right = {**TRUTHS["proved"][0], "program": "first", "n_inputs": 20}
    file = CertificatesFile(certificates=(*[right] * others, record))
    document = kinds.document_of(file)
    ((table,),) = [section.blocks for section in document.sections if section.title == "Certificates"]
    names = [column.name for column in table.columns]
    at = names.index("sufficient")
    assert [plain(cell) for cell in table.rows[-1][at : at + 4]] == words
    assert document.word == word
    terminal.show_document(document)
    out = capsys.readouterr().out
    *samples, row = [line for line in out.splitlines() if re.match(r"hist\s+zero", line)]
    assert [line.rstrip().endswith("sampled 20 of 1,000") for line in samples] == sampled
    assert re.findall(r"sampled 20 of 1,000|proved|UNKNOWN|\bno\b", row) == words
    for text in (kinds.page_of(file), kinds.comment_of(file)):
        *samples, row = [
            line for line in text.splitlines() if line.startswith("| <code>hist</code> | zero, value | ")
        ]
        assert [line.endswith("| sampled 20 of 1,000 |") for line in samples] == sampled
        assert [cell.strip(" *") for cell in row.split("|")[5:9]] == words
    assert kinds.comment_of(file).startswith(f"### {'✓' if usable else '✗'}")
    page = kinds.html_of(file)
    kind = "good" if word == "proved" else "unsure"
    assert f'<p class="lead"><b class="badge {kind}">{document.word}</b>' in page
    last = page[page.index("<caption>Certificates by") :].split("</table>")[0].split("<tr>")[-1]
    assert re.findall(r"sampled 20 of 1,000|proved|UNKNOWN|>(?:no)\b", last) == [
        w if w != "no" else ">no" for w in words
    ]
    suites = ElementTree.fromstring(kinds.junit_of(file))
    children = {"proved": [], "sampled": ["system-out"], "not proved": ["error"]}
    assert [child.tag for child in list(suites.iter("testcase"))[-1]] == children[word]
