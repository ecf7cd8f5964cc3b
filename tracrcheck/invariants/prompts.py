"""Prompt tasks are what they claim: right answers, right tokens, the last position, the right corruption.

Each pair is read as a person would read it: "greater than" compares two numbers, a Boolean expression is evaluated by Python,
the indirect object is the name that occurs once. Its item in a task is decoded to text, and the margin is the log odds of
answers over foils at the end of the prompt when it is run alone, without padding. No template and key is in both splits.
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import replace
from itertools import islice

import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.engine import trace
from edgeprune_core.tasks import TASKS, Pair, pairs
from edgeprune_core.tasks.prompt_task import prompt_task
from edgeprune_core.tasks.tokenizer import WordTokenizer
from edgeprune_core.tasks.vocabulary import tokenizer
from edgeprune_core.weights import Model
from tracrcheck.invariants.base import Violations, close, equal, invariant, per_size
from tracrcheck.invariants.circuits import mask_of
from tracrcheck.invariants.subjects import Subject, has_layernorm, random_model

EACH = 3  # pairs per task
DRAWS = 150  # per split
CLOSE = 1e-8  # of logits of order 1, padded or not
LONGEST = 96


@invariant(
    "prompt tasks have the right answers, the tokens of their texts, the last position and disjoint splits",
    applies=has_layernorm,
)
def prompts(subject: Subject, seed: int) -> Violations:
    for name, found in _by_vocabulary(seed).items():
        words = tokenizer(name)
        for pair in found:
            yield from _answers(pair)
        spec = replace(subject.spec, d_vocab=len(words), d_out=len(words), n_ctx=LONGEST)
        yield from _items(random_model(spec, random.Random(seed)), words, found)
    for source in TASKS.values():
        train, held_out = (
            {
                (p.template, key)
                for p in islice(pairs(source, seed=seed, split=split), DRAWS)
                for key in p.keys
            }
            for split in ("train", "held_out")
        )
        yield from equal(f"template and key in both splits of {source.name}", train & held_out, set())


def _by_vocabulary(seed: int) -> dict[str, list[Pair]]:
    names = {"english": ("ioi", "greater_than", "gendered_pronoun"), "boolean": ("boolean_few_shot",)}
    return {
        words: [pair for name in tasks for pair in islice(pairs(TASKS[name], seed=seed), EACH)]
        for words, tasks in names.items()
    }


def _answers(pair: Pair) -> Violations:
    text, answers, foils = pair.clean, set(pair.answers), set(pair.foils)
    if year := re.search(r"from the year \d\d(\d\d) to the year", text):
        years = {f"{n:02d}" for n in range(100)}
        want = {y for y in years if int(y) > int(year[1])}
        right = (want, years - want)
    elif text.endswith(" is") and ("True" in text or "False" in text):
        source = text.splitlines()[-1].removesuffix(" is")  # our own text: True, not, and, or
        value = eval(source, {"__builtins__": {}})
        right = ({f" {value}"}, {f" {not value}"})
    elif text.endswith(" to"):
        count = {name: len(re.findall(rf"\b{name.strip()}\b", text)) for name in answers | foils}
        right = ({n for n, k in count.items() if k == 1}, {n for n, k in count.items() if k == 2})
    else:
        return
    yield from equal(f"answers and foils of {text[-60:]!r}", (answers, foils), right)


def _items(model: Model, words: WordTokenizer, found: list[Pair]) -> Violations:
    task = prompt_task("prompts", model, found, words)
    full = mask_of(task, Circuit.full(task.graph))
    with torch.no_grad():
        margins = task.margins(task.outputs(full, task.items), task.items)[0].tolist()
    assert task.places is not None
    for pair, item, margin in zip(found, task.items.tolist(), margins, strict=True):
        for side, text in zip(item, (pair.clean, pair.corrupted), strict=True):
            ids = task.tokens[side][task.valid[side]].tolist()
            yield from equal("the text of an item", "".join(words.pieces[i] for i in ids), text)
            places = task.places[side][task.scored[side]].tolist()
            yield from equal("scored positions", places, [len(ids) - 1])
        logits = trace(model, task.tokens[item[0]][task.valid[item[0]]][None]).outputs[0, -1]
        want = _log_odds(logits, pair, words)
        yield from close(f"the margin after {pair.clean[-40:]!r}", margin, want, per_size(want, CLOSE))


def _log_odds(logits: torch.Tensor, pair: Pair, words: WordTokenizer) -> float:
    right, wrong = (
        sum(math.exp(float(logits[words.pieces.index(text)])) for text in texts)
        for texts in (pair.answers, pair.foils)
    )
    return math.log(right / wrong)
