"""Trains the subjects that the repository ships, and writes their folders anew.

    python ci/subjects/train.py english             # minutes; edgeprune_core/trained_models/english
    python ci/subjects/train.py english --out DIR --steps 20

A subject is a GPT-2 of `transformers`, trained on the clean prompts of its tasks, and on the corrupted ones after which
something is known to be right, of the split `train` only. The target is the distribution that is equal over all right
answers: for greater-than every later year, so that the model cannot always say 99. Weights regenerate to the same
accuracy and not to the same bits, which depend on the machine; the word list has equal hashes everywhere.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import model_card
import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from edgeprune_core.tasks import PromptSource, pairs
from edgeprune_core.tasks.base import Pair
from edgeprune_core.tasks.encode import NO_TOKEN, PromptBatch, batch_of, encode
from edgeprune_core.tasks.tokenizer import WordTokenizer
from edgeprune_core.tasks.vocabulary import VOCABULARIES, made_anew
from edgeprune_core.trained_models import FOLDER, load_model
from edgeprune_core.trained_models.tokenizers import WORDS

SEED = 20261126


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """batch: prompts of a task in each step. pool: how many are drawn, once, and gone through in random order."""

    batch: int
    pool: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """steps: of AdamW. courses: by task. rate: the highest, after `warm_up` of the steps; it falls to 0 along a cosine.

    start: standard deviation of the first weights, near 1 / sqrt(n_embd), since GPT-2's own 0.02 is meant for 768.
    turned: one in so many pairs is given with its corrupted prompt as the clean one, where its answers are known.
    """

    n_layer: int
    n_head: int
    n_embd: int
    n_positions: int
    steps: int
    courses: dict[str, Course]
    rate: float = 2e-3
    warm_up: float = 0.03
    decay: float = 0.05
    start: float = 0.1
    turned: int = 8


RECIPES = {
    "english": Recipe(
        n_layer=4,
        n_head=6,
        n_embd=72,
        n_positions=32,
        steps=4000,
        courses={
            "ioi": Course(batch=48, pool=40_000),
            "greater_than": Course(batch=16, pool=8_000),
            "gendered_pronoun": Course(batch=16, pool=4_000),
        },
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--out", type=Path, help="A folder; without it, that of the package.")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = RECIPES[options.name]
    recipe = replace(recipe, steps=options.steps or recipe.steps)
    out = options.out or FOLDER / options.name
    words, sources = made_anew(options.name), VOCABULARIES[options.name]
    started = time.monotonic()
    model = train(recipe, words, sources)
    save(out, model, words)
    print(f"trained and saved in {(time.monotonic() - started) / 60:.1f} minutes", flush=True)
    made = load_model(out)
    figures = [model_card.measured(made, source) for source in sources]
    model_card.write(out, made, figures, made_by=f"python ci/subjects/train.py {options.name}")
    print((out / model_card.CARD).read_text())


def train(recipe: Recipe, words: WordTokenizer, sources: Sequence[PromptSource]) -> GPT2LMHeadModel:
    torch.manual_seed(SEED)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(words),
            n_positions=recipe.n_positions,
            n_embd=recipe.n_embd,
            n_layer=recipe.n_layer,
            n_head=recipe.n_head,
            bos_token_id=0,
            eos_token_id=0,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            initializer_range=recipe.start,
        )
    )
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    batches = zip(*(_batches(source, words, recipe) for source in sources), strict=True)
    started = time.monotonic()
    for step, batch in enumerate(islice(batches, recipe.steps)):
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * _schedule(step / recipe.steps, recipe.warm_up)
        losses = [_loss(model, part) for part in batch]
        optimiser.zero_grad()
        torch.stack(losses).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % 50 == 0:
            line = ", ".join(f"{s.name} {x.item():.3f}" for s, x in zip(sources, losses, strict=True))
            print(f"step {step} of {recipe.steps}, {time.monotonic() - started:.0f} s: {line}", flush=True)
    return model.eval()


def _schedule(share: float, warm_up: float) -> float:
    return min(1.0, share / warm_up) * 0.5 * (1 + math.cos(math.pi * share))


def _loss(model: GPT2LMHeadModel, batch: PromptBatch) -> Tensor:
    """In nats beyond the least that is possible: KL of the equal distribution over all right answers."""
    hidden = model.transformer(batch.clean).last_hidden_state[batch.scored]
    scores = (hidden @ model.transformer.wte.weight.T).log_softmax(-1)
    right = batch.answers != NO_TOKEN
    chosen = scores.gather(-1, batch.answers.clamp_min(0)) * right
    n = right.sum(-1)
    return (-chosen.sum(-1) / n - n.log()).mean()


def _batches(source: PromptSource, words: WordTokenizer, recipe: Recipe) -> Iterator[PromptBatch]:
    """Without end."""
    course = recipe.courses[source.name]
    prompts = islice(_prompts(source, recipe.turned), course.pool)
    pool = [encode(replace(pair, foils=()), words) for pair in prompts]
    generator = torch.Generator().manual_seed(SEED)
    while True:
        for rows in torch.randperm(len(pool), generator=generator).split(course.batch):
            yield batch_of([pool[i] for i in rows.tolist()])


def _prompts(source: PromptSource, turned: int) -> Iterator[Pair]:
    for number, pair in enumerate(pairs(source, seed=SEED, split="train")):
        if pair.corrupted_answers and number % turned == 0:
            yield replace(
                pair,
                clean=pair.corrupted,
                corrupted=pair.clean,
                answers=pair.corrupted_answers,
                corrupted_answers=pair.answers,
            )
        else:
            yield pair


def save(out: Path, model: GPT2LMHeadModel, words: WordTokenizer) -> None:
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    (out / "generation_config.json").unlink(missing_ok=True)
    config = json.loads((out / "config.json").read_text())
    config.pop("transformers_version", None)
    (out / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    (out / WORDS).write_text(words.dumps())


if __name__ == "__main__":
    main()
