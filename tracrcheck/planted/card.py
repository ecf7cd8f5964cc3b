"""The card of a planted GPT-2: README.md in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracrcheck.planted.carried import Carried
from tracrcheck.planted.gpt2 import Gpt2Host
from tracrcheck.program import BOS

CARD = """# `{program}` in a GPT-2

Layers: {layers}; heads in each: {heads}; d_model: {d_model}; edges: {edges:,}. `transformers` and TransformerLens load it as any GPT-2. It was
not trained: it is the RASP program `{program}`, compiled by Tracr and placed here by `tracrcheck plant`, so its true circuit is
known. `truth.json` has it, in the names of several tools.

    tracrcheck gate .                                  # a method against the truth
    tracrcheck grade circuit.json --model .            # a circuit that another tool found
    tracrcheck discover --model . --task pairs.jsonl   # as on any trained model

## Input and output

A prompt is `{bos}` and then tokens, separated by spaces, at most {longest} of them: {tokens}. The logits that count are those of
{outputs}: each is {sharpness:.3g} times the program's output coordinate, at every position after the first. All other logits are 0.
TransformerLens and what builds on it put `{bos}` in front themselves: leave it out there.
{number}
## Truth

{truths}

Effects are in tolerances: one hundredth of the output's range. `sufficient` and `minimal` were run on this model, on every input
or pair. `smallest` and `unique` were proved of the program, at twice the tolerance, and are not proved of this model: the two
were compared in a sample of circuits only. A zero-ablated position embedding takes the ballast of the norm away, so nothing is claimed
under zero ablation.

## Inside

The residual stream holds {ballast:g} and -{ballast:g} in its last two coordinates, so LayerNorm shrinks what it passes by at most
{shrink:.1g} of its size. Outputs are within {outputs_within:.1g} of the program's in float32; bfloat16 is too coarse.
{distractors} of {components} heads and MLPs are distractors: they read anything, and write what no part of the program reads.
Made by tracrcheck {version}, seed {seed}:

    {command}
"""

NUMBER = """
`=number` says the output, and `=zero` is always 0. In `pairs.jsonl` the answer is whichever of the two the clean input favours
over the corrupted one: a logit difference, not the likeliest token.
"""


def card_of(host: Gpt2Host, truths: Sequence[Carried], record: Mapping[str, Any], *, command: str) -> str:
    compiled, model, words = host.planted.original, record["model"], record["vocabulary"]
    return CARD.format(
        **{name: model[name] for name in ("layers", "heads", "d_model", "edges")},
        **{name: record[name] for name in ("program", "seed", "outputs_within")},
        bos=host.text_of[BOS],
        longest=compiled.program.max_seq_len,
        tokens=_listed([text for token, text in host.text_of.items() if token in compiled.program.vocab]),
        outputs=_listed(words["outputs"]),
        sharpness=host.sharpness,
        number=NUMBER if compiled.output_values is None else "",
        truths="\n".join(_line(truth) for truth in truths),
        ballast=record["norm"]["ballast"],
        shrink=record["norm"]["shrinks_by_at_most"],
        distractors=len(host.planted.distractors),
        components=model["layers"] * (model["heads"] + 1),
        version=record["tracrcheck"],
        command=command,
    )


def _line(truth: Carried) -> str:
    c = truth.certificate
    many = f"{c.n_items:,} {'pairs' if c.setting.paired else 'inputs'}"
    return (
        f"* {c.setting.ablation}: {len(c.required)} edges, run on {many}; the weakest is worth {truth.weakest:.3g} tolerances, "
        f"all others together {truth.others:.1g}"
    )


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts)
