"""Pages as text: everything is escaped, nothing is fetched, and no run makes one too large."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from markupsafe import Markup

from edgeprune_core.graph import ResidualGraph
from tests import zoo
from tests.tracrcheck.reports.hostile import MARK, NASTY, hostile, results, verdict
from tracrcheck.grading.edge_effects import Absent, evidence_of
from tracrcheck.grading.verdict import Witness
from tracrcheck.reports.context import Context
from tracrcheck.reports.document import (
    Badge,
    Code,
    Column,
    Document,
    Drawing,
    Edges,
    Lines,
    Link,
    Section,
    Sorted,
    Table,
    Verbatim,
    anchor,
)  # fmt: skip
from tracrcheck.reports.kinds import html_of
from tracrcheck.reports.picture import MOST, Layer, Picture, judged_layer, picture_of
from tracrcheck.reports.render.html.page import inline
from tracrcheck.reports.render.html.page import page as page_of
from tracrcheck.reports.render.templates import templates
from tracrcheck.reports.render.templates import text as escaped
from tracrcheck.runs.kinds import read_any
from tracrcheck.truth.setting import Setting

ROOT = Path(__file__).parents[3]
LARGEST = 2_000_000  # bytes


def circuit_figure(picture: Picture) -> str:
    return inline(Drawing(picture=picture, most=MOST))


class Read(HTMLParser):
    """Every element of a page with its attributes, and all text outside of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        self._inside = name

    def handle_data(self, data):
        if self._inside not in ("script", "style"):
            self.words.append(data)

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.elements if found == name]


# Elements ----------------------------------------------------------------------------------------------


def test_text_is_escaped_and_markup_is_not_escaped_again():
    template = templates().from_string('<p class="{{ one }}">{{ two }}{{ three }}{{ nothing }}{{ four }}</p>')
    filled = template.render(one='"&', two="<b>", three=Markup("<i></i>"), nothing=None, four=3)
    assert filled == '<p class="&#34;&amp;">&lt;b&gt;<i></i>3</p>'
    assert escaped(None) == ""
    assert escaped("{0}{nothing}") == "{0}{nothing}"


@pytest.mark.parametrize(
    "value", [NASTY, Badge(NASTY), Code(NASTY), Link(NASTY, to=NASTY), Sorted(NASTY, by=NASTY), Verbatim(NASTY),
              Edges((NASTY,), {NASTY: NASTY}), Witness(input=(NASTY,), corruption=(NASTY,), position=1, want=NASTY, got=NASTY)],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_no_value_becomes_an_element_of_its_own(value):
    page = Read(inline(value))
    assert {name for name, _ in page.elements} <= {"b", "code", "a", "pre", "dl", "div", "dt", "dd", "kbd"}
    assert MARK in " ".join(page.words)
    assert "\x1b" not in inline(value)


def test_characters_that_no_page_can_hold_are_marked():
    assert escaped("a\x00\x1b\ud800b\n") == "a\ufffd\ufffd\ufffdb\n"


def test_equal_names_have_equal_anchors_and_others_others():
    assert anchor("a b") == anchor("a b") != anchor("a-b")
    assert anchor("a b") != anchor("a/b")
    assert re.fullmatch(r"[\w.~-]+", anchor(NASTY))


def test_a_table_names_its_columns_its_rows_and_itself():
    columns = (Column(name="who"), Column(name="n", number=True), Column(name="word", choice=True))
    rows = [(f"r{n}", Sorted("many", by=n), Badge("x<y")) for n in range(6)]
    page = Read(inline(Table(caption="Names & numbers", columns=columns, rows=rows)))
    assert [head["scope"] for head in page.all("th")] == ["col"] * 3 + ["row"] * 6
    assert len(page.all("caption")) == 1
    assert [option["value"] for option in page.all("option")] == ["", "x<y"]
    assert [cell["data-by"] for cell in page.all("td") if "data-by" in cell] == [str(n) for n in range(6)]
    assert page.all("button")


# Pages -------------------------------------------------------------------------------------------------


def test_hostile_text_adds_no_element_and_no_attribute():
    page = Read(html_of(hostile(), Context(absent=[Absent(program=NASTY, why=NASTY)], stale=[NASTY])))
    assert len(page.all("script")) == len(page.all("style")) == len(page.all("title")) == 1
    assert not page.all("img")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert sum(words.count(MARK) for words in page.words) > 10


def test_hostile_expressions_and_names_of_programs_add_no_element():
    graph = ResidualGraph(1, 1, 1)
    edges = graph.edges[:3]
    layer = Layer(
        name=NASTY, kinds=dict.fromkeys(edges, "extra"), notes=dict.fromkeys(edges, NASTY), fact=NASTY
    )
    picture = Picture(
        name=NASTY, graph=graph, labels={str(e.writer): NASTY for e in edges}, layers=(layer, layer)
    )
    page = Read(circuit_figure(picture))
    assert {name for name, _ in page.elements} <= {
        "figure", "fieldset", "legend", "label", "input", "b", "div", "svg", "path", "g", "rect", "text", "button", "p",
        "ul", "li", "i", "details", "summary", "table", "thead", "tbody", "tr", "th", "td", "title",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["out.html"])
def test_a_page_names_no_address_and_allows_none(made, name):
    text = (made / name).read_text()
    page = Read(text)
    links = [
        v
        for _, attributes in page.elements
        for k, v in attributes.items()
        if k in ("href", "src", "action", "srcset")
    ]
    assert {link[:5] for link in links if not link.startswith("#")} == {"data:"}
    (policy,) = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv")]
    assert policy.startswith("default-src 'none';")
    assert "url(" not in text
    assert "@import" not in text


def test_every_link_of_a_page_leads_somewhere_and_no_id_stands_twice(made):
    page = Read((made / "out.html").read_text())
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in page.all("a")} <= set(ids)


