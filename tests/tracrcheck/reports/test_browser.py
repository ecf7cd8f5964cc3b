"""Pages opened in headless Chromium: nothing complains, tables sort and filter, circuits are drawn, nothing runs that is not ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.tracrcheck.reports.hostile import MARK, NASTY, hostile
from tracrcheck.reports.document import Column, Document, Section, Table
from tracrcheck.reports.kinds import html_of
from tracrcheck.reports.render.html.page import page as page_of
from tracrcheck.runs.mutants import Found, MutantResults

PHONE = {"width": 375, "height": 800, "deviceScaleFactor": 1, "mobile": True}


@pytest.fixture
def page(driver, made):
    """The page of the gate, freshly opened on a wide screen of light colours."""
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "light"}]}
    )
    driver.get((made / "out.html").as_uri())
    return driver


def opened(driver, path):
    driver.get_log("browser")
    driver.get(path.as_uri())
    return driver.get_log("browser")


def verdicts(page):
    """The table by program and setting: its element, and the texts of the rows that are shown."""
    table = page.find_element(By.CSS_SELECTOR, "section .data")
    rows = [row for row in table.find_elements(By.CSS_SELECTOR, "tbody tr") if row.is_displayed()]
    return table, [[cell.text for cell in row.find_elements(By.CSS_SELECTOR, "th, td")] for row in rows]


def column(page, name: str) -> list[str]:
    table, rows = verdicts(page)
    names = [head.text for head in table.find_elements(By.CSS_SELECTOR, "thead th")]
    place = next(n for n, text in enumerate(names) if text.split(" ▲")[0].split(" ▼")[0] == name)
    return [row[place] for row in rows]


def test_a_page_opens_without_a_complaint_and_asks_for_nothing(driver, made):
    assert opened(driver, made / "out.html") == []
    assert driver.title == "Gate: tests.tracrcheck.pruners:some_edges – tracrcheck"
    asked = driver.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in asked if not name.startswith("data:")] == []


def test_a_choice_leaves_the_rows_that_have_it(page):
    table, every = verdicts(page)
    assert {row[1] for row in every} == {"zero", "mean", "resample"}
    choice = table.find_element(By.CSS_SELECTOR, "select[data-column='1']")
    choice.send_keys("resample")
    _, left = verdicts(page)
    assert left == [row for row in every if row[1] == "resample"]
    assert table.find_element(By.CSS_SELECTOR, ".shown").text == f"{len(left)} of {len(every)} rows"


def test_typed_text_leaves_the_rows_that_hold_it(page):
    table, every = verdicts(page)
    table.find_element(By.CSS_SELECTOR, "input[type=search]").send_keys("HIST ")
    _, left = verdicts(page)
    assert len(left) == 3
    assert left == [row for row in every if row[0] == "hist"]


def test_a_heading_sorts_by_number_by_click_and_by_keyboard(page):
    before = column(page, "required")
    table, _ = verdicts(page)
    head = next(h for h in table.find_elements(By.CSS_SELECTOR, "thead th") if h.text == "required")
    head.find_element(By.TAG_NAME, "button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(page, "required") == sorted(before, key=int) != before
    head.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert head.get_attribute("aria-sort") == "descending"
    assert column(page, "required") == sorted(before, key=int, reverse=True)


def test_numbers_sort_by_value_and_what_is_none_comes_last(driver, tmp_path):
    texts = ["10.5", "10.25", "-", "1,000", "9", "-3"]
    columns = (Column(name="name"), Column(name="value", number=True))
    table = Table(caption="t", columns=columns, rows=[(f"r{n}", text) for n, text in enumerate(texts)])
    sections = (Section(title="s", blocks=(table,)),)
    document = Document(
        command="c", title="t", word="HOLDS", good=True, outcome="o", scope="s", sections=sections, run=None
    )
    path = tmp_path / "sorted.html"
    path.write_text(page_of(document))
    driver.get(path.as_uri())
    button = driver.find_elements(By.CSS_SELECTOR, "thead button")[1]
    found = []
    for _ in range(2):
        button.click()
        found.append([cell.text for cell in driver.find_elements(By.CSS_SELECTOR, "tbody td")])
    assert found == [["-3", "9", "10.25", "10.5", "1,000", "-"], ["1,000", "10.5", "10.25", "9", "-3", "-"]]


def test_a_circuit_is_drawn_with_what_is_missing_in_red_and_extra_in_orange(page):
    figure = page.find_element(By.CSS_SELECTOR, "figure.circuit")
    box = figure.find_element(By.TAG_NAME, "svg").size
    assert box["width"] > 400
    assert box["height"] > 60
    colours = {}
    for kind in "mx":
        paths = figure.find_elements(By.CSS_SELECTOR, f"path.{kind}")
        assert paths, kind
        colours[kind] = {
            (p.value_of_css_property("stroke"), p.value_of_css_property("stroke-dasharray")) for p in paths
        }
    assert colours == {"m": {("rgb(179, 21, 31)", "9px, 5px")}, "x": {("rgb(194, 94, 0)", "2px, 4px")}}
    assert figure.find_elements(By.TAG_NAME, "rect")


def test_an_edge_says_what_it_carries_and_what_it_weighs(page):
    figure = page.find_element(By.CSS_SELECTOR, "figure.circuit")
    path = figure.find_element(By.CSS_SELECTOR, "path.m")
    title = page.execute_script("return arguments[0].querySelector('title').textContent", path)
    assert "carries: tokens, into hist = selector_width(same_tok)" in title
    assert "required, and missing; in " in title
    assert "weighs " in title
    page.execute_script("arguments[0].dispatchEvent(new MouseEvent('click'))", path)
    assert figure.find_element(By.CSS_SELECTOR, ".hint").text.startswith("tok -> a0.h0")


def test_another_setting_shows_its_own_edges_at_the_same_places(page):
    figure = page.find_element(By.CSS_SELECTOR, "figure.circuit")

    def shown():
        return [p.get_attribute("data-e") for p in figure.find_elements(By.CSS_SELECTOR, "path:not(.o)")]

    before, boxes = shown(), [box.rect for box in figure.find_elements(By.CSS_SELECTOR, "svg g")]
    figure.find_elements(By.CSS_SELECTOR, ".layers input")[2].click()
    after = shown()
    assert sorted(after) != sorted(before)
    assert [box.rect for box in figure.find_elements(By.CSS_SELECTOR, "svg g")] == boxes


def background(page) -> str:
    return page.find_element(By.TAG_NAME, "html").value_of_css_property("background-color")


def test_dark_colours_come_with_the_system_and_with_the_button(page):
    light = background(page)
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    dark = background(page)
    assert dark != light
    button = page.find_element(By.CSS_SELECTOR, "button.theme")
    button.click()
    assert (background(page), button.text) == (light, "Dark")
    button.click()
    assert background(page) == dark
    page.execute_script("localStorage.clear()")


@pytest.mark.parametrize("name", ["out.html", "full.html"])
def test_a_phone_never_scrolls_the_page_sideways(driver, made, name, tmp_path):
    path = made / name
    if name == "full.html":
        path = tmp_path / name
        path.write_text(html_of(hostile()))
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    driver.get(path.as_uri())
    driver.execute_script("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]") == [375, 375]


def test_a_drawing_offers_to_fit_only_where_it_is_wider_than_its_place(page):
    page.execute_script("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.execute_script("dispatchEvent(new Event('resize'))")
    wider = """return Array.from(document.querySelectorAll('figure.circuit svg'),
        (svg) => Number(svg.getAttribute('width')) > svg.parentElement.clientWidth)"""
    offers = [button.is_displayed() for button in page.find_elements(By.CSS_SELECTOR, "button.fit")]
    assert offers == page.execute_script(wider)
    assert set(offers) == {False, True}


def test_rows_of_edges_are_no_higher_on_a_phone_than_a_few_lines(page):
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    page.execute_script("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    rows = page.find_elements(By.CSS_SELECTOR, ".edges tbody tr")
    assert max(row.size["height"] for row in rows) < 100


def test_paper_is_light_and_has_no_controls(page):
    light = background(page)
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    assert background(page) == light
    assert not page.find_element(By.CSS_SELECTOR, ".controls").is_displayed()
    assert page.find_element(By.CSS_SELECTOR, "figure svg").is_displayed()
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_a_link_into_what_is_folded_opens_it(page):
    page.execute_script("document.querySelectorAll('details').forEach(one => { one.open = false; })")
    page.find_element(By.CSS_SELECTOR, "section .data tbody a").click()
    figure = page.find_element(By.CSS_SELECTOR, "details.program figure")
    page.execute_async_script("setTimeout(arguments[0], 50)")
    assert figure.is_displayed()


def test_an_address_that_names_what_is_folded_opens_it(page, made):
    page.get("about:blank")
    page.get((made / "out.html").as_uri() + "#i-Every~20~verdict")
    assert page.find_element(By.CSS_SELECTOR, "section.folded table").is_displayed()
    page.get("about:blank")
    page.get((made / "out.html").as_uri())
    assert not page.find_element(By.CSS_SELECTOR, "section.folded table").is_displayed()


def test_hostile_text_is_read_and_never_run(driver, tmp_path):
    path = tmp_path / "hostile.html"
    path.write_text(html_of(hostile()), encoding="utf-8")
    assert opened(driver, path) == []
    assert driver.execute_script("return window.hacked") is None
    assert driver.find_elements(By.TAG_NAME, "img") == []
    assert len(driver.find_elements(By.TAG_NAME, "script")) == 1
    body = driver.find_element(By.TAG_NAME, "body").get_attribute("textContent")
    assert body.count(MARK) >= 10
    assert NASTY.split("\n")[0] in body


def test_a_script_that_slipped_in_would_not_run(driver, tmp_path):
    """The page's own policy holds where escaping were forgotten."""
    path = tmp_path / "slipped.html"
    text = html_of(hostile()).replace("</main>", "<script>window.hacked=1</script></main>")
    path.write_text(text, encoding="utf-8")
    log = opened(driver, path)
    assert driver.execute_script("return window.hacked") is None
    assert any("Content Security Policy" in line["message"] for line in log)


