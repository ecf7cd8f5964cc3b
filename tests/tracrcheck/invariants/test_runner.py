"""The runner and its command: order, stopping, what is printed and what fails."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from edgeprune_core.errors import CheckError
from tests.tracrcheck.invariants.breaks.methods import temperature_lost
from tracrcheck.cli import app
from tracrcheck.invariants import INVARIANTS, Invariant, Violation
from tracrcheck.invariants.runner import check_all, check_one, chosen
from tracrcheck.invariants.subjects import small


def _of(name: str, **more) -> Invariant:
    return Invariant(name=name, statement=name, **{"check": lambda subject, seed: (), **more})


def _fails(subject, seed):
    yield Violation("something", 1, 2)


def _raises(subject, seed):
    raise ZeroDivisionError("no")


def test_names_and_statements_are_given_once():
    assert len({i.name for i in INVARIANTS}) == len({i.statement for i in INVARIANTS}) == len(INVARIANTS)


def test_those_chosen_come_in_the_order_of_the_table():
    assert [i.name for i in chosen(["any_circuit", "legal_edges"])] == ["legal_edges", "any_circuit"]
    assert chosen([]) == INVARIANTS


def test_an_unknown_invariant_is_refused_with_the_nearest_name():
    with pytest.raises(CheckError) as caught:
        chosen(["any_circiut"])
    assert str(caught.value) == (
        "TC155 no invariant 'any_circiut'\n    got     any_circiut\n    wanted  an invariant\n"
        "    do      did you mean 'any_circuit' or 'masks_and_circuits' or 'along_inputs'?"
    )


def test_a_check_that_raises_is_a_violation():
    found = check_one(_of("breaks", check=_raises), small("gpt2", 0), 0)
    assert found.red
    assert found.violation == "the check raised ZeroDivisionError: got no, wanted no error"


def test_it_stops_at_the_first_red_if_requested_and_never_for_what_is_not_a_law():
    table = (_of("a"), _of("b", check=_fails, law=False), _of("c", check=_fails), _of("d"))
    stopped = [c.invariant for c in check_all(table, [0], programs=0, stop=True)]
    assert stopped == ["a"] * 3 + ["b"] * 3 + ["c"]
    assert len(list(check_all(table, [0, 1], programs=0))) == 4 * 3 * 2


def test_the_command_writes_what_it_found_and_passes_where_all_hold(tmp_path):
    path = tmp_path / "found.json"
    call = [
        "invariants",
        "--only",
        "closed_forms",
        "--only",
        "any_circuit",
        "--programs",
        "0",
        "--json",
        str(path),
    ]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0
    assert done.output.endswith("6 checks, 0 broken\n")
    found = json.loads(path.read_text())
    assert found["schema"] == "tracrcheck.invariants/1"
    assert found["summary"] == {"checks": 6, "broken": 0}
    assert set(found["checks"][0]) == {"invariant", "subject", "seed", "law", "violation", "seconds"}


def test_the_command_fails_with_the_case_where_one_is_broken(monkeypatch):
    temperature_lost(monkeypatch)
    done = CliRunner().invoke(app, ["invariants", "--only", "closed_forms", "--programs", "0", "--stop"])
    assert done.exit_code == 1
    assert "BROKEN closed_forms on gpt2_0, seed 0: P(z = 0) at 0: got " in done.output
    assert done.output.endswith("1 checks, 1 broken\n")


def test_a_wrong_name_is_a_wrong_call():
    assert CliRunner().invoke(app, ["invariants", "--only", "nothing"]).exit_code == 2
