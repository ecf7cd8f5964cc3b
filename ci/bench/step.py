"""One step of edge pruning on a GPT-2-sized model, against the floor that its own products set.

    python ci/bench/step.py [--family gpt2|llama] [--batch 4] [--seq 32] [--repeats 5] [--dtype float32] [--json FILE]

A step: the clean and the corrupted run without a mask, the masked run, KL at the last position, and its gradient in
the mask. The floor, measured in the same run, turn about: three plain forwards of `transformers` (clean, corrupted,
masked), one backward through activations, and the three products that mixing needs (inputs, gradient of the mask,
gradient of what was written), with nothing in between. Random weights. Peak memory is of the step alone, in a process
of its own that never loads `transformers`' model.

Exit 1 where the step's ratio to the floor is over its bar: 1.35 (GPT-2, 4 x 32), 1.5 (8 x 64), 1.6 (Llama). No time is
asserted by itself.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from edgeprune_core.engine import outputs, run, trace
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.metrics.divergence import kl
from edgeprune_core.spec import ModelSpec
from edgeprune_core.weights import Model, Weights, expected_shapes
from tracrcheck.machine import in_words, machine

BARS = {("gpt2", 4, 32): 1.35, ("gpt2", 8, 64): 1.5, ("llama", 4, 32): 1.6}
PEAK_GB = {("gpt2", 4, 32): 1.6}
SHAPE = {"n_layers": 12, "n_heads": 12, "d_model": 768, "d_head": 64, "n_ctx": 1024}
SPECS = {
    "gpt2": ModelSpec(**SHAPE, d_mlp=3072, d_vocab=50257, d_out=50257, norm="layernorm", activation="gelu_tanh"),
    "llama": ModelSpec(
        **SHAPE, n_kv_heads=4, d_mlp=2048, d_vocab=32000, d_out=32000, norm="rmsnorm", activation="silu",
        gated_mlp=True, positions="rotary",
    ),
}  # fmt: skip


class Step:
    """Ours."""

    def __init__(self, spec: ModelSpec, batch: int, seq: int, dtype: torch.dtype) -> None:
        generator = torch.Generator().manual_seed(0)
        spec = replace(spec, norm="rms")  # as `folded` leaves it
        shapes = expected_shapes(spec).items()
        self.model = Model(
            spec, Weights(**{n: torch.randn(s, generator=generator).mul_(0.02).to(dtype) for n, s in shapes})
        )
        self.graph = ResidualGraph.of(spec)
        self.clean, self.corrupted = torch.randint(spec.d_vocab, (2, batch, seq), generator=generator)
        self.places = torch.full((batch, 1), seq - 1)
        size = (1, len(self.graph.readers), len(self.graph.writers))
        self.mask = torch.empty(size).uniform_(0.8, 1, generator=generator).requires_grad_()
        self.scored = torch.ones(batch, 1, dtype=torch.bool)

    def references(self) -> None:
        self.want = outputs(self.model, self.clean, places=self.places)
        self.background = trace(self.model, self.corrupted, places=self.places).writers

    def forward(self) -> None:
        got = run(self.model, self.clean, self.mask, self.background, places=self.places)
        self.loss = kl(got.float(), self.want.float(), self.scored).sum()

    def backward(self) -> None:
        self.mask.grad = None
        self.loss.backward()
        del self.loss

    def whole(self) -> None:
        self.references()
        self.forward()
        self.backward()


class Floor:
    """Products that no implementation can leave out."""

    def __init__(self, family: str, spec: ModelSpec, batch: int, seq: int, dtype: torch.dtype) -> None:
        from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

        if family == "gpt2":
            config = GPT2Config(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
            model = GPT2LMHeadModel(config)
        else:
            config = LlamaConfig(
                hidden_size=spec.d_model, intermediate_size=spec.d_mlp, num_hidden_layers=spec.n_layers,
                num_attention_heads=spec.n_heads, num_key_value_heads=spec.n_kv_heads, vocab_size=spec.d_vocab,
            )  # fmt: skip
            model = LlamaForCausalLM(config)
        self.model = model.to(dtype).eval().requires_grad_(False)
        self.ids = torch.randint(spec.d_vocab, (batch, seq))
        self.graph, self.flat, self.dtype = ResidualGraph.of(spec), batch * seq * spec.d_model, dtype
        self.last = batch * spec.d_model

    @torch.no_grad()
    def plain(self) -> None:
        self.model(input_ids=self.ids, logits_to_keep=1, use_cache=False)

    def forward(self) -> None:
        embedded = self.model.get_input_embeddings()(self.ids).requires_grad_()
        self.loss = (
            self.model(inputs_embeds=embedded, logits_to_keep=1, use_cache=False)
            .logits.float()
            .logsumexp(-1)
            .sum()
        )

    def backward(self) -> None:
        self.loss.backward()
        del self.loss

    @torch.no_grad()
    def mixing(self) -> None:
        """Each layer's readers with the writers before it, an MLP's with its own layer's heads, the last with all."""
        n, per = self.graph.n_embeddings, self.graph.n_heads + 1
        values = torch.ones(n + self.graph.n_layers * per, self.flat, dtype=self.dtype)
        twin = torch.zeros_like(values)
        inputs = torch.ones(self.graph.readers_per_layer, self.flat, dtype=self.dtype)
        sizes = [(self.graph.readers_per_layer, n + layer * per) for layer in range(self.graph.n_layers)]
        spent = 0.0
        for readers, writers in [*sizes, *[(1, self.graph.n_heads)] * self.graph.n_layers]:
            rows = torch.rand(readers, writers).to(self.dtype)
            started = time.perf_counter()
            x = inputs[:readers]
            torch.mm(rows, values[:writers], out=x)
            torch.mm(x, values[:writers].T)
            twin[:writers].addmm_(rows.T, x)
            spent += time.perf_counter() - started
        self.spent = spent


