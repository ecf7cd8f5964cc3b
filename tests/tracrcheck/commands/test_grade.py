"""`tracrcheck grade`: circuits made elsewhere, judged on the command line with the exit codes of the gate."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.tracrcheck.calls import finished

SAMPLES = Path(__file__).parents[1] / "importers" / "samples"
RIGHT = ["--program", "reverse", "--lengths", "2-3"]


@pytest.fixture
def put(here):
    def write(document, name="circuit.json"):
        (here / name).write_text(document if isinstance(document, str) else json.dumps(document))
        return name

    return write


@pytest.mark.parametrize("name", ["tracrcheck", "edge_pruning", "acdc", "autocircuit", "eap_ig"])
def test_a_right_circuit_of_every_format_is_recognised_and_ends_with_0(call, name):
    result = finished(call("grade", SAMPLES / f"{name}.json", *RIGHT), 0)
    assert result.stdout.startswith(f"read as {name}: ")
    assert "1 hold, 0 fail, 0 unknown, 0 vacuous; " in result.stdout


def test_a_wrong_circuit_is_reported_with_expressions_witness_and_a_replay_that_replays(call, put, here):
    put(["tok -> a3.h0.v", "a3.h0 -> out", "tok -> m3"])
    words = ["grade", "circuit.json", "--program", "reverse", "--ablation", "zero", "--score-bos"]
    result = finished(call(*words, "--json", "out.json"), 1)
    block = result.stdout[result.stdout.index("FAILS reverse,") :].splitlines()
    assert block[0] == "FAILS reverse, zero, value, circuit.json, seed 0: unfaithful"
    assert re.fullmatch(r"    missing \d+:", block[1])
    lines = [" ".join(line.split()) for line in block]
    assert "m1 -> m2 carries opp_idx = sequence_map(length, indices), into opp_idx-1 = map(opp_idx)" in lines
    at = block.index("    extra   1:")
    assert block[at + 1] == "        tok -> m3  carries tokens, into (nothing: an unused component)"
    assert block[at + 2].startswith("    witness input ['a'], position 0: want ")
    replay = block[at + 3].removeprefix("    replay  ")
    assert replay == (
        "tracrcheck grade circuit.json --program reverse --ablation zero --criterion value "
        "--format tracrcheck --score-bos"
    )
    assert (
        finished(call(*shlex.split(replay)[1:]), 1).stdout.splitlines()[:-1]
        == result.stdout.splitlines()[:-1]
    )
    document = json.loads((here / "out.json").read_text())
    assert list(document) == ["verdicts", "summary"]
    assert document["verdicts"][0]["extra"] == ["tok -> m3"]


def test_a_coarse_circuit_says_what_it_does_not_distinguish(call, put):
    put(["Resid Start->A3.0.V", "A3.0->Resid End"])
    result = finished(call("grade", "circuit.json", "--program", "reverse", "--ablation", "resample"), 0)
    assert "    note    token and position embeddings are one writer, `tok+pos`\n" in result.stdout
    result = finished(call("grade", "circuit.json", "--program", "reverse"), 1)
    assert (
        "        tok+pos -> m0       carries tokens; indices, into length = selector_width(" in result.stdout
    )


def test_a_file_of_scores_is_judged_from_its_threshold_upwards_and_ranked(call, put):
    scores = {"Resid Start->A3.0.V": 2.0, "A3.0->Resid End": -1.0, "MLP 0->Resid End": 0.2}
    put(scores)
    words = [
        "grade",
        "circuit.json",
        "--program",
        "reverse",
        "--ablation",
        "resample",
        "--rest",
        "cut",
        "--threshold",
    ]
    assert "scores are not ranked" in finished(call(*words, "0.5"), 0).stdout
    result = finished(call(*words, "0.1"), 1)
    assert "FAILS reverse, resample, value, circuit.json, seed 0: not_smallest" in result.stdout
    assert "--format autocircuit --threshold 0.1 --rest cut" in result.stdout
    fine = finished(call(*words, "0.1999999999"), 1)
    assert "--format autocircuit --threshold 0.1999999999" in fine.stdout, "a replay keeps every digit"


@pytest.mark.parametrize(
    ("name", "words"),
    [("eap_ig", ()), ("eap_ig", ("--threshold", "0.5")), ("autocircuit", ("--threshold", "0.5"))],
)
def test_a_file_that_was_cut_short_is_refused_unless_it_says_that_the_rest_is_cut(call, put, name, words):
    document = json.loads((SAMPLES / f"{name}.json").read_text())
    if name == "eap_ig":
        document["edges"] = dict(list(document["edges"].items())[:20])
        n, total = len(document["edges"]), 77
    else:
        document = {"MLP 0->MLP 1": 2.0, "MLP 1->MLP 2": 0.1}
        n, total = 2, 77
    put(document)
    result = finished(call("grade", "circuit.json", *RIGHT, *words), 2)
    assert result.stderr.startswith(
        f"TC137 circuit.json the file does not name {total - n} of the {total} edges"
    )
    assert "do      write the file again, or add --rest cut if the tool cut those edges" in result.stderr
    finished(call("grade", "circuit.json", *RIGHT, *words, "--rest", "cut"), 1)
    result = finished(call("grade", "circuit.json", *RIGHT, *words, "--rest", "kept"), 2)
    assert result.stderr.startswith("TC117 --rest not a word on the other edges")


def test_edges_that_are_kept_and_cut_are_all_named_and_those_kept_alone_are_not(call, put):
    put({"MLP 0->MLP 1": True, "MLP 1->MLP 2": True})
    finished(call("grade", "circuit.json", *RIGHT), 1)
    put({"MLP 0->MLP 1": True, "MLP 1->MLP 2": False})
    finished(call("grade", "circuit.json", *RIGHT), 2)


def test_every_requested_ablation_is_judged(call, put):
    put(["tok -> a3.h0.v", "a3.h0 -> out"])
    result = finished(call("grade", "circuit.json", "--program", "reverse", "--ablation", "all"), 1)
    assert "2 hold, 1 fail" in result.stdout  # right under mean and resample, wrong under zero


def test_unknown_verdicts_can_be_allowed(call, put, monkeypatch):
    from dataclasses import replace

    from tracrcheck.grading import grade_imported
    from tracrcheck.truth import cache

    def undecided(*args, **named):
        return replace(
            cache.certificate_of(*args, **named), proved=(), unknown={"sufficient": "a narrow gap"}
        )

    monkeypatch.setattr(grade_imported, "certificate_of", undecided)
    put([])
    finished(call("grade", "circuit.json", "--program", "hist"), 1)
    finished(call("grade", "circuit.json", "--program", "hist", "--allow-unknown"), 0)


WRONG = {
    "no such file": (None, [], "TC131 cannot read a circuit from 'circuit.json'\n    got     No such file"),
    "a pickle": (
        "\x80\x04\x95",
        [],
        "TC131 cannot read a circuit from 'circuit.json'\n    got     JSONDecodeError: ",
    ),
    "a file cut short": (
        '{"edges": ["tok -> m0',
        [],
        "TC131 cannot read a circuit from 'circuit.json'\n    got     JSONDecodeError: Unterminated string",
    ),
    "a list of edges of which one is none": (
        ["tok -> m0", "bad"],
        [],
        "TC133 circuit.json the circuit has edges that the model's graph does not have\n    got     bad\n"
        "    wanted  edges of 1 layers x 1 heads\n"
        "    do      one of: a0.h0 -> m0, a0.h0 -> out, ",
    ),
    "no circuit": (
        {"a": 1},
        [],
        "TC131 circuit.json no format recognises the file\n    got     an object with a\n    wanted  a circuit of one of: tracrcheck, ",
    ),
    "edges of another program": (
        ["tok -> a9.h0.v"],
        [],
        "TC133 circuit.json the circuit has edges that the model's graph does not have\n"
        "    got     tok -> a9.h0.v\n    wanted  edges of 1 layers x 1 heads\n    do      did you mean 'tok -> a",
    ),
    "a circuit of another graph": (
        (SAMPLES / "tracrcheck.json").read_text(),
        [],
        "TC133 circuit.json the circuit is of another graph than the model's\n",
    ),
    "an unknown format": (
        [],
        ["--format", "eap"],
        "TC136 --format no format 'eap'\n    got     eap\n    wanted  auto, tracrcheck, edge_pruning, ",
    ),
    "scores without a threshold": (
        {"MLP 0->Resid End": 0.5},
        [],
        "TC135 --threshold the file (autocircuit) holds scores, and no circuit\n    got     none\n",
    ),
    "a threshold that is no number": (
        {"MLP 0->Resid End": 0.5},
        ["--threshold", "nan"],
        "TC117 --threshold not a threshold\n    got     nan\n    wanted  a number\n",
    ),
    "another format than named": (
        ["tok -> m0"],
        ["--format", "acdc"],
        "TC132 circuit.json not a circuit in the format 'acdc'\n    got     list\n    wanted  a list of [[receiver, ",
    ),
    "an unknown ablation": ([], ["--ablation", "zeros"], "TC111 no ablation 'zeros'\n"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_call_is_reported_and_ends_with_2(call, put, case):
    document, words, start = WRONG[case]
    if document is not None:
        put(document)
    result = finished(call("grade", "circuit.json", "--program", "hist", *words), 2)
    assert result.stderr.startswith(start)
    assert result.stdout == ""


def test_the_help_names_every_format(call, monkeypatch):
    from tracrcheck.importers import IMPORTERS

    monkeypatch.setenv("COLUMNS", "300")
    text = call("grade", "--help").stdout
    for name in IMPORTERS:
        assert name in text
