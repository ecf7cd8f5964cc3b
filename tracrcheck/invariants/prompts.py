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
from edgeprune_core.mask import to_mask
from edgeprune_core.tasks import TASKS, Pair, pairs
from edgeprune_core.tasks.prompt_task import prompt_task
from edgeprune_core.tasks.tokenizer import WordTokenizer
from edgeprune_core.tasks.vocabulary import tokenizer
from edgeprune_core.weights import Model
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.subjects import Subject, generator_of, is_program

EACH = 3  # pairs per task
DRAWS = 150  # per split
CLOSE = 1e-8  # of logits of order 1, padded or not
LONGEST = 96


def prompts(subject: Subject, seed: int) -> Violation | None:
    for name, found in _by_vocabulary(seed).items():
        words = tokenizer(name)
        for pair in found:
            if (wrong := _answered_wrongly(pair)) is not None:
                return wrong
        if (wrong := _asked_wrongly(_model(subject, words, seed), words, found)) is not None:
            return wrong
    for source in TASKS.values():
        seen = [
            {(p.template, key) for p in islice(pairs(source, seed=seed, split=split), DRAWS) for key in p.keys}
            for split in ("train", "held_out")
        ]  # fmt: skip
        if both := seen[0] & seen[1]:
            return Violation(f"template and key in both splits of {source.name}", sorted(both)[0], "none")
    return None


def _by_vocabulary(seed: int) -> dict[str, list[Pair]]:
    names = {"english": ("ioi", "greater_than", "gendered_pronoun"), "boolean": ("boolean_few_shot",)}
    return {
        words: [pair for name in tasks for pair in islice(pairs(TASKS[name], seed=seed), EACH)]
        for words, tasks in names.items()
    }


def _answered_wrongly(pair: Pair) -> Violation | None:
    text, answers, foils = pair.clean, set(pair.answers), set(pair.foils)
    if year := re.search(r"from the year \d\d(\d\d) to the year", text):
        years = {f"{n:02d}" for n in range(100)}
        want = {y for y in years if int(y) > int(year[1])}
        right = (want, years - want)
    elif text.endswith(" is") and ("True" in text or "False" in text):
        value = eval(
            text.splitlines()[-1].removesuffix(" is"), {"__builtins__": {}}
        )  # our own text: True, not, and, or
        right = ({f" {value}"}, {f" {not value}"})
    elif text.endswith(" to"):
        count = {name: len(re.findall(rf"\b{name.strip()}\b", text)) for name in answers | foils}
        right = ({n for n, k in count.items() if k == 1}, {n for n, k in count.items() if k == 2})
    else:
        return None
    if (answers, foils) == right:
        return None
    return Violation(
        f"answers and foils of {text[-60:]!r}", [sorted(answers), sorted(foils)], list(map(sorted, right))
    )


def _asked_wrongly(model: Model, words: WordTokenizer, found: list[Pair]) -> Violation | None:
    task = prompt_task("prompts", model, found, words)
    full = to_mask(Circuit.full(task.graph), dtype=model.dtype)
    with torch.no_grad():
        margins = task.margins(task.outputs(full, task.items), task.items)[0].tolist()
    for pair, item, margin in zip(found, task.items.tolist(), margins, strict=True):
        for side, text in zip(item, (pair.clean, pair.corrupted), strict=True):
            ids = task.tokens[side][task.valid[side]]
            if (got := "".join(words.pieces[i] for i in ids.tolist())) != text:
                return Violation("the text of an item", repr(got), repr(text))
            assert task.places is not None
            if (places := task.places[side][task.scored[side]].tolist()) != [len(ids) - 1]:
                return Violation("scored positions", places, [len(ids) - 1])
        logits = trace(model, task.tokens[item[0]][task.valid[item[0]]][None]).outputs[0, -1]
        want = _log_odds(logits, pair, words)
        if not abs(margin - want) <= CLOSE * max(1.0, abs(want)):
            return Violation(f"the margin after {pair.clean[-40:]!r}", margin, want)
    return None


def _log_odds(logits: torch.Tensor, pair: Pair, words: WordTokenizer) -> float:
    right, wrong = (
        sum(math.exp(float(logits[words.pieces.index(text)])) for text in texts)
        for texts in (pair.answers, pair.foils)
    )
    return math.log(right / wrong)


def _model(subject: Subject, words: WordTokenizer, seed: int) -> Model:
    """The subject's model with an embedding and an output for each word."""
    n, draw, w = len(words), generator_of(random.Random(seed).randrange(2**31)), subject.model.weights
    d = subject.spec.d_model
    tok, unembed, pos = (
        torch.randn(*shape, generator=draw, dtype=torch.float64) for shape in ((n, d), (d, n), (LONGEST, d))
    )
    weights = replace(w, tok=tok, unembed=unembed, pos=pos, b_unembed=None)
    return Model(replace(subject.spec, d_vocab=n, d_out=n, n_ctx=LONGEST), weights)


PROMPTS = Invariant(
    name="prompts",
    statement="prompt tasks have the right answers, the tokens of their texts, the last position and disjoint splits",
    check=prompts,
    applies=lambda subject: subject.spec.norm == "layernorm" and not is_program(subject),
)