def timed(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def measure(family: str, batch: int, seq: int, repeats: int, dtype: torch.dtype) -> dict[str, float]:
    """Medians in seconds, turn about."""
    spec = SPECS[family]
    ours, floor = Step(spec, batch, seq, dtype), Floor(family, spec, batch, seq, dtype)
    ours.whole()
    floor.plain()
    rows: dict[str, list[float]] = {}
    for _ in range(repeats):
        for name, call in (("references", ours.references), ("masked forward", ours.forward), ("masked backward", ours.backward),
                           ("plain forward", floor.plain), ("plain forward, graph kept", floor.forward), ("plain backward", floor.backward)):  # fmt: skip
            rows.setdefault(name, []).append(timed(call))
        floor.mixing()
        rows.setdefault("mixing", []).append(floor.spent)
    return {name: statistics.median(times) for name, times in rows.items()}


def peak_gb(family: str, batch: int, seq: int, dtype: str) -> float:
    words = [
        sys.executable,
        __file__,
        "--family",
        family,
        "--batch",
        str(batch),
        "--seq",
        str(seq),
        "--dtype",
        dtype,
        "--memory",
    ]
    return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--family", choices=sorted(SPECS), default="gpt2")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seq", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float64"), default="float32")
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    dtype, case = getattr(torch, asked.dtype), (asked.family, asked.batch, asked.seq)
    if asked.memory:
        Step(SPECS[asked.family], asked.batch, asked.seq, dtype).whole()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)
        return 0

    print(in_words(machine()))
    found = measure(*case, asked.repeats, dtype)
    step = found["references"] + found["masked forward"] + found["masked backward"]
    floor = 3 * found["plain forward"] + found["plain backward"] + found["mixing"]
    for name, seconds in found.items():
        print(f"{name:<28} {1000 * seconds:9.1f} ms")
    bar, peak = BARS.get(case), peak_gb(*case, asked.dtype)
    print(f"{'step':<28} {1000 * step:9.1f} ms")
    print(f"{'floor':<28} {1000 * floor:9.1f} ms  (3 plain forwards, a backward, mixing)")
    print(f"{'step / floor':<28} {step / floor:9.2f}" + (f"  bar {bar}" if bar else ""))
    print(f"{'peak memory':<28} {peak:9.2f} GB" + (f"  bar {PEAK_GB[case]} GB" if case in PEAK_GB else ""))
    if asked.json is not None:
        asked.json.write_text(json.dumps({"case": case, "dtype": asked.dtype, "threads": torch.get_num_threads(), "machine": machine(),
                                          "seconds": found, "ratio": step / floor, "peak_gb": peak}, indent=2) + "\n")  # fmt: skip
    return 0 if bar is None or (step / floor <= bar and peak <= PEAK_GB.get(case, peak)) else 1


if __name__ == "__main__":
    sys.exit(main())
