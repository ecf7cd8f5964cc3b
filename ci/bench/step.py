"""One step of edge pruning on models of the size of GPT-2 small, against the floor that its own products set.

    python ci/bench/step.py [--family gpt2|llama|smollm2] [--batch 4] [--seq 32] [--repeats 5] [--dtype float32] [--json FILE]
    python ci/bench/step.py --all --threads 2 --json ci/bench/results/step.json

A step: the clean and the corrupted run without a mask, the masked run, KL at the last position, and its gradient in
the mask. The floor, measured in the same run, turn about: three plain forwards of `transformers` (clean, corrupted,
masked), one backward through activations, and the three products that mixing needs (inputs, gradient of the mask,
gradient of what was written), with nothing in between. Random weights; the Llama has as many parameters as the GPT-2.
Besides, against the same floor: a masked evaluation without gradient (a plain forward and one product), the same where
`FEW` of the edges are kept, and a batch of EAP (in plain forward and backward passes). Times are of the processor, so
that what else runs on the machine changes the ratios little.
`--dtype bfloat16` runs the model in it; the mask, and so its gradient, stays in float32. Peak memory is of a process of
its own for each of the two, the step's never loading `transformers`, the floor's taking one forward and backward.

Exit 1 where the step's ratio to the floor is over its bar: 1.35 (GPT-2, 4 x 32), 1.5 (8 x 64), 1.6 (Llama), 1.25
(SmolLM2, 8 x 17), where an evaluation is over 1.3 or EAP over 3.5; the bars are of float32. No time is asserted by itself.
"""

from __future__ import annotations

import argparse
import json
import resource
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from edgeprune_core.atomic_write import write_whole
from edgeprune_core.engine import open_edges, outputs, run, trace
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.mask import edge_values, mask_from_edge_values
from edgeprune_core.metrics.divergence import kl
from edgeprune_core.spec import ModelSpec
from edgeprune_core.weights import Model, Weights, expected_shapes
from tracrcheck.records.machine import in_words, machine
from tracrcheck.records.sources import commit

SCHEMA = "tracrcheck.step/1"