def test_a_page_says_by_what_it_was_made_and_how_it_is_made_again(made):
    words = " ".join(Read((made / "out.html").read_text()).words)
    run = json.loads((made / "out.json").read_text())["run"]
    for text in (run["command"], run["started"], run["machine"]["cpu"], "torch 2.", "Shown again by"):
        assert text in words
    assert (
        "tracrcheck gate hist --ablation zero --criterion value --method tests.tracrcheck.pruners:some_edges --seed 0"
        in words
    )
    assert "the model gives" in words


def test_a_page_says_in_words_what_was_asked(made):
    text = (made / "out.html").read_text()
    for name, words in {"score_bos": "no", "lengths": "not given", "select": "not given"}.items():
        assert f"<dt>{name}</dt><dd>{words}</dd>" in text


def test_sections_that_are_folded_are_closed_details():
    sections = tuple(
        Section(title=name, blocks=(Lines(lines=(name,)),), folded=name == "A") for name in ("A", "B")
    )
    document = Document(
        command="c", title="T", word="HOLDS", good=True, outcome="o", scope="s", sections=sections, run=None
    )
    read = Read(page_of(document))
    assert read.all("details") == [{}]
    assert [a["href"] for a in read.all("a")] == ["#content", "#i-A", "#i-B", "#i-Environment"]


# Sizes -------------------------------------------------------------------------------------------------


def test_the_full_gate_is_a_page_of_less_than_two_megabytes_right_or_wrong():
    found = read_any(ROOT / "ci" / "results" / "gate-full.json")
    assert len(found.verdicts) == 60 * len(found.run["asked"]["programs"]) > 4000
    assert len(html_of(found).encode()) < LARGEST / 2, "and its drawings"
    edges = tuple(f"a{n}.h0 -> a{n}.h1.q" for n in range(90))
    wrong = [
        replace(
            v,
            verdict="FAILS",
            reason="unfaithful",
            missing=edges,
            extra=edges,
            detail="x" * 9000,
            found_sha=str(n),
        )
        for n, v in enumerate(found.verdicts)
    ]
    assert len(html_of(results(wrong, found.run)).encode()) < LARGEST / 2


