"""What must hold on any device, and its speed: the same functions run on a GPU and, with small shapes, on a CPU.

Each takes a device and a shape. What it measures goes into `figures`, by name.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from unittest.mock import patch

import torch

from edgeprune_core.ablations import ABLATIONS, Mean, Resample, Zero
from edgeprune_core.circuit import Circuit
from edgeprune_core.criterion import Outcome
from edgeprune_core.engine import outputs, run
from edgeprune_core.faithfulness import faithfulness
from edgeprune_core.mask import to_mask
from edgeprune_core.methods import METHODS, EdgePruning, EdgePruningScoreFunction
from edgeprune_core.spec import ModelSpec
from edgeprune_core.task import Task
from edgeprune_core.weights import Model, Weights, expected_shapes
from tests import zoo
from tracrcheck.planted.distractors import Draw
from tracrcheck.planted.planting import plant
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

GPT2 = ModelSpec(
    n_layers=12, n_heads=12, d_model=768, d_head=64, d_mlp=3072, d_vocab=50257, d_out=50257, n_ctx=1024,
    norm="layernorm", activation="gelu_tanh",
)  # fmt: skip
# What float32 may differ by between two orders of the same sums, as a share of the largest number: a sum of n terms
# errs by about sqrt(n) 2^-24 of their size, n = 3072 at most, through 24 blocks.
FLOAT32 = 1e-4


@dataclass(frozen=True, kw_only=True)
class Shape:
    """spec, batch, seq: for random models. layers, heads: for planted models. program: the one that is planted."""

    spec: ModelSpec
    batch: int
    seq: int
    circuits: int
    layers: int
    heads: int
    program: str = "hist"


SMALL = Shape(
    spec=replace(GPT2, n_layers=2, n_heads=3, n_kv_heads=3, d_model=12, d_head=4, d_mlp=16, d_vocab=23, d_out=23, n_ctx=8),
    batch=3, seq=6, circuits=2, layers=3, heads=3,
)  # fmt: skip
FULL = Shape(spec=GPT2, batch=4, seq=32, circuits=2, layers=12, heads=12)

Figures = dict[str, float]


def random_model(spec: ModelSpec, device: torch.device, dtype: torch.dtype = torch.float32) -> Model:
    """Drawn on the CPU, so that every device gets the same model. Products keep the scale of their inputs."""
    draw = torch.Generator().manual_seed(0)
    drawn = {}
    for name, shape in expected_shapes(spec).items():
        x = torch.randn(shape, generator=draw)
        if name.endswith("gain"):
            x = 1 + 0.1 * x
        elif name not in ("tok", "pos"):
            x = x * (0.1 if name.startswith("b") or name.endswith("bias") else shape[-2] ** -0.5)
        drawn[name] = x.to(device, dtype)
    return Model(spec, Weights(**drawn))


def random_task(shape: Shape, device: torch.device, ablation: str = "resample") -> Task:
    """Random prompts with random corruptions, scored at their last positions."""
    draw = torch.Generator().manual_seed(1)
    n, model = 2 * shape.batch, random_model(shape.spec, device)
    tokens = torch.randint(shape.spec.d_vocab, (2 * n, shape.seq), generator=draw).to(device)
    rows = torch.arange(n, device=device)
    what = {"zero": Zero, "resample": Resample, "mean": lambda: Mean().of(model, [tokens[n:]])}[ablation]()
    return Task(
        name="random",
        model=model,
        ablation=what,
        tokens=tokens,
        valid=torch.ones_like(tokens, dtype=torch.bool),
        scored=torch.ones(2 * n, 1, dtype=torch.bool, device=device),
        places=torch.full((2 * n, 1), shape.seq - 1, device=device),
        items=torch.stack([rows, rows + n], 1),
        outcome=Outcome(categorical=True, criterion="kl", tolerance=0.1),
    )


def moved(task: Task, device: torch.device) -> Task:
    """A task on another device."""
    parts = {name: getattr(task, name).to(device) for name in ("tokens", "valid", "scored", "items")}
    ablation = task.ablation
    if isinstance(ablation, Mean):
        ablation = replace(ablation, table={n: t.to(device) for n, t in ablation.table.items()})
    return replace(task, model=task.model.to(device), ablation=ablation, **parts)


def _mask(task: Task, circuits: int) -> torch.Tensor:
    size = (circuits, len(task.graph.readers), len(task.graph.writers))
    drawn = torch.rand(size, generator=torch.Generator().manual_seed(2))
    return drawn.to(task.model.device).requires_grad_()


def _apart(a: torch.Tensor, b: torch.Tensor) -> float:
    """The largest difference, as a share of the largest number."""
    a, b = a.detach().cpu().double(), b.detach().cpu().double()
    return float((a - b).abs().max() / b.abs().max())


# What must hold --------------------------------------------------------------------------------------------


def outputs_and_gradients_are_those_of_the_cpu(device: torch.device, shape: Shape, figures: Figures) -> None:
    """For random masks, in float32, under resample ablation."""
    found = []
    for where in (torch.device("cpu"), device):
        task = random_task(shape, where)
        mask = _mask(task, shape.circuits)
        got = task.outputs(mask, task.items[: shape.batch])
        (got * torch.linspace(-1, 1, got.shape[-1], device=where)).sum().backward()
        assert mask.grad is not None
        assert got.device.type == mask.grad.device.type == where.type
        found.append((got, mask.grad))
    (want, of_want), (got, of_got) = found
    figures["outputs, apart from the CPU's"] = _apart(got, want)
    figures["gradients, apart from the CPU's"] = _apart(of_got, of_want)
    assert figures["outputs, apart from the CPU's"] <= FLOAT32
    assert figures["gradients, apart from the CPU's"] <= 10 * FLOAT32


def every_edge_kept_is_the_model(device: torch.device, shape: Shape, figures: Figures) -> None:
    """Under every ablation, in float32. With no edge kept the outputs differ."""
    for ablation in ABLATIONS:
        task = random_task(shape, device, ablation)
        items = task.items[: shape.batch]
        want = outputs(task.model, task.tokens[items[:, 0]], places=task.places[items[:, 0]])
        full, empty = (
            to_mask(c, device=device) for c in (Circuit.full(task.graph), Circuit.empty(task.graph))
        )
        off = _apart(task.outputs(full, items)[0], want)
        figures[f"all kept, apart from the model's ({ablation})"] = off
        assert off <= FLOAT32
        assert _apart(task.outputs(empty, items)[0], want) > 100 * FLOAT32


def steps_lower_the_loss_and_every_number_is_one(
    device: torch.device, shape: Shape, figures: Figures, *, dtype: torch.dtype, steps: int = 50
) -> None:
    """Trains with the objective of edge pruning, and measures the speed and the memory of its steps."""
    training = EdgePruning(steps=steps, circuits=shape.circuits, dtype=dtype).begin(
        random_task(shape, device)
    )
    training.advance()
    losses, clock = [training.loss], Clock(device)
    while not training.done:
        training.advance()
        losses.append(training.loss)
    figures |= clock.read(steps - 1, str(dtype).removeprefix("torch."))
    losses = torch.stack(losses)
    assert losses.isfinite().all()
    edges = training.gates.edges
    assert edges.isfinite().all()
    assert edges.dtype == torch.float32
    assert edges.device.type == device.type
    assert losses[-5:].mean() < losses[:5].mean()


def a_planted_circuit_is_found_exactly(device: torch.device, shape: Shape, figures: Figures) -> None:
    """Edge pruning, with the one set of settings, finds the program's required edges where they were planted."""
    made = plant(zoo.compiled(shape.program), layers=shape.layers, heads=shape.heads, seed=0)
    setting = Setting(ablation="zero", lengths=(1, 3))
    want = made.mapped(certify(task_of(made.original, setting), setting).required)
    clock = Clock(device)
    found = EdgePruningScoreFunction()(moved(task_of(made.compiled, setting), device))
    figures |= clock.read(found.steps, f"{shape.layers} x {shape.heads}, planted")
    assert found.circuit == want


