"""`tracrcheck discover`: what it prints and writes, and how large a circuit it looks for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from edgeprune_core.circuit import Circuit
from edgeprune_core.trained_models import load_model
from tests.tracrcheck.calls import finished
from tests.tracrcheck.commands.english import FEW, PAIR, graph
from tracrcheck.reports.discovery import circuit_svg
from tracrcheck.trained import discover as discovering
from tracrcheck.trained import prompts
from tracrcheck.trained.suited import Effort

DOCS = Path(__file__).parents[3] / "docs" / "json.md"
METHODS = "tests.tracrcheck.trained_pruners:"
CELL = ["ablation", "direction", "metric", "circuit", "random", "model", "no_edges", "faithful"]
MATRIX = ["n_edges", "n_prompts", "draws", "confidence", "sentence", "cells"]
DISCOVERY = ["schema", "run", "asked", "fault", "seconds", "n_edges", "n_graph_edges", "n_dangling", "kl_mean", "kl_worst",
             "kl_held_out", "n_held_out", "circuit", "scores", "faithfulness"]  # fmt: skip


def test_a_circuit_is_printed_judged_drawn_and_written(call, here):
    words = ["--method", METHODS + "with_a_dangling_edge", *FEW, "--out", "found", "--json", "out.json"]
    lines = finished(call("discover", "--task", "ioi", *words), 0).stdout.splitlines()
    wanted = "wanted: every prompt within the tolerance, of 1,004 in the graph"
    wanted += "; 6 prompts of each list; evaluation in at most 10 min"
    assert lines[0] == f"ioi in english: {METHODS}with_a_dangling_edge, resample ablation, seed 0; {wanted}"
    assert re.match(r"3 of 1,004 edges, 1 dangling ones dropped, found in \d+ s; on the 6 prompts it was found on, KL ",
                    lines[1])  # fmt: skip
    assert lines[2:4] == ["    edges into v 1, out 2", "    most edges: a1.h2 2"]
    assert lines[4].startswith("wrote ")
    assert len([line for line in lines if line.split()[0:1] in (["zero"], ["mean"], ["resample"])]) == 30
    assert any(line.startswith("3 edges on 6 prompts; intervals: 95 %") for line in lines)
    assert any(line.startswith(("faithful in ", "the circuit is faithful")) for line in lines)
    circuit = Circuit.from_json(json.loads((here / "found" / "circuit.json").read_text()))
    assert circuit.texts == ["tok -> a1.h2.v", "tok -> out", "a1.h2 -> out"]
    root = ElementTree.parse(here / "found" / "circuit.svg").getroot()
    titles = [t.text for t in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[1:4] == circuit.texts
    assert "a1.h2: reads 1, writes 1" in titles
    assert len([t for t in titles if ": " in t and " -> " not in t]) == 1 + 3  # the title, tok, a1.h2 and out


def test_what_is_looked_for_is_printed_before_the_method_runs(call, here):
    lines = finished(
        call("discover", "--task", "ioi", "--method", METHODS + "prints", *FEW), 0
    ).stdout.splitlines()
    assert lines[0].startswith("ioi in english: ")
    assert lines[1] == "at work"


def test_the_documented_fields_are_written(call, here):
    finished(call("discover", "--task", "ioi", "--method", "random", *FEW, "--json", "d.json"), 0)
    found = json.loads((here / "d.json").read_text())
    assert list(found) == DISCOVERY
    assert list(found["asked"]) == ["task", "model", "method", "ablation", "prompts", "draws", "seed", "size"]
    assert list(found["faithfulness"]) == MATRIX
    assert list(found["faithfulness"]["cells"][0]) == CELL
    (here / "c.json").write_text(json.dumps(found["circuit"]))
    finished(call("faithfulness", "c.json", "--task", "ioi", *FEW, "--json", "f.json"), 0)
    judged = json.loads((here / "f.json").read_text())
    assert list(judged) == ["schema", "asked", *MATRIX]
    assert list(judged["asked"]) == ["circuit", "task", "model", "prompts", "draws", "seed"]
    (alone,) = (
        c
        for c in judged["cells"]
        if (c["ablation"], c["direction"], c["metric"]) == ("resample", "kept", "kl")
    )
    assert found["kl_held_out"] == pytest.approx(alone["circuit"]["mean"], rel=1e-4)
    assert found["n_held_out"] == judged["n_prompts"] == 6
    # Both commands judge the same circuit on the same prompts.
    assert {k: judged[k] for k in MATRIX} == found["faithfulness"]
    documented = set(re.findall(r"`(\w+)`", DOCS.read_text()))
    fields = {*DISCOVERY, *MATRIX, *CELL, *judged, *judged["asked"], *found["asked"]}
    assert fields <= documented, fields - documented


def test_edges_that_are_printed_are_those_that_count(call, here):
    words = ["--method", "random", *FEW, "--json", "out.json"]
    finished(call("discover", "--task", "gendered_pronoun", *words), 0)
    found = json.loads((here / "out.json").read_text())
    circuit = Circuit.from_json(found["circuit"])
    assert circuit == circuit.connected()
    assert found["n_edges"] == len(circuit) == found["faithfulness"]["n_edges"]


def test_the_method_is_asked_under_the_ablation_and_seed_on_other_prompts_than_the_judge(call, here):
    words = ["--method", METHODS + "writes_what_it_sees", "--ablation", "mean", "--seed", "7", *FEW]
    finished(call("discover", "--task", "ioi", *words), 0)
    seen = json.loads((here / "seen.json").read_text())
    assert (seen["ablation"], seen["seed"], len(seen["prompts"])) == ("mean", 7, 6)
    english = load_model("english")
    judged = prompts.judging_list("ioi", english.tokenizer, n=6, seed=7).pairs
    assert not {p.clean for p in judged} & set(seen["prompts"])


def test_a_method_that_fails_ends_with_1_its_reason_and_nothing_written_but_the_record(call, here):
    words = ["--method", METHODS + "raises", *FEW, "--out", "found", "--json", "out.json"]
    result = finished(call("discover", "--task", "ioi", *words), 1)
    assert result.stdout.splitlines()[1] == "FAILS: raised: ValueError: no idea"
    assert sorted(p.name for p in here.iterdir()) == ["out.json"]
    found = json.loads((here / "out.json").read_text())
    assert (found["fault"], found["circuit"], found["faithfulness"]) == ("raised", None, None)


def test_pairs_of_a_file_are_taken_in_turn_to_discover_on_and_to_judge_on(call, here):
    lines = [
        {"clean": f"So {a} is always on time, isn't", "corrupted": f"So {b} is always on time, isn't",
         "answer": " she", "foil": " he"}
        for a, b in (("Mary", "John"), ("Lucy", "Mark"), ("Amy", "Paul"), ("Jane", "Jack"), ("Anna", "Carl"))
    ]  # fmt: skip
    (here / "mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = ["--method", METHODS + "writes_what_it_sees", "--draws", "2", "--json", "out.json"]
    finished(call("discover", "--task", "mine.jsonl", *words), 0)
    seen = json.loads((here / "seen.json").read_text())["prompts"]
    assert [prompt.split()[1] for prompt in seen] == ["Mary", "Amy", "Anna"]
    assert json.loads((here / "out.json").read_text())["faithfulness"]["n_prompts"] == 2
    # `faithfulness` judges a circuit on the same pairs
    (here / "full.json").write_text(Circuit.full(graph()).dumps())
    finished(
        call("faithfulness", "full.json", "--task", "mine.jsonl", "--draws", "2", "--json", "judged.json"), 0
    )
    assert json.loads((here / "judged.json").read_text())["n_prompts"] == 2


def test_a_pair_that_a_file_repeats_is_not_judged_on_where_it_was_found_on(here):
    names = ("Mary", "Lucy", "Amy", "Mary")  # taken in turn: Mary and Amy, then Lucy and Mary
    lines = [PAIR | {"clean": f"So {name} works very hard, doesn't"} for name in names]
    Path("mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    lists = prompts.both_lists("mine.jsonl", load_model("english").tokenizer, n=10, seed=0)
    subjects = [[p.clean.split()[1] for p in pairs] for pairs in (lists.train, lists.held_out)]
    assert subjects == [["Mary", "Amy"], ["Lucy"]]


def test_the_lines_of_a_large_circuit_have_a_colour_of_each_writer_and_those_of_a_small_one_are_alike():
    full = Circuit.full(graph())
    few = Circuit.of(full.graph, ["tok -> out", "m1 -> out"])
    for circuit, colours in ((full, len(full.graph.writers)), (few, 1)):
        root = ElementTree.fromstring(circuit_svg(circuit, name="ioi", title="ioi"))
        paths = list(root.iter("{http://www.w3.org/2000/svg}path"))
        found = {(p[0].text.split(" -> ")[0], p.get("stroke")) for p in paths}
        assert len(paths) == len(circuit)
        assert len({stroke for _, stroke in found}) == colours
        assert len(found) == len({writer for writer, _ in found})


# How large, which settings, how long


def found_with(call, here, *words: str) -> dict:
    finished(call("discover", "--task", "ioi", *FEW, *words, "--json", "d.json"), 0)
    return json.loads((here / "d.json").read_text())


def test_a_size_is_kept_to_and_recorded(call, here):
    found = found_with(call, here, "--method", "random", "--edges", "40")
    assert 0 < found["n_edges"] + found["n_dangling"] <= 40
    assert found["asked"]["size"] == "40 edges"
    wide = found_with(call, here, "--method", "eap", "--kl", "1")
    assert 0 < wide["kl_mean"] <= 1
    assert wide["n_edges"] < found_with(call, here, "--method", "eap", "--kl", "0.1")["n_edges"]


def test_settings_reach_the_method_and_are_recorded(call, here):
    words = ["--steps", "3", "--circuits", "2", "--batch", "2", "--learning-rate", "0.5", "--edges", "100"]
    found = found_with(call, here, *words, "--set", "kept=0", "--init", "eap")
    given = {
        "setting": ["kept=0"],
        "steps": 3,
        "circuits": 2,
        "batch": 2,
        "learning_rate": 0.5,
        "init": "eap",
    }
    assert {name: found["asked"][name] for name in given} == given
    cold = found_with(call, here, *words, "--set", "kept=0")
    assert cold["circuit"] != found["circuit"]


def test_every_edge_is_printed_only_where_that_is_wanted(call):
    words = ["discover", "--task", "ioi", "--method", "eap", "--edges", "300", *FEW]
    short, long = (finished(call(*words, *more), 0).stdout for more in ((), ("--list",)))
    assert " <- " not in short
    assert len([line for line in long.splitlines() if " <- " in line]) > 20


def test_an_evaluation_that_would_take_too_long_says_what_it_evaluates(call, here):
    result = finished(
        call("discover", "--task", "ioi", "--method", "eap", *FEW[:2], "--minutes", "0", "--json", "d.json"),
        0,
    )
    found = json.loads((here / "d.json").read_text())["faithfulness"]
    assert (found["n_prompts"], found["draws"]) == (6, 2)
    assert "6 prompts against 2 random circuits" in result.stderr


def test_the_evaluation_has_as_many_minutes_as_suit_the_search(call, monkeypatch):
    given, judge = [], discovering.judge
    monkeypatch.setattr(Effort, "minutes", lambda effort, seconds: 3.25)
    monkeypatch.setattr(
        discovering, "judge", lambda *args, **more: given.append(more["minutes"]) or judge(*args, **more)
    )
    finished(call("discover", "--task", "ioi", "--method", "random", *FEW), 0)
    assert given == [3.25]
