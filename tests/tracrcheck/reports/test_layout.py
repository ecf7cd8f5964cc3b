"""Pages of every kind on a phone and on a desk, light and dark: nothing is cut without a mark, and everything can be read."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import ResidualGraph
from tests import zoo
from tests.tracrcheck.reports.hostile import results, verdict
from tests.tracrcheck.reports.test_pull_request import discovery
from tracrcheck.cli import app
from tracrcheck.grading.edge_effects import evidence_of
from tracrcheck.reports.context import Context
from tracrcheck.reports.document import Document, Drawing, Section
from tracrcheck.reports.kinds import html_of
from tracrcheck.reports.picture import Layer, Picture, circuit_picture, picture_of, truth_layer
from tracrcheck.reports.render.graph import BOX_HEIGHT, PAGE, USUAL, WIDEST, Layout, svg
from tracrcheck.reports.render.html.page import page as page_of
from tracrcheck.reports.saved import CertificatesFile
from tracrcheck.reports.text import computes
from tracrcheck.runs.kinds import read_any
from tracrcheck.truth.setting import Setting

RESULTS = Path(__file__).parents[3] / "ci" / "results"
KINDS = ("gate", "certify", "discover", "fuzz", "compare-ioi", "invariants", "mutants", "false-alarms")


@pytest.fixture(scope="module")
def pages(tmp_path_factory, cache):
    """A page of each kind, with more columns than a phone has room for."""
    folder = tmp_path_factory.mktemp("pages")
    fuzz = ["fuzz", "--programs", "2", "--seed", "3", "--ablation", "zero", "--method", "random"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACRCHECK_CACHE", str(cache))
        assert CliRunner().invoke(app, [*fuzz, "--html", str(folder / "fuzz.html")]).exit_code == 1
        drawn = [
            evidence_of(zoo.compiled(name), Setting(), meaning="a meaning") for name in ("hist", "reverse")
        ]
    graph = ResidualGraph(3, 2, 2)
    found = discovery().document
    asked = {**found["asked"], "task": "ioi"}
    circuit = Circuit.of(graph, graph.edges[::5])
    text = {
        "gate": html_of(
            results([verdict(), verdict(seed=1), verdict(program="reverse")]), Context(evidence=drawn)
        ),
        "certify": html_of(
            CertificatesFile(certificates=tuple(one.certificate.to_json() for one in drawn)),
            Context(evidence=drawn),
        ),
        "discover": html_of(discovery(circuit=circuit.to_json(), asked=asked)),
        **{name: html_of(read_any(RESULTS / f"{name}.json")) for name in KINDS[4:]},
    }
    for name, page in text.items():
        (folder / f"{name}.html").write_text(page)
    return folder


# What is wrong with a page as it is laid out. `seen`: closed parts and what only readers of screens find are not.
CHECK = """
const wrong = [];
const seen = (one) => one.checkVisibility() && one.getClientRects().length;
// A phone zooms out where a page is too wide: its `innerWidth` is then that of the page.
if (document.documentElement.scrollWidth > document.documentElement.clientWidth) wrong.push("the page scrolls sideways");
for (const place of document.querySelectorAll(".scroll")) {
  if (!seen(place)) continue;
  const more = place.nextElementSibling;
  const name = place.getAttribute("aria-label");
  if (!more || !more.matches(".more")) { if (!place.closest(".edges")) wrong.push(`${name}: has no line for more`); continue; }
  const over = place.scrollWidth > place.clientWidth + 1;
  if (over !== Boolean(seen(more))) wrong.push(`${name}: goes on: ${over}, says so: ${!over}`);
}
for (const row of document.querySelectorAll("tbody tr"))
  if (seen(row) && row.offsetHeight > 220) wrong.push(`a row of ${row.offsetHeight} pixels: ${row.textContent.slice(0, 40)}`);
for (const text of document.querySelectorAll("svg text:not(.t)"))
  if (seen(text) && text.getBoundingClientRect().height < 8) wrong.push(`too small to read: ${text.textContent}`);