BARS = {("gpt2", 4, 32): 1.35, ("gpt2", 8, 64): 1.5, ("llama", 4, 32): 1.6, ("smollm2", 8, 17): 1.25}
# Of an evaluation in floors, of one with few edges in whole evaluations, and of EAP in passes.
OTHER_BARS = {"evaluation": 1.3, "evaluation of few": 0.9, "EAP": 3.5}
FEW = 4000 / 70651  # the share of edges
PEAK_GB = {("gpt2", 4, 32): 1.6}
SHAPE = {"n_layers": 12, "n_heads": 12, "d_model": 768, "d_head": 64, "n_ctx": 1024}
SPECS = {
    "gpt2": ModelSpec(**SHAPE, d_mlp=3072, d_vocab=50257, d_out=50257, norm="layernorm", activation="gelu_tanh"),
    "llama": ModelSpec(
        **SHAPE, n_kv_heads=4, d_mlp=2048, d_vocab=32000, d_out=32000, norm="rmsnorm", activation="silu",
        gated_mlp=True, positions="rotary",
    ),
    "smollm2": ModelSpec(
        n_layers=30, n_heads=9, n_kv_heads=3, d_model=576, d_head=64, n_ctx=8192, d_mlp=1536, d_vocab=49152, d_out=49152,
        norm="rmsnorm", activation="silu", gated_mlp=True, positions="rotary", rope_theta=100_000.0,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """What is measured."""

    family: str
    batch: int
    seq: int
    dtype: str

    @property
    def torch_dtype(self) -> torch.dtype:
        return getattr(torch, self.dtype)

    def words(self) -> list[str]:
        """As options."""
        parts = asdict(self).items()
        return [f"--{name}={value}" for name, value in parts] + [f"--threads={torch.get_num_threads()}"]

    def bars(self) -> tuple[float | None, float | None]:
        """Of the ratio, and of memory in GB."""
        if self.dtype != "float32":
            return None, None
        size = (self.family, self.batch, self.seq)
        return BARS.get(size), PEAK_GB.get(size)


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

    def clean_run(self) -> None:
        self.want = outputs(self.model, self.clean, places=self.places)

    def corrupted_run(self) -> None:
        self.background = trace(self.model, self.corrupted, places=self.places).writers

    def forward(self) -> None:
        got = run(self.model, self.clean, self.mask, self.background, places=self.places)
        self.loss = kl(got.float(), self.want.float(), self.scored).sum()

    def backward(self) -> None:
        self.mask.grad = None
        self.loss.backward()
        del self.loss

    def whole(self) -> None:
        self.clean_run()
        self.corrupted_run()
        self.forward()
        self.backward()

    @torch.no_grad()
    def evaluation(self) -> None:
        run(self.model, self.clean, self.mask, self.background, places=self.places)

    def keep_few(self) -> None:
        """Chooses edges by the size of their gradient, as EAP does."""
        assert self.mask.grad is not None
        score = edge_values(self.graph, self.mask.grad)[0].abs()
        chosen = torch.zeros_like(score)
        chosen[score.topk(max(1, round(FEW * len(score)))).indices] = 1
        self.few = mask_from_edge_values(self.graph, chosen[None])
        self.edges = open_edges(self.few, self.graph, fed=True)

    @torch.no_grad()
    def evaluation_of_few(self) -> None:
        run(self.model, self.clean, self.few, self.background, places=self.places, edges=self.edges)

    def step_of_few(self) -> None:
        """The masked run of a step, both ways, where all other edges are cut for good."""
        mask = self.few.clone().requires_grad_()
        got = run(self.model, self.clean, mask, self.background, places=self.places, edges=self.edges)
        kl(got.float(), self.want.float(), self.scored).sum().backward()


class Floor:
    """Products that no implementation can leave out."""

    def __init__(self, family: str, spec: ModelSpec, batch: int, seq: int, dtype: torch.dtype) -> None:
        from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

        if family == "gpt2":
            config = GPT2Config(
                n_layer=spec.n_layers, n_head=spec.n_heads, n_embd=spec.d_model, n_inner=spec.d_mlp, n_positions=spec.n_ctx,
                vocab_size=spec.d_vocab, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
            )  # fmt: skip
            model = GPT2LMHeadModel(config)
        else:
            config = LlamaConfig(
                hidden_size=spec.d_model, intermediate_size=spec.d_mlp, num_hidden_layers=spec.n_layers,
                num_attention_heads=spec.n_heads, num_key_value_heads=spec.n_kv_heads, vocab_size=spec.d_vocab,
                max_position_embeddings=spec.n_ctx,
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
        spent, forward = 0.0, 0.0
        for readers, writers in [*sizes, *[(1, self.graph.n_heads)] * self.graph.n_layers]:
            rows = torch.rand(readers, writers).to(self.dtype)
            started = time.process_time()
            x = inputs[:readers]
            torch.mm(rows, values[:writers], out=x)
            forward += time.process_time() - started
            torch.mm(x, values[:writers].T)
            twin[:writers].addmm_(rows.T, x)
            spent += time.process_time() - started
        self.spent, self.spent_forward = spent, forward


def timed(call: Callable[[], None]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def measure(family: str, batch: int, seq: int, repeats: int, dtype: torch.dtype) -> dict[str, float]:
    """Medians in seconds of the processor, turn about."""
    spec = SPECS[family]
    ours, floor = Step(spec, batch, seq, dtype), Floor(family, spec, batch, seq, dtype)
    ours.whole()
    ours.keep_few()
    floor.plain()
    rows: dict[str, list[float]] = {}
    for _ in range(repeats):
        for name, call in (("clean run", ours.clean_run), ("corrupted run", ours.corrupted_run),
                           ("masked forward", ours.forward), ("masked backward", ours.backward),
                           ("evaluation", ours.evaluation), ("evaluation of few", ours.evaluation_of_few),
                           ("masked, both ways, of few", ours.step_of_few),
                           ("plain forward", floor.plain), ("plain forward, graph kept", floor.forward), ("plain backward", floor.backward)):  # fmt: skip
            rows.setdefault(name, []).append(timed(call))
        floor.mixing()
        rows.setdefault("mixing", []).append(floor.spent)
        rows.setdefault("mixing, forward", []).append(floor.spent_forward)
    return {name: statistics.median(times) for name, times in rows.items()}


def peak_gb(asked: Case, what: str) -> float:
    """Of a process that takes one step, or one forward and backward of the floor."""
    words = [sys.executable, __file__, *asked.words(), "--memory", what]
    return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def one_alone(asked: Case, what: str) -> float:
    """Runs it here, and the most memory that this process has had, in GB."""
    if what == "step":
        Step(SPECS[asked.family], asked.batch, asked.seq, asked.torch_dtype).whole()
    else:
        floor = Floor(asked.family, SPECS[asked.family], asked.batch, asked.seq, asked.torch_dtype)
        floor.forward()
        floor.backward()
    return most_memory() / 1e9


def most_memory() -> int:
    """Bytes. Not `ru_maxrss`: in a child that counts what its parent had taken before it began."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def benchmark(asked: Case, repeats: int) -> dict[str, Any]:
    """Measured and shown."""
    print(f"\n{asked.family}, {asked.batch} x {asked.seq}, {asked.dtype}, {torch.get_num_threads()} threads")
    peak, floor_peak = peak_gb(asked, "step"), peak_gb(asked, "floor")
    found = measure(asked.family, asked.batch, asked.seq, repeats, asked.torch_dtype)
    masked = found["masked forward"] + found["masked backward"]
    step = found["clean run"] + found["corrupted run"] + masked
    others = {
        "evaluation": found["evaluation"] / (found["plain forward"] + found["mixing, forward"]),
        "evaluation of few": found["evaluation of few"] / found["evaluation"],
        "masked, both ways, of few": found["masked, both ways, of few"] / masked,
        "EAP": (found["corrupted run"] + masked)
        / (found["plain forward, graph kept"] + found["plain backward"]),
    }
    floor = 3 * found["plain forward"] + found["plain backward"] + found["mixing"]
    for name, seconds in found.items():
        print(f"{name:<28} {1000 * seconds:9.1f} ms")
    bar, most = asked.bars()
    print(f"{'step':<28} {1000 * step:9.1f} ms")
    print(f"{'floor':<28} {1000 * floor:9.1f} ms  (3 plain forwards, a backward, mixing)")
    print(f"{'step / floor':<28} {step / floor:9.2f}" + (f"  bar {bar}" if bar else ""))
    other_bars = OTHER_BARS if asked.family == "smollm2" and bar is not None else {}
    for name, ratio in others.items():
        print(
            f"{'ratio of ' + name:<36} {ratio:9.2f}"
            + (f"  bar {other_bars[name]}" if name in other_bars else "")
        )
    print(f"{'peak memory':<28} {peak:9.2f} GB" + (f"  bar {most} GB" if most else ""))
    print(f"{'peak memory of the floor':<28} {floor_peak:9.2f} GB")
    met = (bar is None or step / floor <= bar) and (most is None or peak <= most)
    met = met and all(others[name] <= most_of for name, most_of in other_bars.items())
    return {
        **asdict(asked), "threads": torch.get_num_threads(), "repeats": repeats, "seconds": found, "step": step,
        "floor": floor, "ratio": step / floor, "bar": bar, "others": others, "other_bars": other_bars, "peak_gb": peak, "peak_bar_gb": most, "floor_peak_gb": floor_peak,
        "met": met,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--family", choices=sorted(SPECS), default="gpt2")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seq", type=int, default=32)
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float64"), default="float32")
    parser.add_argument("--all", action="store_true", help="every family and size that has a bar")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, help="of torch; as it would itself where not given")
    parser.add_argument("--memory", choices=("step", "floor"), help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.threads is not None:
        torch.set_num_threads(given.threads)
    one = Case(family=given.family, batch=given.batch, seq=given.seq, dtype=given.dtype)
    if given.memory:
        print(one_alone(one, given.memory))
        return 0

    started, on = datetime.now(UTC).isoformat(timespec="seconds"), machine()
    print(in_words(on))
    cases = [Case(*case, given.dtype) for case in BARS] if given.all else [one]
    results = [benchmark(case, given.repeats) for case in cases]
    if given.json is not None:
        record = {"schema": SCHEMA, "command": shlex.join(["python", *sys.argv]), "commit": commit(), "started": started,
                "machine": on, "results": results}  # fmt: skip
        write_whole(given.json, json.dumps(record, indent=2) + "\n")
    return 0 if all(result["met"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