def half_precision_finds_the_same_circuit(device: torch.device, shape: Shape, figures: Figures) -> None:
    """In bfloat16 with gates in float32, and in float32: a search for as many edges as are required, in a planted model.

    Its stream is not rotated: a rotated one is wrong after rounding, before any edge is cut (tests/edgeprune_core/methods).
    """
    with patch.object(Draw, "orthogonal", lambda draw, n: torch.eye(n, dtype=torch.float64)):
        made = plant(zoo.compiled(shape.program), layers=shape.layers, heads=shape.heads, seed=0)
    setting = Setting(ablation="zero", lengths=(1, 2))
    truth = made.mapped(certify(task_of(made.original, setting), setting).required)
    task = moved(task_of(made.compiled, setting), device)
    method = EdgePruning(n_edges=len(truth), steps=60, circuits=4)
    single = method(task).circuit
    half = replace(method, dtype=torch.bfloat16)(task)
    figures["edges found in float32 that are right"] = len(single & truth)
    figures["edges found in bfloat16 that are right"] = len(half.circuit & truth)
    assert half.notes["rounded"] <= task.outcome.limit
    assert single == half.circuit == truth


def every_method_runs(device: torch.device, shape: Shape, figures: Figures) -> None:
    """Every method runs on random prompts in a small model, and so does the faithfulness matrix of what it finds."""
    small = {
        "edge_pruning": EdgePruning(steps=3, circuits=2),
        "acdc": replace(METHODS["acdc"], tau=1.0),
    }
    skipped = {
        "edge_pruning_score_function",
        "edge_pruning_bounded",
    }  # for compiled models: they have a check above
    tasks = {name: random_task(SMALL, device, name) for name in ABLATIONS}
    for name in sorted(set(METHODS) - skipped):
        found = small.get(name, METHODS[name])(tasks["resample"])
        assert found.circuit == found.circuit.connected(), name
        matrix = faithfulness(tasks, found.circuit, draws=2, resamples=10)
        assert len(matrix.cells) == 30


# How fast -----------------------------------------------------------------------------------------------------


class Clock:
    """Measures seconds and memory since it was created."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == "cuda":
            torch.cuda.synchronize(device)
            torch.cuda.reset_peak_memory_stats(device)
        self.started = time.perf_counter()

    def read(self, steps: int, what: str) -> Figures:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            peak = torch.cuda.max_memory_allocated(self.device)
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        seconds = time.perf_counter() - self.started
        return {f"steps per second ({what})": steps / seconds, f"peak memory in GB ({what})": peak / 1e9}


def masked_steps_at_full_width(device: torch.device, shape: Shape, figures: Figures) -> None:
    """The masked run and its gradient with respect to the mask, alone: the speed of the engine."""
    task = random_task(shape, device)
    items = task.items[: shape.batch]
    background, clean = task.background(items), items[:, 0]

    def step() -> None:
        mask = _mask(task, 1)
        run(task.model, task.tokens[clean], mask, background, places=task.places[clean]).sum().backward()

    step()
    clock = Clock(device)
    for _ in range(20):
        step()
    figures |= clock.read(20, "mask forward and backward alone")


CHECKS: tuple[Callable[..., None], ...] = (
    outputs_and_gradients_are_those_of_the_cpu,
    every_edge_kept_is_the_model,
    a_planted_circuit_is_found_exactly,
    half_precision_finds_the_same_circuit,
    every_method_runs,
    masked_steps_at_full_width,
)
