"""`programs` and `certify`: what they list, print and write."""

from __future__ import annotations

import json

import pytest

from tests.tracrcheck.calls import finished


def test_the_programs_are_listed(call):
    result = finished(call("programs"), 0)
    rows = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert len(rows) >= 49
    assert rows["reverse"].split() == ["reverse", "a", "b", "c", "4", "4", "x", "1", "94"]
    assert rows["shuffle_dyck2"].endswith("2,102")


def test_a_broken_file_among_the_programs_is_reported_after_the_list(call, write):
    folder = write("bad", text="x = 1\n").parent
    result = finished(call("programs", "--programs-dir", folder), 2)
    assert "reverse" in result.stdout
    assert result.stderr.startswith("TC103 ")


@pytest.mark.parametrize(
    ("words", "n_required"),
    [
        ("reverse --ablation zero --lengths 2-3", 11),
        ("reverse --ablation zero --lengths 4-4", 9),
        ("reverse --ablation resample --lengths 4-4", 2),
        ("xproportion --ablation zero", 5),
        ("xproportion --ablation zero --score-bos", 7),
        ("xproportion --ablation resample --lengths 4", 3),
    ],
)
def test_certify_gives_the_published_lists_in_their_settings(call, here, words, n_required):
    result = finished(call("certify", *words.split(), "--json", "c.json"), 0)
    (certificate,) = json.loads((here / "c.json").read_text())["certificates"]
    assert len(certificate["required"]) == n_required
    assert certificate["proved"] == ["sufficient", "minimal", "smallest", "unique"]
    assert f"required  {n_required} of" in result.stdout


def test_certify_prints_what_each_edge_joins(call):
    result = finished(call("certify", "reverse", "--ablation", "resample"), 0)
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "tok -> a3.h0.v tokens reverse = aggregate(reverse_selector, tokens)" in lines
    assert "a3.h0 -> out reverse = aggregate(reverse_selector, tokens) the output" in lines


def test_certify_shows_the_other_circuit_where_there_are_several(call):
    result = finished(call("certify", "either_of_two_heads", "--ablation", "zero"), 0)
    assert "unique: no: several smallest circuits" in result.stdout
    assert "  another   " in result.stdout


def test_certify_ends_with_1_where_nothing_is_proved(call, monkeypatch):
    from dataclasses import replace

    from tracrcheck.truth import cache

    real = cache.certificate_of
    monkeypatch.setattr(
        cache,
        "certificate_of",
        lambda *a: replace(real(*a), proved=(), unknown={"sufficient": "a narrow gap"}),
    )
    result = finished(call("certify", "hist", "--ablation", "zero"), 1)
    assert result.stderr == "UNKNOWN hist, zero, value: UNKNOWN(a narrow gap)\n"
    assert "proved    nothing" in result.stdout
