"""The contract of every importer in the table."""

from __future__ import annotations

import inspect
import json

import pytest

from edgeprune_core.errors import CheckError
from tests.tracrcheck.importers.conftest import SAMPLES, sample
from tracrcheck.commands.grade import grade
from tracrcheck.importers import IMPORTERS, importer_for

ODD = [
    None, 3, "x", [], {}, [1], [[1]], [["a", "b", "c"]], [["a", 1]], {"a": 1}, [None], {"edges": []}, [{}],
    ["tok"], ["a->b"], {"MLP 0->MLP 1": "x"}, {"MLP 0->MLP 1": None}, [[["a", 1, "b", 2], True]],
    [[["a", [], "b", []], True]], {"cfg": 1, "nodes": 1, "edges": 1}, {"cfg": {}, "nodes": {}, "edges": {"a": 1}},
    {"schema": "edgeprune_core.circuit/1"}, {"blocks.0.hook_q_input": 3}, {"blocks.9.hook_mlp_in": [[[[1]]]]},
    {"blocks.0.hook_mlp_in": ["x"]},
]  # fmt: skip


# What the files of these formats do not say themselves.
TO_BE_NAMED = ("edge_pruning_without_embeddings", "eap_ig_hooked", "autocircuit_hooked")


def test_every_importer_has_a_sample_and_every_sample_an_importer():
    assert sorted(IMPORTERS) == sorted(path.stem for path in SAMPLES.glob("*.json"))


def test_the_help_of_grade_names_every_format():
    option = inspect.signature(grade).parameters["format"].annotation.__metadata__[0]
    assert set(option.help.removesuffix("; or auto.").split(", ")) == set(IMPORTERS)


@pytest.mark.parametrize("name", IMPORTERS)
def test_an_importer_says_in_a_line_how_it_maps_and_how_to_get_its_json(name):
    importer = IMPORTERS[name]
    assert importer.name == name
    for text in (importer.mapping, importer.convert):
        assert text
        assert "\n" not in text


@pytest.mark.parametrize("name", [n for n in IMPORTERS if n not in TO_BE_NAMED])
def test_a_sample_is_recognised_by_its_own_importer_alone(name):
    assert importer_for("auto", sample(name)).name == name


@pytest.mark.parametrize("name", IMPORTERS)
def test_the_right_circuit_holds_and_without_an_edge_it_fails(reverse, name):
    imported = reverse.read(name, sample(name))
    truth = imported.granularity.coarsen(reverse.certificate.required)
    assert imported.kept == truth
    verdict = reverse.grade(imported)
    assert (verdict.verdict, verdict.missing, verdict.extra) == ("HOLDS", (), ())
    lost = sorted(truth)[0]
    from dataclasses import replace

    verdict = reverse.grade(replace(imported, kept=truth - {lost}))
    assert (verdict.verdict, verdict.reason, verdict.missing) == ("FAILS", "unfaithful", (lost,))
    assert verdict.witness is not None


@pytest.mark.parametrize("name", IMPORTERS)
def test_the_sample_of_one_program_is_refused_for_a_smaller_one(reverse, name):
    from tests import zoo

    with pytest.raises(CheckError) as caught:
        IMPORTERS[name].read(sample(name), zoo.compiled("hist").graph, threshold=None)
    assert caught.value.code in ("TC132", "TC133")


@pytest.mark.parametrize("document", ODD, ids=json.dumps)
@pytest.mark.parametrize("name", IMPORTERS)
def test_an_odd_document_is_read_or_refused_with_words_and_never_breaks(reverse, name, document):
    assert IMPORTERS[name].recognises(document) in (True, False)
    try:
        imported = reverse.read(name, document)
    except CheckError as error:
        code = error.code
    else:
        code = "read"
        assert not imported.kept
    assert code != "read" or document == []
    assert code in ("read", "TC132", "TC133", "TC135", "EP111", "EP112", "EP113", "EP122")


def test_the_page_of_formats_shows_each_importer_as_it_is():
    page = (SAMPLES.parents[3] / "docs" / "importers.md").read_text()
    for importer in IMPORTERS.values():
        assert f"## `{importer.name}`" in page
        assert importer.convert in page
