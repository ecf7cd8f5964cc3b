"""Tables on terminals of any width: no word is broken, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tracrcheck.reports.hostile import results, verdict
from tests.tracrcheck.reports.test_pull_request import certificate
from tracrcheck.reports.document import Column, Table, number, plain
from tracrcheck.reports.kinds import document_of
from tracrcheck.reports.render import terminal
from tracrcheck.reports.saved import CertificatesFile
from tracrcheck.runs.kinds import read_any

RESULTS = Path(__file__).parents[3] / "ci" / "results"
SHOWN = {
    "gate": lambda: results([verdict(seed=n, program="most_frequent") for n in range(3)]),
    "certify": lambda: CertificatesFile(certificates=(certificate(n_inputs=9),) * 2),
    "compare": lambda: read_any(RESULTS / "compare-ioi.json"),
    "mutants": lambda: read_any(RESULTS / "mutants.json"),
}


def tables(kind):
    sections = document_of(SHOWN[kind]()).shown("terminal")
    return [block.narrow() for section in sections for block in section.blocks if isinstance(block, Table)]


@pytest.mark.parametrize("width", [40, 60, 80, 160])
@pytest.mark.parametrize("kind", SHOWN)
def test_every_word_of_a_table_is_whole_at_any_width(kind, width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    for table in tables(kind):
        terminal.show(Table(columns=table.columns, rows=table.rows))
        out = capsys.readouterr().out
        assert max(map(len, out.splitlines())) <= width
        shown = out.split()
        words = [word for row in table.rows for cell in row for word in plain(cell).split()]
        short = [word for word in words if len(word) <= width // 2]
        assert not set(short) - set(shown)
        if width >= 160 and kind != "mutants":
            assert len(out.splitlines()) == 1 + len(table.rows), "side by side, where there is room"


def test_the_indentation_of_a_table_counts(monkeypatch, capsys):
    columns = (Column("  ablation", lambda r: "  zero"), Column("proved", lambda r: "sufficient, minimal"))
    for width in range(24, 60):
        monkeypatch.setenv("COLUMNS", str(width))
        terminal.show(Table.of([None], *columns))
        assert {"ablation", "sufficient,"} <= set(capsys.readouterr().out.split()), width


def test_a_row_is_a_list_where_its_cells_do_not_fit_side_by_side(monkeypatch, capsys):
    columns = (
        Column("program", lambda r: r[0]),
        number("edges", lambda r: r[1]),
        Column("proved", lambda r: r[2]),
    )
    table = Table.of([("most_frequent", 12, "sufficient"), ("hist", 3, "")], *columns)
    monkeypatch.setenv("COLUMNS", "40")
    terminal.show(table)
    assert capsys.readouterr().out.splitlines()[0].split() == ["program", "edges", "proved"]
    monkeypatch.setenv("COLUMNS", "24")
    terminal.show(table)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[:5] == [
        ["program", "most_frequent"],
        ["edges", "12"],
        ["proved", "sufficient"],
        [],
        ["program", "hist"],
    ]
    assert ["edges", "3"] in lines


def test_a_sentence_wraps_before_a_long_word_breaks(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    word = "a_name_of_thirty_characters_xx"
    terminal.show(Table(columns=(Column("name"), Column("says")), rows=[(word, "some short words " * 9)]))
    assert word in capsys.readouterr().out.split()
