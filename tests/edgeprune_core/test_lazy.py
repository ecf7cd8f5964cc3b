"""Tables list their names without importing the rows, and behave like dictionaries otherwise."""

from __future__ import annotations

import pytest

from edgeprune_core.ablations import ABLATIONS, VARIANTS
from edgeprune_core.families import FAMILIES
from edgeprune_core.lazy import Lazy, Table
from edgeprune_core.methods import METHODS
from edgeprune_core.metrics import METRICS

TABLES = {"methods": METHODS, "ablations": ABLATIONS, "metrics": METRICS, "families": FAMILIES}


def test_a_row_is_imported_when_it_is_read_and_only_once():
    table = Table(
        {"pooled": Lazy("edgeprune_core.ablations.mean:Mean", pooled=True), "absent": Lazy("nowhere:X")}
    )
    assert list(table) == ["pooled", "absent"]
    assert "absent" in table
    assert "other" not in table
    assert table["pooled"].pooled
    assert table["pooled"] is table["pooled"]
    with pytest.raises(ModuleNotFoundError):
        table["absent"]
    with pytest.raises(KeyError):
        table["other"]


def test_a_row_that_is_not_a_class_is_itself():
    assert (
        Table({"known": Lazy("edgeprune_core.families.presets:KNOWN")})["known"]["gpt2"]["model_type"]
        == "gpt2"
    )


def test_rows_can_be_added_and_removed():
    table: Table[int] = Table({"one": 1})
    table["two"] = 2
    assert dict(table) == {"one": 1, "two": 2}
    del table["one"]
    assert dict(table) == {"two": 2}


def test_modules_are_those_that_define_the_rows_loaded_or_not():
    before = METHODS.modules
    assert before == sorted({type(method).__module__ for method in METHODS.values()})
    assert METHODS.modules == before


@pytest.mark.parametrize(
    ("table", "attribute"), [("ablations", "name"), ("metrics", "name"), ("families", "model_type")]
)
def test_a_row_has_the_name_it_is_listed_under(table, attribute):
    assert [getattr(row, attribute) for row in TABLES[table].values()] == list(TABLES[table])
    assert [row.name for row in VARIANTS.values()] == list(VARIANTS)