for (const text of document.querySelectorAll(".circuit svg text")) {
  const box = text.parentNode.querySelector("rect");
  if (seen(text) && text.getBoundingClientRect().right > box.getBoundingClientRect().right) wrong.push(`out of its box: ${text.textContent}`);
}
const light = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).map((x) => (x / 255 <= 0.03928 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = getComputedStyle(document.documentElement).backgroundColor;
for (const one of document.querySelectorAll("h1, h2, p, td, th, dt, dd, .tiles span, svg text")) {
  const style = getComputedStyle(one);
  const [a, b] = [light(one.matches("svg text") ? style.fill : style.color), light(ground)].sort();
  if (seen(one) && (b + 0.05) / (a + 0.05) < 4.5) wrong.push(`too faint: ${one.textContent.slice(0, 40)}`);
}
return [...new Set(wrong)];
"""


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_can_be_read_on_a_phone_and_on_a_desk_in_light_and_dark(driver, pages, kind):
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen(1280))
    driver.get((pages / f"{kind}.html").as_uri())
    found = {}
    for width, colours in product((390, 1280), ("light", "dark")):
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen(width))
        feature = {"name": "prefers-color-scheme", "value": colours}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        found[width, colours] = driver.execute_script(CHECK)
    assert found == {mode: [] for mode in found}


def screen(width: int) -> dict:
    return {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}


def test_the_mark_of_more_columns_goes_at_the_last_of_them_and_names_stay_below_their_heading(driver, pages):
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen(390))
    driver.get((pages / "certify.html").as_uri())
    shown = "return document.querySelector('.data .more').checkVisibility()"
    assert driver.execute_script(shown)
    scroll = "const s = document.querySelector('.data .scroll'); s.scrollLeft = s.scrollWidth;"
    driver.execute_script(scroll)
    driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    assert not driver.execute_script(shown)
    left = "return document.querySelector(`.data ${arguments[0]} th`).getBoundingClientRect().left"
    assert driver.execute_script(left, "thead") == driver.execute_script(left, "tbody") > 0


def test_a_drawing_with_a_long_name_is_no_wider_than_a_phone(driver, tmp_path):
    graph = ResidualGraph(1, 1, 1)
    picture = circuit_picture(Circuit.full(graph), name="one_name_" * 9)
    section = Section(title="s", blocks=(Drawing(picture=picture, most=9, folds=True, word="HOLDS"),))
    document = Document(
        command="c", title="t", word="HOLDS", good=True, outcome="o", scope="s", sections=(section,), run=None
    )
    (tmp_path / "long.html").write_text(page_of(document))
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen(390))
    driver.get((tmp_path / "long.html").as_uri())
    assert driver.execute_script(CHECK) == []


def test_no_label_of_a_shipped_program_is_wider_than_its_box(driver, tmp_path):
    files = []
    for name in zoo.NAMES:
        made = zoo.compiled(name)
        graph, labels = made.graph, {str(node): computes(made, str(node)) for node in made.graph.writers}
        layer = Layer(name="all", kinds=dict.fromkeys(graph.edges, "required"))
        files.append(svg(Picture(name=name, graph=graph, labels=labels, layers=(layer,)), title=name))
    (tmp_path / "all.html").write_text("".join(files))
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.get((tmp_path / "all.html").as_uri())
    names, over = driver.execute_script(WIDER)
    assert names == list(zoo.NAMES)
    assert over == []


# Names of the drawings, and labels that reach beyond their boxes.
WIDER = """
const right = (one) => one.getBoundingClientRect().right;
const labels = [...document.querySelectorAll("g")].flatMap((g) => [...g.querySelectorAll("text")].map((text) => [g, text]));
const over = labels.filter(([g, text]) => right(text) > right(g.querySelector("rect")));
const names = [...document.querySelectorAll("svg > title")].map((title) => title.textContent);
return [names, over.map(([g, text]) => `${g.closest("svg").querySelector("title").textContent}: ${text.textContent}`)];
"""


# Drawings ----------------------------------------------------------------------------------------------


def layout(*names: str) -> dict[str, Layout]:
    found = {}
    for name in names:
        one = evidence_of(zoo.compiled(name), Setting())
        found[name] = Layout.of(picture_of([one], [truth_layer(one)]), above=0)
    return found


def test_a_label_is_whole_unless_the_drawing_is_as_wide_as_a_page():
    for name, placed in layout("hist", "reverse", "sort", "xproportion").items():
        cut = [node for node, box in placed.boxes.items() if box.label[-1].endswith("…")]
        assert not cut or placed.width > 0.9 * PAGE, (name, cut, placed.width)
        assert placed.width <= PAGE or len({box.column for box in placed.boxes.values()}) > 5, name


def test_a_label_for_which_there_is_room_is_one_line():
    for name, placed in layout("hist", "xproportion", "square").items():
        for node, box in placed.boxes.items():
            assert len(box.label) == 1 or box.width in (USUAL, WIDEST), (name, node, box)


def test_boxes_do_not_overlap_and_edges_lead_to_the_right():
    for placed in layout("hist", "reverse", "sort").values():
        boxes = list(placed.boxes.values())
        for one in boxes:
            for other in boxes:
                apart = other.column != one.column or abs(one.y - other.y) > BOX_HEIGHT or one is other
                assert apart
                if other.column > one.column:
                    assert other.x >= one.x + one.width + 50
        assert max(box.x + box.width for box in boxes) < placed.width


def test_short_labels_make_narrow_boxes_and_long_ones_of_many_columns_are_cut():
    graph = ResidualGraph(12, 2, 2)
    placed = Layout.of(circuit_picture(Circuit.full(graph), name="full"), above=0)
    assert {box.width for box in placed.boxes.values()} < set(range(80, 160))
    words = "a label of many words that never ends, " * 5
    labels = dict.fromkeys(placed.boxes, words)
    layer = Layer(name="zero", kinds=dict.fromkeys(graph.edges, "required"))
    picture = Picture(name="full", graph=graph, labels=labels, layers=(layer,))
    wide = Layout.of(picture, above=0)
    assert {box.width for box in wide.boxes.values()} == {190}
    assert all(
        box.label[-1].endswith("…") and len(max(box.label, key=len)) * 6 < 190 for box in wide.boxes.values()
    )
    assert svg(picture, title="t").count(words) == len(wide.boxes), "whole, where it is pointed at"