@pytest.mark.parametrize("kind", ["certify", "discover", "mutants", "fuzz"])
def test_the_other_pages_open_without_a_complaint(driver, call, tmp_path, kind):
    path = tmp_path / f"{kind}.html"
    match kind:
        case "certify":
            done = call("certify", "hist", "--ablation", "zero,resample", "--html", path)
        case "discover":
            words = [
                "--method",
                "tests.tracrcheck.trained_pruners:with_a_dangling_edge",
                "--prompts",
                "6",
                "--draws",
                "3",
            ]
            done = call("discover", "--task", "ioi", *words, "--html", path)
        case "fuzz":
            done = call(
                "fuzz",
                "--programs",
                "2",
                "--seed",
                "3",
                "--ablation",
                "zero",
                "--method",
                "random",
                "--html",
                path,
            )
        case "mutants":
            row = {
                "name": "clamp_missing",
                "why": NASTY,
                "status": "survived",
                "killed_by": None,
                "seconds": 1.0,
                "blind": False,
            }
            results = MutantResults(path=Path(), run=hostile().run, found=(Found(**row),))
            path.write_text(html_of(results))
            done = None
    assert done is None or done.exit_code in (0, 1), done.output
    assert opened(driver, path) == []
    assert driver.find_elements(By.CSS_SELECTOR, "main table tbody tr")
    if kind in ("certify", "discover"):
        assert driver.find_elements(By.CSS_SELECTOR, "figure path")
