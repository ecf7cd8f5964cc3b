"""What README.md and docs/ show is what happens: every block is run, and few are shown only."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edgeprune_core.ablations import ABLATIONS
from edgeprune_core.methods import METHODS
from edgeprune_core.tasks import TASKS
from tests import zoo
from tests.quality.docs.blocks import Block, blocks_of
from tracrcheck.cli import app
from tracrcheck.importers import IMPORTERS
from tracrcheck.rasp.library import Library, shipped_folder
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import CRITERIA, Setting
from tracrcheck.truth.task import task_of

ROOT = Path(__file__).parents[3]
README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").rglob("*.md"))
RUN = ("python", "pycon", "console")


@pytest.mark.parametrize("path", [README, *PAGES], ids=lambda p: str(p.relative_to(ROOT)))
def test_the_blocks_of_a_page_do_what_they_show(path, page):
    for block in blocks_of(path.read_text(encoding="utf-8")):
        try:
            page.run(block)
        except AssertionError as wrong:
            raise AssertionError(f"{path.name}, line {block.line}: {wrong}") from None


def test_all_blocks_of_the_readme_are_run_but_the_one_that_ci_runs():
    blocks = blocks_of(README.read_text())
    assert len([block for block in blocks if block.kind in RUN]) >= 6
    (shown,) = [block for block in blocks if block.kind not in RUN or block.not_run]
    script = (ROOT / ".ci" / "run").read_text()
    for line in shown.text.splitlines():
        assert line.partition("#")[0].strip() in script.splitlines()


def test_few_blocks_are_shown_only():
    shown = [b for path in PAGES for b in blocks_of(path.read_text()) if b.kind in RUN and b.not_run]
    assert len(shown) <= 6, [block.text for block in shown]


def test_the_readme_is_short_and_has_its_recipes():
    text = README.read_text()
    assert len(text.splitlines()) < 150
    recipes = {"## Gate my pruner", "## Write a program", "## Find a circuit in a real model"}
    assert recipes | {"## Gate a published method", "## Read a verdict"} <= set(text.splitlines())
    assert len(text.split("\n\n")[1].splitlines()) == 5


def test_writing_a_program_is_under_40_lines_of_reading():
    section = README.read_text().split("## Write a program\n")[1].split("\n## ")[0]
    assert len(section.split("$ tracrcheck show")[0].splitlines()) < 40


def test_the_table_of_published_methods_is_what_the_file_says():
    """And none of their rows is left blank that the file fills."""
    rows = json.loads((ROOT / "ci" / "results" / "peers.json").read_text())["verdicts"]

    def exact(method: str, ablation: str) -> str:
        held = [r["verdict"] == "HOLDS" for r in rows if (r["method"], r["ablation"]) == (method, ablation)]
        return f"{sum(held)} of {len(held)}" if held else ""

    text = README.read_text()
    table = re.findall(r"^\| [^|`]+, `(\w+:\w+)` \|(.*)\|(.*)\|$", text, re.MULTILINE)
    assert len(table) == 6
    for name, *cells in table:
        wanted = [exact(f"tracrcheck.peers.{name}", ablation) for ablation in ("resample", "zero")]
        assert [cell.strip() for cell in cells] == wanted, name
    (ours,) = re.findall(r"our default: (\d+ of \d+)", text)
    assert {exact("edge_pruning_score_function", ablation) for ablation in ("resample", "zero")} == {ours}


def test_what_the_readme_counts_is_what_is_shipped():
    purpose = README.read_text().split("\n\n")[1]
    numbers = {what: number for number, what in re.findall(r"(\w+)\s(programs|methods)\b", purpose)}
    assert int(numbers["programs"]) == len(Library(shipped_folder()).files())
    words = ("six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    assert words.index(numbers["methods"]) + 6 == len(METHODS)


CONCEPTS = (ROOT / "docs" / "concepts.md").read_text()
ASKED = re.findall(r"^\| (`(?:reverse|xproportion)`.*?) \| (.*?) \| (.*?) \| ", CONCEPTS, re.MULTILINE)


@pytest.mark.parametrize(("names", "words", "edges"), ASKED, ids=range(len(ASKED)))
def test_the_settings_that_the_page_of_concepts_compares_need_as_many_edges_as_it_says(
    names, words, edges, page
):
    low, high = re.search(r"lengths? (\d)(?:-(\d))?", words).groups() if "length" in words else (None, None)
    setting = {
        "ablation": words.partition(",")[0],
        "lengths": (int(low), int(high or low)) if low else None,
        "score_bos": "position 0 judged" in words,
    }
    criteria = {"decoding": "decoded", "value": "value"}
    counts = re.findall(r"(\d+) by (\w+)", edges) or [(n, "value") for n in edges.split(", ")]
    found = names.replace("`", "").split(", ") * (len(counts) if "," not in names else 1)
    for name, (count, criterion) in zip(found, counts, strict=True):
        asked = Setting(**setting, criterion=criteria[criterion])
        assert len(certify(task_of(zoo.compiled(name), asked), asked).required) == int(count)


def test_the_page_of_concepts_compares_settings():
    assert len(ASKED) == 6


def test_the_picture_is_what_its_command_makes(page):
    (command,) = re.findall(r"`(tracrcheck show [^`]*\.svg)`", README.read_text())
    name = command.split()[-1]
    Path(name).parent.mkdir(parents=True)
    page.run(Block("console", f"$ {command}\n", 0, None))
    assert Path(name).read_text() == (ROOT / name).read_text()
    assert f"]({name})" in README.read_text()


def test_every_colour_of_a_picture_has_another_for_dark_pages():
    text = (ROOT / "docs" / "pictures" / "xproportion.svg").read_text()
    style = text[text.index("<style>") : text.index("</style>")]
    drawn = text.replace(style, "")
    assert "prefers-color-scheme: dark" in style
    colours = set(re.findall(r'(?:fill="(white|#\w+)"|stroke="(#\w+)" stroke-width)', drawn))
    assert len(colours) == 4
    assert [fill or line for fill, line in colours if f'"{fill or line}"' not in style] == []
    assert "text {" in style


def test_every_link_of_the_readme_leads_to_a_file():
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README.read_text())
    assert len(links) >= 10
    assert [link for link in links if not (ROOT / link).is_file()] == []


# Places and names --------------------------------------------------------------------------------------

OURS = re.compile(r"`((?:tracrcheck|edgeprune_core|tests|ci|docs|programs)/[\w./-]+)`")


def named_files(text: str) -> set[str]:
    return {name for name in OURS.findall(text) if "NAME" not in name}


@pytest.mark.parametrize("path", [p for p in (README, *PAGES) if p.name != "others.md"], ids=lambda p: p.name)
def test_every_file_of_ours_that_a_page_names_is_there(path):
    text = (
        path.read_text(encoding="utf-8")
        .replace("programs/alike_first.py", "")
        .replace("programs/fault.py", "")
    )
    assert [name for name in named_files(text) if not (ROOT / name).exists()] == []


def test_a_file_that_is_gone_is_noticed():
    assert named_files("`tests/gone.py` and `ci/docs`, not `tracrcheck gate` or `x/y.py`") == {
        "tests/gone.py",
        "ci/docs",
    }


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("gate.md", METHODS),
        ("trained.md", TASKS),
        ("importers.md", IMPORTERS),
        ("concepts.md", (*ABLATIONS, "mean_pooled", *CRITERIA)),
        (
            "extend/index.md",
            ("METHODS", "ABLATIONS", "METRICS", "FAMILIES", "TASKS", "IMPORTERS", "INVARIANTS", "MUTANTS"),
        ),
    ],
)
def test_a_page_names_everything_that_it_is_about(name, wanted):
    said = set(re.findall(r"`(\w+)`", (ROOT / "docs" / name).read_text()))
    assert set(wanted) - said == set()


def test_every_command_is_shown_on_some_page():
    text = "".join(path.read_text(encoding="utf-8") for path in (README, *PAGES))
    names = [command.callback.__name__ for command in app.registered_commands]
    assert [name for name in names if f"tracrcheck {name}" not in text] == []


# The runner itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("python", "assert False"),
        ("pycon", ">>> 1 + 1\n3\n"),
        ("pycon", ">>> x = 1\n>>> x\n2\n"),
        ("console", "$ tracrcheck --version\ntracrcheck 17\n"),
        ("console", "$ tracrcheck no-such-command\n"),
        ("console", "$ tracrcheck --version\n[exit code 1]\n"),
        ("console", "$ rm -r everything\n"),
        ("sh", "tracrcheck gate --no-such-option\n"),
        ("sh", "tracrcheck gaet # a comment\n"),
    ],
)
def test_a_block_that_is_not_what_happens_is_noticed(kind, text, page):
    with pytest.raises(AssertionError):
        page.run(Block(kind, text, 1, None))


def test_blocks_share_names_and_files_and_the_marked_are_left_out(page):
    text = (
        "```pycon\n>>> x = 2\n```\n\n```python\nassert x == 2\n```\n\n<!-- not run here: long -->\n```python\n1 / 0\n```\n"
        "```python\n# a/b.py\ny = 3\n```\n"
    )
    blocks = blocks_of(text)
    assert [(block.kind, block.line, block.not_run) for block in blocks] == [
        ("pycon", 1, None), ("python", 5, None), ("python", 10, "long"), ("python", 13, None),
    ]  # fmt: skip
    for block in blocks:
        page.run(block)
    assert Path("a/b.py").read_text() == "# a/b.py\ny = 3\n"


def test_a_block_of_an_unknown_kind_is_noticed(page):
    with pytest.raises(AttributeError):
        page.run(Block("pyhton", "", 1, None))
