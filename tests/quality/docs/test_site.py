"""The site that `make docs` builds: strictly, from these sources alone, with a line for every code and command."""

from __future__ import annotations

import html
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tracrcheck.cli import app

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "ci" / "docs"))

import fields  # noqa: E402 - they lie beside mkdocs.yml's hook
import pages  # noqa: E402

# The build ---------------------------------------------------------------------------------------------


class Loads(HTMLParser):
    """What a browser loads for a page, and the page's links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = dict(attrs)
        if tag != "a":
            self.loads += [value for name in ("src", "href", "data") if (value := of.get(name))]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        patch.chdir(ROOT)
        config = load_config(str(ROOT / "mkdocs.yml"), strict=True, site_dir=str(folder))
        config.plugins.on_startup(command="build", dirty=False)
        build(config)
    return folder


def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(site):
    found = sorted(site.rglob("*.html"))
    assert len(found) > 40
    for path in found:
        foreign = [place for place in Loads(path.read_text()).loads if re.match(r"(?:https?:)?//", place)]
        assert foreign == [], path.name
    for name in ("search/search_index.json", "search/search_index.js", "assets/iframe-worker.js"):
        assert (site / name).is_file()
    for path in site.rglob("*.css"):
        assert not re.search(r"@import|url\(\s*['\"]?(?:https?:)?//", path.read_text()), path.name


def test_the_page_of_the_case_study_is_on_the_site(site):
    page = (site / "results" / "overlap-capital.html").read_text()
    assert "capital_instruction and capital_few_shot in smollm2" in page
    assert 'href="results/overlap-capital.html"' in (site / "large.html").read_text()


def test_every_page_and_schema_of_docs_is_on_the_site(site):
    missing = [
        str(path)
        for path in (ROOT / "docs").rglob("*")
        if path.is_file()
        and not (
            site
            / path.relative_to(ROOT / "docs").with_suffix(".html" if path.suffix == ".md" else path.suffix)
        ).is_file()
    ]
    assert missing == []


def test_the_reference_shows_signatures_and_fields(site):
    text = re.sub(r"<[^>]+>", "", (site / "api" / "methods.html").read_text())
    assert "items_at_once: int = 32" in text
    assert "n_edges: how many edges to keep" in text


def test_docstrings_of_fields_become_lists():
    text = "A run.\n\nn, m:  sizes,\n      both.\nseed: of it. Errors: TC101."
    assert fields.listed(text) == "A run.\n\n* `n`, `m`: sizes, both.\n* `seed`: of it. Errors: TC101."
    assert (
        fields.listed("Not a field: this.\nn: this is none either.")
        == "Not a field: this.\nn: this is none either."
    )


# Pages from the code -----------------------------------------------------------------------------------


def test_the_page_of_codes_has_every_message():
    page = html.unescape(pages.errors())
    for topic, codes in pages.table().topics.items():
        assert f"## {topic}\n" in page
        for row, message in codes.items():
            assert f"| {row.partition('.')[0]} | {message.what} | {message.wanted or '-'} | " in page
    assert all(f"| {code} | {known.words} | " in page for code, known in pages.fault_classes().items())


def test_the_page_of_commands_has_every_command_and_option():
    page = pages.commands()
    names = [command.callback.__name__ for command in app.registered_commands]
    assert re.findall(r"^## (\w+)$", page, re.MULTILINE) == names
    assert (
        "| `--method NAME` | edge_pruning_score_function, acdc, random, ... or module:callable. By default edge_pruning_score_function. |"
        in page
    )
    assert "| `--timeout X` | Seconds that one run of the method may take. By default 1800.0. |" in page
    assert "| `--resume` | Continue a run that was stopped (with --json). |" in page
    assert "| `--seed N` | The first seed. By default 0. |" in page


def test_the_page_of_schemas_has_every_schema():
    titles = re.findall(r"^## (.*)$", pages.schemas(), re.MULTILINE)
    assert len(titles) == len(list((ROOT / "docs" / "schemas").glob("*.json"))) == len(set(titles))