def test_a_circuit_in_a_model_as_large_as_gpt2_small_is_a_small_drawing():
    graph = ResidualGraph(12, 12, 12)
    assert graph.n_edges == 32_936
    required = [graph.edge(t) for t in ("tok -> a1.h3.v", "a1.h3 -> m7", "m7 -> out")]
    few = Picture(
        name="few",
        graph=graph,
        labels={},
        layers=(Layer(name="zero", kinds=dict.fromkeys(required, "required")),),
    )
    figure = circuit_figure(few)
    assert len(figure) < 6000
    assert figure.count("<rect ") == 4
    kinds = {**dict.fromkeys(graph.edges, "extra"), **dict.fromkeys(required, "missing")}
    figure = circuit_figure(
        Picture(name="all", graph=graph, labels={}, layers=(Layer(name="zero", kinds=kinds),))
    )
    assert len(figure) < 200_000
    assert f"zero: {32_936 - 303:,} more extra edges, not drawn" in figure
    for edge in required:
        assert escaped(str(edge)) in figure, "what is required is always drawn"


# Layers ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hist():
    return evidence_of(zoo.compiled("hist"), Setting(), meaning="how often")


def test_an_edge_weighs_what_the_outputs_lose_without_it(hist):
    assert set(hist.weights) == set(hist.certificate.required)
    for weight in hist.weights.values():
        assert weight.moved > 0.01, "a required edge moves some output beyond the tolerance"
        assert 0 < weight.share <= 1
        assert weight.n_items == weight.n_of == 120


def test_a_long_list_is_weighed_on_a_part_of_it(monkeypatch):
    from tracrcheck.grading import edge_effects
    from tracrcheck.truth.cache import certificate_for
    from tracrcheck.truth.task import task_of

    setting = Setting(ablation="resample")
    task = task_of(zoo.compiled("hist"), setting)
    weights = edge_effects.weights_of(task, certificate_for(task, setting), most_items=7)
    assert {(w.n_items, w.n_of) for w in weights.values()} == {(7, len(task.items))}


@pytest.mark.parametrize("criterion", ["value", "decoded"])
def test_an_effect_is_one_beyond_the_tolerance_on_items_from_all_over_the_list(criterion):
    from tracrcheck.grading import edge_effects
    from tracrcheck.truth.cache import certificate_for
    from tracrcheck.truth.task import task_of

    setting = Setting(ablation="resample", criterion=criterion)
    task = task_of(zoo.compiled("hist"), setting)
    certificate = certificate_for(task, setting)
    apart = torch.linspace(0, len(task.items) - 1, 7).long()
    shares = []
    for edge, weight in edge_effects.weights_of(task, certificate, most_items=7).items():
        off = task.deviations(certificate.required.without(edge), task.items[apart])[0]
        assert weight.moved == float(off.max())
        assert weight.share == float((off > task.outcome.limit).double().mean())
        shares.append(weight.share)
    assert min(shares) < 1


def test_a_layer_shows_what_is_missing_what_is_surplus_and_in_how_many_seeds(hist):
    a, b, *_ = map(str, hist.certificate.required)
    seeds = [
        verdict(seed=0, missing=(a, b), extra=("pos -> out", "a9.h9 -> out")),
        verdict(seed=1, missing=(a,)),
    ]
    layer = judged_layer(hist, seeds)
    kinds = {str(edge): kind for edge, kind in layer.kinds.items()}
    notes = {str(edge): note for edge, note in layer.notes.items()}
    assert (kinds[a], kinds[b], kinds["pos -> out"]) == ("missing", "missing", "extra")
    assert "a9.h9 -> out" not in kinds
    assert notes[a].startswith("in 2 of 2 seeds; weighs ")
    assert notes[b].startswith("in 1 of 2 seeds; weighs ")
    assert notes["pos -> out"] == "in 1 of 2 seeds; carries nothing, by the weights"
    assert sum(kind == "required" for kind in kinds.values()) == len(hist.certificate.required) - 2
    assert layer.fact == f"{len(hist.certificate.required)} required, 0 of 2 HOLD"


def test_a_picture_says_in_words_what_each_edge_is(hist):
    (first, *_) = map(str, hist.certificate.required)
    layers = [judged_layer(hist, [verdict(missing=(first,), extra=("pos -> out",))])]
    words = " ".join(Read(circuit_figure(picture_of([hist], layers))).words)
    for text in ("required, and missing", "extra", "hist = selector_width(same_tok)", first, "weighs "):
        assert text in words
