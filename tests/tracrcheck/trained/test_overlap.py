"""`tracrcheck overlap`: what is shared, by hand; each circuit on the other's task; the picture; wrong calls."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.trained_models import load_model
from tracrcheck.trained import overlap as comparing
from tracrcheck.trained.overlap import Layer, overlap

DOCS = Path(__file__).parents[3] / "docs" / "json.md"
SVG = "{http://www.w3.org/2000/svg}"
BOTH = ["tok -> m0", "m0 -> out"]
ONLY_A = ["tok -> a1.h2.v", "a1.h2 -> out", "tok -> out"]
ONLY_B = ["m0 -> m1", "m1 -> out"]


def graph() -> ResidualGraph:
    return ResidualGraph.of(load_model("english").model.spec)


def circuit(*edges: str) -> Circuit:
    return Circuit.of(graph(), edges)


@pytest.fixture
def files(here):
    (here / "a.json").write_text(circuit(*BOTH, *ONLY_A).dumps())
    (here / "b.json").write_text(circuit(*BOTH, *ONLY_B).dumps())
    return ["a.json", "b.json"]


def test_shared_and_own_edges_are_counted_by_the_layer_that_reads():
    found = overlap(circuit(*BOTH, *ONLY_A), circuit(*BOTH, *ONLY_B))
    assert found.shared == circuit(*BOTH)
    assert found.only_a == circuit(*ONLY_A)
    assert found.only_b == circuit(*ONLY_B)
    assert found.jaccard == 2 / 7
    assert found.expected == 5 * 4 / 1004
    assert found.layers() == (
        Layer(layer=0, shared=1, only_a=0, only_b=0),
        Layer(layer=1, shared=0, only_a=1, only_b=1),
        Layer(layer=None, shared=1, only_a=2, only_b=1),
    )


def test_a_circuit_is_all_shared_with_itself_and_two_empty_ones_have_no_share():
    one, none = circuit(*ONLY_A), circuit()
    assert overlap(one, one).jaccard == 1
    assert not overlap(one, one).only_a
    assert overlap(none, none).jaccard is None
    assert overlap(none, none).layers() == ()


def test_circuits_of_different_graphs_are_not_compared():
    other = Circuit.empty(ResidualGraph(1, 6, 6, True, False))
    with pytest.raises(CheckError, match="EP121") as caught:
        overlap(circuit(), other)
    assert caught.value.do == "compare circuits of one model"


def test_edges_alone_are_compared_without_a_model(call, files, here):
    result = call("overlap", *files, "--json", "o.json", "--out", "o.svg")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[:3] == [
        "A: a.json, 5 edges; B: b.json, 4 edges; of 1,004",
        "shared 2, 29% of those that either has (Jaccard); two random circuits of these sizes share 0.0",
        "only A 3; only B 2",
    ]
    assert [line.split() for line in lines[4:8]] == [
        ["edges", "into", "shared", "only", "A", "only", "B"],
        ["layer", "0", "1", "0", "0"],
        ["layer", "1", "0", "1", "1"],
        ["out", "1", "2", "1"],
    ]
    document = json.loads((here / "o.json").read_text())
    assert document["judged"] == []
    assert document["asked"]["model"] is None
    assert (document["shared"], document["only_a"]) == (circuit(*BOTH).texts, circuit(*ONLY_A).texts)


def test_each_circuit_is_judged_on_both_tasks_and_the_shared_edges_too(call, files, here):
    words = [
        "--task-a",
        "ioi",
        "--task-b",
        "gendered_pronoun",
        "--prompts",
        "4",
        "--draws",
        "2",
        "--json",
        "o.json",
    ]
    result = call("overlap", *files, *words)
    assert result.exit_code == 0, result.output
    document = json.loads((here / "o.json").read_text())
    rows = [(row["circuit"], row["task"]) for row in document["judged"]]
    assert rows == [(c, t) for t in ("ioi", "gendered_pronoun") for c in ("a", "b", "shared")]
    # B on A's task, as `faithfulness` judges it.
    alone = call(
        "faithfulness", "b.json", "--task", "ioi", "--prompts", "4", "--draws", "2", "--json", "f.json"
    )
    assert alone.exit_code == 0
    judged = json.loads((here / "f.json").read_text())
    assert document["judged"][1]["faithfulness"] == {
        k: judged[k] for k in document["judged"][1]["faithfulness"]
    }
    table = [
        line.split() for line in result.stdout.splitlines() if re.match(r"(A|B|shared) .* of 30 cells", line)
    ]
    assert [row[:3] for row in table][:3] == [["A", "ioi", "5"], ["B", "ioi", "4"], ["shared", "ioi", "2"]]
    documented = set(re.findall(r"`(\w+)`", DOCS.read_text()))
    fields = {*document, *document["asked"], *document["layers"][0], *document["judged"][0]}
    assert fields <= documented, fields - documented


def test_the_minutes_are_for_all_evaluations_and_shared_edges_that_lead_nowhere_are_not_judged(monkeypatch):
    nowhere = "tok -> a1.h2.v"
    found = overlap(circuit(*BOTH, nowhere), circuit(*BOTH, nowhere, "tok -> out"))
    minutes, circuits = [], []

    def judge(subject, pairs, judged, **more):
        minutes.append(more["minutes"])
        circuits.append(judged)

    monkeypatch.setattr(comparing, "judge", judge)
    list(comparing.crossed(found, None, {"ioi": [], "other": []}, draws=2, seed=0, minutes=12))
    assert sum(minutes) == pytest.approx(12)
    assert circuits[2] == circuits[5] == circuit(*BOTH)


def test_the_page_is_the_same_from_the_file(call, files, here):
    words = ["--task-a", "ioi", "--task-b", "gendered_pronoun", "--prompts", "4", "--draws", "2"]
    assert call("overlap", *files, *words, "--json", "o.json", "--html", "o.html").exit_code == 0
    page = (here / "o.html").read_text()
    for text in (
        "ioi and gendered_pronoun in english",
        "Each circuit on each task",
        "gendered_pronoun, every cell",
    ):
        assert text in page
    assert call("report", "o.json", "--html", "again.html").exit_code == 0
    assert len(page) > 20_000
    assert (
        page == (here / "again.html").read_text()
    )  # the command, commit and machine too: they are in the file
    older = json.loads((here / "o.json").read_text())
    made = older.pop("run")
    assert made["command"] in page
    in_markdown = call("report", "o.json").stdout
    assert f"    {made['command']}\n" in in_markdown
    assert f"* commit {made['commit']}\n* begun {made['started']}\n* " in in_markdown
    (here / "older.json").write_text(json.dumps(older))
    assert call("report", "older.json", "--html", "older.html").exit_code == 0


def test_a_file_that_is_no_comparison_of_two_circuits_is_refused(call, here):
    (here / "o.json").write_text(json.dumps({"schema": "tracrcheck.overlap/1", "asked": {}}))
    result = call("report", "o.json")
    assert result.exit_code == 2
    assert "TC143 o.json" in result.stderr


def test_the_picture_has_each_edge_in_the_colour_of_whose_it_is(call, files, here):
    assert call("overlap", *files, "--out", "o.svg").exit_code == 0
    root = ElementTree.parse(here / "o.svg").getroot()
    drawn: dict[str, set[tuple[str, str | None]]] = {}
    whose: dict[str, set[str]] = {}
    for path in root.iter(f"{SVG}path"):
        name = path.get("class")
        drawn.setdefault(name, set()).add((path.get("stroke"), path.get("stroke-dasharray")))
        whose.setdefault(name, set()).add(path.findtext(f"{SVG}title"))
    assert whose == {"shared": set(BOTH), "only-A": set(ONLY_A), "only-B": set(ONLY_B)}
    assert all(len(strokes) == 1 for strokes in drawn.values())
    assert len(set.union(*drawn.values())) == 3
    texts = [t.text for t in root.iter(f"{SVG}text")]
    assert {"shared: 2", "only A: 3", "only B: 2"} <= set(texts)
    assert "2 shared, 1 B" in texts  # m0: read by out and written from tok; and m0 -> m1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.json", "none.json"], ["TC184 cannot read a circuit from 'none.json'", "No such file"]),
        (["a.json", "words.json"], ["TC184 cannot read a circuit from 'words.json'", "JSONDecodeError"]),
        (["a.json", "list.json"], ["EP122 list.json not a circuit file"]),
        (
            ["a.json", "small.json"],
            ["EP121 two circuits of different graphs", "compare circuits of one model"],
        ),
        (["a.json", "b.json", "--task-a", "ioi"], ["TC185 --task-a, --task-b", "got     --task-a ioi"]),
        (["a.json", "b.json", "--model", "english"], ["TC185 --model", "got     neither"]),
        (["a.json", "b.json", "--task-a", "ioi", "--task-b", "io"], ["TC171", "did you mean 'ioi'"]),
        (["a.json", "b.json", "--out", "no/o.svg"], ["TC115 cannot write 'no/o.svg'"]),
    ],
)
def test_a_wrong_call_is_reported(call, files, here, words, message):
    (here / "words.json").write_text("no json")
    (here / "list.json").write_text('["tok -> out"]')
    (here / "small.json").write_text(Circuit.empty(ResidualGraph(1, 2, 2, True, False)).dumps())
    result = call("overlap", *words)
    assert result.exit_code == 2, result.output
    assert all(text in result.stderr for text in message), result.stderr
    assert "Traceback" not in result.output


def test_circuits_of_another_model_than_the_tasks_are_refused(call, here):
    for name in ("a.json", "b.json"):
        (here / name).write_text(Circuit.empty(ResidualGraph(1, 2, 2, True, False)).dumps())
    result = call("overlap", "a.json", "b.json", "--task-a", "ioi", "--task-b", "ioi", "--prompts", "2")
    assert result.exit_code == 2
    assert "EP121 a circuit of another graph" in result.stderr


def test_what_discover_wrote_as_json_is_a_circuit_too(call, files, here):
    (here / "found.json").write_text(
        json.dumps({"schema": "x", "circuit": circuit(*BOTH, *ONLY_A).to_json()})
    )
    assert call("overlap", "found.json", "b.json").stdout.splitlines()[1].startswith("shared 2, 29%")
