"""Our logits of a model against those of `transformers`, on random prompts: how far apart they are at most.

    python -m ci.bench.logits --model smollm2 [--prompts 200] [--longest 256] [--dtype float32] [--json FILE [--minutes M]]

With --minutes it stops in time, and the same command at the same commit continues where FILE ends. A prompt is 1 to 256 random tokens. The difference is the largest over the positions and the vocabulary, as a share of the
largest logit of the prompt. Exit 1 where it is over the bar: 1e-4 in float32, 1e-9 in float64. What `transformers` computes in
float32 whatever the model's dtype is, RMSNorm and rotary angles, it computes in float64 for the second.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from edgeprune_core.atomic_write import write_whole
from edgeprune_core.engine import outputs
from edgeprune_core.weights import Model
from tests.edgeprune_core.families.cases import InFloat64
from tracrcheck.records.sources import commit
from tracrcheck.runs.base import made_now, until
from tracrcheck.trained import fetched
from tracrcheck.trained.compute import DTYPES

BARS = {"float32": 1e-4, "float64": 1e-9}


@dataclass(frozen=True, kw_only=True)
class Figures:
    """worst: of all prompts; mean: of the worst of each. largest: logit, without its sign."""

    dtype: str
    prompts: int
    longest: int
    worst: float
    mean: float
    largest: float
    seconds: float

    @property
    def good(self) -> bool:
        return self.worst <= BARS[self.dtype]


def drawn(n: int, *, longest: int, vocab: int, seed: int = 0) -> Iterator[torch.Tensor]:
    """Random tokens, 1 to `longest` of them; the same for a seed."""
    rng = random.Random(seed)
    for _ in range(n):
        yield torch.tensor([[rng.randrange(vocab) for _ in range(rng.randint(1, longest))]])


@torch.no_grad()
def measured(
    ours: Model,
    load: Callable[[], Any],
    *,
    dtype: str,
    prompts: int,
    longest: int,
    before: Figures | None = None,
    over: Callable[[], bool] = lambda: False,
) -> Figures:
    """load: makes the model of `transformers`, in float32. before: the figures of the first prompts. over: whether to stop."""
    widened = InFloat64() if dtype == "float64" else nullcontext()
    ours = ours.to(DTYPES[dtype])
    with widened:
        theirs = load().to(DTYPES[dtype]).eval()
    found = before or Figures(
        dtype=dtype, prompts=0, longest=longest, worst=0.0, mean=0.0, largest=0.0, seconds=0.0
    )
    for tokens in islice(drawn(prompts, longest=longest, vocab=ours.spec.d_vocab), found.prompts, None):
        if over():
            break
        started, n = time.perf_counter(), found.prompts
        with widened:
            want = theirs(tokens).logits
        top = float(want.abs().max())
        apart = float((outputs(ours, tokens) - want).abs().max()) / top
        found = replace(
            found, prompts=n + 1, worst=max(found.worst, apart), mean=(found.mean * n + apart) / (n + 1),
            largest=max(found.largest, top), seconds=round(found.seconds + time.perf_counter() - started, 1),
        )  # fmt: skip
    return found


def main() -> int:
    from transformers import AutoModelForCausalLM

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2", choices=fetched.MODELS)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--longest", type=int, default=256)
    parser.add_argument("--dtype", default="float32", choices=BARS)
    parser.add_argument("--json", type=Path, help="adds the figures to this file")
    parser.add_argument("--minutes", type=float, help="stops after so many")
    options = parser.parse_args()
    over = until(options.minutes)
    ours = fetched.load_model(options.model).model
    load = partial(AutoModelForCausalLM.from_pretrained, fetched.folder_of(options.model))
    asked = {"dtype": options.dtype, "longest": options.longest}
    before = None if options.json is None else begun(options.json, {**asked, "commit": commit()})
    found = measured(ours, load, **asked, prompts=options.prompts, before=before, over=over)
    print(
        f"{options.model}, {found.dtype}: {found.prompts} prompts of 1 to {found.longest} tokens; logits apart by at most "
        f"{found.worst:.1e} of the largest of a prompt (bar {BARS[found.dtype]:.0e}), {found.mean:.1e} in the mean; "
        f"{found.seconds:.0f} s"
    )
    if options.json is not None:
        record = {**made_now(command(options.model, found)), **asdict(found)}
        write_whole(options.json, json.dumps(kept(options.json, record), indent=2) + "\n")
    return 0 if found.good else 1


def command(model: str, found: Figures) -> str:
    """What measures these figures again."""
    words = f"--model {model} --prompts {found.prompts} --longest {found.longest} --dtype {found.dtype}"
    return f"python -m ci.bench.logits {words}"


def rows_of(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text()) if path.exists() else []


def begun(path: Path, same: dict[str, Any]) -> Figures | None:
    """The figures of the file to continue, which agree in these fields."""
    names = [field.name for field in fields(Figures)]
    rows = [row for row in rows_of(path) if {name: row.get(name) for name in same} == same]
    return Figures(**{name: rows[0][name] for name in names}) if rows else None


def kept(path: Path, record: dict) -> list[dict]:
    """The records of the file, this one in the place of an earlier one of its precision."""
    return [row for row in rows_of(path) if row["dtype"] != record["dtype"]] + [record]


if __name__ == "__main__":
    sys.exit(main())
