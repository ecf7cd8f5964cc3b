"""The shipped models do their tasks on prompts that they were not trained on, and their cards give the right figures."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from itertools import islice
from pathlib import Path

import pytest
import torch
from transformers import GPT2LMHeadModel

from edgeprune_core.engine import trace
from edgeprune_core.tasks import TASKS, pairs
from edgeprune_core.tasks.names import MEN, WOMEN
from edgeprune_core.tasks.tokenizer import WordTokenizer
from edgeprune_core.tasks.vocabulary import made_anew, tokenizer
from edgeprune_core.trained_models import FOLDER, SUBJECTS, TrainedModel, load_model
from edgeprune_core.trained_models.tokenizers import WORDS
from tests.edgeprune_core.trained_models.training import SCRIPT, model_card, script

EACH = [(name, task) for name, tasks in SUBJECTS.items() for task in tasks]


@cache
def shipped(name: str) -> TrainedModel:
    return load_model(name)


def record(name: str) -> dict:
    return json.loads((FOLDER / name / model_card.FIGURES).read_text())


@pytest.mark.parametrize(("name", "task"), EACH)
def test_a_shipped_subject_is_right_on_99_of_100_held_out_prompts_and_its_card_says_so(name, task):
    found = model_card.measured(shipped(name), TASKS[task], prompts=200)
    assert found.held_out >= 0.99
    (figures,) = (t for t in record(name)["tasks"] if t["task"] == task)
    assert figures["held_out"] >= 0.99
    assert figures["prompts"] >= 1000
    # Shares of 200 and of 1000 prompts: 0.12 is more than three standard deviations of their difference, whatever they are.
    for field in ("chance", "held_out", "train", "corrupted"):
        assert figures[field] == pytest.approx(getattr(found, field), abs=0.12), field
    assert figures["every_edge_cut"] == pytest.approx(dict(found.every_edge_cut), abs=0.12)


@pytest.mark.parametrize(("name", "task"), EACH)
def test_what_a_subject_can_do_is_lost_with_its_edges_and_with_what_the_corruption_changes(name, task):
    (figures,) = (t for t in record(name)["tasks"] if t["task"] == task)
    for share in (figures["corrupted"], *figures["every_edge_cut"].values()):
        assert share < 0.75 * figures["held_out"]


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_card_is_made_of_the_figures_and_of_nothing_else(name):
    text = model_card.text(name, record(name))
    assert (FOLDER / name / model_card.CARD).read_text() == text
    changed = record(name)
    changed["tasks"][0]["held_out"] = 0.123
    assert "12.3 %" in model_card.text(name, changed)


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_word_list_of_a_subject_is_regenerated_from_its_tasks(name):
    words = WordTokenizer.load(FOLDER / name / WORDS)
    assert words.digest == made_anew(name).digest == tokenizer(name).digest == record(name)["words"]
    assert (FOLDER / name / WORDS).read_text() == words.dumps()


def test_all_subjects_together_are_small_and_their_layers_are_not_as_many_as_their_heads():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) < 4e6
    for name in SUBJECTS:
        spec = shipped(name).model.spec
        assert spec.n_layers != spec.n_heads
        assert (spec.norm, spec.positions) == ("layernorm", "learned")
        assert all(t.dtype == torch.float32 for t in shipped(name).model.weights.tensors().values())
        biases = (shipped(name).model.weights.b_q, shipped(name).model.weights.b_out)
        assert all(bool(b.any()) for b in biases)


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_subject_is_a_model_of_transformers_too(name):
    theirs = GPT2LMHeadModel.from_pretrained(FOLDER / name, attn_implementation="eager").eval()
    prompt = next(pairs(TASKS[SUBJECTS[name][0]], seed=0, split="held_out"))
    tokens = torch.tensor([shipped(name).tokenizer.encode(prompt.clean)])
    with torch.no_grad():
        want = theirs(tokens).logits
    assert (trace(shipped(name).model, tokens).outputs - want).abs().max() < 1e-3


# What it was trained on --------------------------------------------------------------------------------


def frame_and_names(text: str) -> tuple[str, frozenset[str]]:
    """What fills a prompt, read off the text itself: people, and the years and nouns of greater-than."""
    years = re.search(r"^The (\w+) lasted from the year (\d{4})", text)
    if years:
        return "years", frozenset(years.groups())
    people = [word for word in re.findall(r"[A-Za-z]+", text) if word in MEN + WOMEN]
    frame = re.sub("|".join(MEN + WOMEN), "_", text)
    return re.sub(r"\b(?:park|school|station|office|garden|library|market|church|hospital|restaurant|ring|book|"
                  r"letter|basket|ticket|picture|bottle|hat|map|watch)\b", "_", frame), frozenset(people[:2])  # fmt: skip


@pytest.mark.parametrize("task", SUBJECTS["english"])
def test_no_prompt_that_was_trained_on_shares_template_and_names_with_one_held_out(task):
    course = script().RECIPES["english"].courses[task]
    trained = {
        frame_and_names(pair.clean)
        for pair in islice(script()._prompts(TASKS[task], 8), min(course.pool, 8000))
    }
    held_out = {
        frame_and_names(pair.clean)
        for pair in islice(pairs(TASKS[task], seed=model_card.SEED, split="held_out"), 1000)
    }
    assert len(trained) > 100
    assert len(held_out) > 100
    assert not trained & held_out


def test_a_prompt_in_both_would_be_noticed():
    some = [frame_and_names(p.clean) for p in islice(pairs(TASKS["ioi"], seed=0, split="train"), 3000)]
    again = [frame_and_names(p.clean) for p in islice(pairs(TASKS["ioi"], seed=1, split="train"), 3000)]
    assert set(some) & set(again)


# Made anew ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_script_makes_a_whole_folder_and_its_losses_fall(tmp_path):
    out = tmp_path / "english"
    words = [sys.executable, str(SCRIPT), "english", "--out", str(out), "--steps", "101", "--threads", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    assert {p.name for p in out.iterdir()} == {p.name for p in (FOLDER / "english").iterdir()}
    assert (out / WORDS).read_bytes() == (FOLDER / "english" / WORDS).read_bytes()
    assert (out / model_card.CARD).read_text() == model_card.text(
        "english", json.loads((out / model_card.FIGURES).read_text())
    )
    figures = re.findall(r"gendered_pronoun ([\d.]+)", done.stdout)
    assert float(figures[-1]) < 0.3 * float(figures[0])
    made = load_model(out)
    assert made.model.spec == shipped("english").model.spec
