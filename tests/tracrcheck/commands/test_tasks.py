"""`tracrcheck tasks`: how well a model does the prompt tasks; and `--only-right`, which keeps the prompts that it does."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

import pytest

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.tasks import TASKS
from edgeprune_core.tasks.gendered_pronoun import GenderedPronoun
from edgeprune_core.trained_models import load_model
from tracrcheck.trained.leading import ability, leads_of
from tracrcheck.trained.prompts import both_lists, judging_list


@dataclass(frozen=True)
class Half(GenderedPronoun):
    """Half of its answers are wrong."""

    name: str = "half"

    def draw(self, rng):
        pair = GenderedPronoun.draw(self, rng)
        return (
            replace(pair, answers=pair.foils, foils=pair.answers, corrupted_answers=pair.answers)
            if rng.random() < 0.5
            else pair
        )


@pytest.fixture
def half(monkeypatch) -> str:
    """A task of which the shipped model does half."""
    monkeypatch.setitem(TASKS, "half", Half())
    return "half"


def finished(result, code: int = 0):
    assert result.exit_code == code, result.output
    return result


def test_every_task_is_listed_with_how_well_the_model_does_it(call, here):
    lines = finished(call("tasks", "--prompts", "6", "--json", "t.json")).stdout.splitlines()
    assert lines[0] == "english on 6 held-out prompts of each task"
    table = {line.split()[0]: line.split() for line in lines if line.split()[:1] and line.split()[0] in TASKS}
    assert list(table) == list(TASKS)
    assert table["ioi"][1:4] == ["6", "17", "100%"]
    assert table["capital"][1] == "0"
    assert "the model's tokenizer does not fit the prompts of 'capital'" in " ".join(table["capital"])
    rows = {row["task"]: row for row in json.loads((here / "t.json").read_text())["tasks"]}
    assert rows["ioi"]["accuracy"] == 1
    assert rows["ioi"]["margin"] > 5 > abs(rows["ioi"]["corrupted"])
    assert rows["capital"]["accuracy"] is None


def test_a_file_of_pairs_is_a_task_too_and_its_errors_are_not_hidden(call, here):
    good = {
        "clean": "So Mary is a really good friend, isn't",
        "corrupted": "So John is a really good friend, isn't",
    }
    lines = [
        json.dumps(good | {"answer": answer, "foil": foil})
        for answer, foil in ((" she", " he"), (" he", " she"))
    ]
    (here / "mine.jsonl").write_text("\n".join(lines * 2 + [lines[0]]))
    out = finished(call("tasks", "mine.jsonl")).stdout
    assert re.search(r"mine\.jsonl +\d", out)
    (here / "wrong.jsonl").write_text("{}\n")
    assert "EP181 wrong.jsonl:1" in finished(call("tasks", "wrong.jsonl"), 2).stderr


def test_the_accuracy_is_the_share_of_prompts_on_which_an_answer_leads(half):
    english = load_model("english")
    pairs = judging_list(half, english.tokenizer, n=40, seed=0).pairs
    led = leads_of(english)(pairs)
    assert 0 < sum(led) < 40
    assert ability(english, half, n=40, seed=0).accuracy == pytest.approx(sum(led) / 40)


def test_only_right_keeps_the_prompts_that_the_model_leads_on_in_their_order_and_counts_those_drawn(half):
    english = load_model("english")
    leads = leads_of(english)
    kept = both_lists(half, english.tokenizer, n=5, seed=0, leads=leads)
    for split, pairs, drawn in zip(
        ("train", "held_out"), (kept.train, kept.held_out), kept.drawn, strict=True
    ):
        everything = both_lists(half, english.tokenizer, n=drawn, seed=0)
        tried = everything.train if split == "train" else everything.held_out
        assert tuple(pair for pair, right in zip(tried, leads(tried), strict=True) if right) == pairs
        assert leads(tried)[-1]  # none was drawn after the last that is kept
        assert len(pairs) == 5 < drawn
    assert judging_list(half, english.tokenizer, n=5, seed=0, leads=leads).pairs == kept.held_out
    assert re.fullmatch(
        r"the model leads with an answer on 5 of \d+ \(\d+%\) prompts to discover on, and on 5 of \d+ \(\d+%\) to evaluate on",
        kept.sentence(),
    )


def test_a_task_that_the_model_cannot_do_has_no_right_prompts():
    english = load_model("english")
    with pytest.raises(CheckError) as caught:
        both_lists("ioi", english.tokenizer, n=2, seed=0, leads=lambda pairs: [False] * len(pairs))
    assert str(caught.value) == (
        "TC172 --only-right the model leads with an answer on too few prompts of 'ioi'\n    got     0 of 60\n"
        "    wanted  at least 2\n"
        "    do      leave --only-right out, or name a task that the model does: `tracrcheck tasks` says which"
    )


def test_of_a_file_the_right_lines_are_kept(here):
    line = {
        "clean": "So Mary is a really good friend, isn't",
        "corrupted": "So John is a really good friend, isn't",
    }
    names = ("Mary", "Kate", "Laura", "Lisa", "Lucy", "Susan")
    rows = [
        {**line, "clean": line["clean"].replace("Mary", name), "answer": " she" if i < 4 else " he"}
        for i, name in enumerate(names)
    ]
    (here / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    english = load_model("english")
    kept = both_lists("mine.jsonl", english.tokenizer, n=10, seed=0, leads=leads_of(english))
    assert [pair.where for pair in kept.train] == ["mine.jsonl:1", "mine.jsonl:3"]
    assert [pair.where for pair in kept.held_out] == ["mine.jsonl:2", "mine.jsonl:4"]
    assert kept.drawn == (3, 3)


NAMES = ("Mary", "Kate", "Laura", "Lisa", "Lucy", "Susan", "Karen", "Emily")
ON = "So {} is {}, isn't"
REMARKS = ("a really good friend", "a wonderful cook", "always on time", "quite the dancer")


def half_right(path) -> None:
    """Two lists of eight pairs each, in turn, of which every second is wrong."""
    rows = [
        {
            "clean": ON.format(name, remark),
            "corrupted": ON.format("John", remark),
            "answer": " she" if n < 2 else " he",
            "foil": " he" if n < 2 else " she",
        }
        for name in NAMES[:4]
        for n, remark in enumerate(REMARKS)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))


@pytest.mark.parametrize("command", ["discover", "faithfulness", "overlap", "compare"])
def test_the_commands_say_how_many_prompts_are_right(command, call, here):
    half_right(here / "mine.jsonl")
    circuit, few = "circuit.json", ["--prompts", "8", "--draws", "2"]
    graph = ResidualGraph.of(load_model("english").model.spec)
    (here / circuit).write_text(Circuit.of(graph, ["tok -> out"]).dumps())
    words = {
        "discover": ["--task", "mine.jsonl", "--method", "random", *few],
        "faithfulness": [circuit, "--task", "mine.jsonl", *few],
        "overlap": [circuit, circuit, "--task-a", "mine.jsonl", "--task-b", "ioi", *few],
        "compare": ["--task", "mine.jsonl", "--methods", "random", "--seeds", "1", "--prompts", "8"],
    }[command]
    result = finished(call(command, *words, "--only-right", "--json", "out.json"))
    assert "the model leads with an answer on 4 of 8 (50%) prompts" in result.stderr
    document = json.loads((here / "out.json").read_text())
    asked = document["run"]["asked"] if command == "compare" else document["asked"]
    assert asked["only_right"] is True
    if command == "discover":
        assert asked["drawn"] == [8, 8]
