"""What invariants are checked on: drawn programs, and small random models of shapes that Tracr never makes.

Tracr's models have no biases, no norms and mostly one head, so whole classes of faults do not show in them. Three more
shapes are drawn, always with d_head * n_heads != d_model and n_heads != n_layers, weights of order 1 after each product (so
that attention is neither uniform nor one-hot), and inputs of three lengths in one batch:

    gpt2    LayerNorm, learned positions, causal;
    llama   RMSNorm, rotary positions, a gated MLP, query heads that share key/value heads, causal;
    plain   no norm, learned positions, causal or not, sequential or parallel blocks, sometimes shared key/value heads;
            every node reads and writes a part of the stream only, so that some edges can carry nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

import torch
from jaxtyping import Int
from torch import Tensor

from edgeprune_core.ablations import ABLATIONS, Mean, Resample, Zero
from edgeprune_core.criterion import Outcome
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.spec import ModelSpec
from edgeprune_core.task import Task
from edgeprune_core.weights import Model, Weights, expected_shapes
from tracrcheck.compiler.compile import Compiled
from tracrcheck.generator.accept import Rejected, compiled_of, name_of, numbered
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

KINDS = ("gpt2", "llama", "plain")
LENGTHS = (4, 4, 4, 3, 3, 2, 2)


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """tasks: ablation -> the task under it. compiled: the program, if the subject is one."""

    name: str
    tasks: dict[str, Task]
    compiled: Compiled | None = None

    @property
    def model(self) -> Model:
        return self.tasks["zero"].model

    @property
    def spec(self) -> ModelSpec:
        return self.model.spec

    @property
    def graph(self) -> ResidualGraph:
        return self.tasks["zero"].graph


def is_program(subject: Subject) -> bool:
    return subject.compiled is not None


def has_no_norm(subject: Subject) -> bool:
    return subject.spec.norm == "none"


def is_random(subject: Subject) -> bool:
    return subject.compiled is None


def has_layernorm(subject: Subject) -> bool:
    return subject.spec.norm == "layernorm"


def is_smooth(subject: Subject) -> bool:
    """Whether it is a random model without kinks. Compiled models sit on their kinks, where no derivative exists."""
    return subject.compiled is None and subject.spec.activation != "relu"


def some_items(task: Task, seed: int, n: int = 4) -> Int[Tensor, "item 2"]:
    """Items of a task drawn with this seed, without replacement."""
    return task.items[torch.randperm(len(task.items), generator=generator_of(seed))[:n]]


def with_few_items(task: Task, seed: int, n: int) -> Task:
    return replace(task, items=some_items(task, seed, n))


def with_tolerance(task: Task, tolerance: float) -> Task:
    return replace(task, outcome=replace(task.outcome, tolerance=tolerance))


def inputs_by_length(task: Task) -> dict[int, Int[Tensor, "input pos"]]:
    """The task's inputs without padding."""
    lengths = task.valid.sum(1)
    return {n: task.tokens[lengths == n, :n] for n in lengths.unique().tolist()}


def generator_of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def subjects(seed: int, *, programs: int = 1) -> Iterator[Subject]:
    """One of each kind, then drawn programs. The seed determines them."""
    for kind in KINDS:
        yield small(kind, seed)
    yield from program_subjects(seed, programs)


def program_subjects(seed: int, n: int) -> Iterator[Subject]:
    """Programs that Tracr compiles correctly."""
    found = 0
    for number in count():
        if found == n:
            return
        try:
            compiled = compiled_of(numbered(seed, number), name_of(seed, number))
        except Rejected:
            continue
        yield of_program(compiled)
        found += 1


def of_program(compiled: Compiled) -> Subject:
    tasks = {name: task_of(compiled, Setting(ablation=name)) for name in ABLATIONS}
    return Subject(name=compiled.program.name, tasks=tasks, compiled=compiled)


def small(kind: str, seed: int) -> Subject:
    """A small random model of one of KINDS."""
    rng = random.Random(f"{kind}/{seed}")
    spec = _SPECS[kind](rng)
    return of_model(f"{kind}_{seed}", random_model(spec, rng), seed)


def of_model(name: str, model: Model, seed: int) -> Subject:
    """A model on random inputs of several lengths. Inputs of one length are each other's corruptions."""
    rng = random.Random(seed)
    rows: list[tuple[int, ...]] = []
    for n in LENGTHS:
        while (row := tuple(rng.randrange(model.spec.d_vocab) for _ in range(n))) in rows:
            pass
        rows.append(row)
    longest = max(LENGTHS)
    tokens = torch.tensor([(*row, *(0,) * (longest - len(row))) for row in rows])
    valid = torch.arange(longest) < torch.tensor(LENGTHS)[:, None]
    pairs = [[i, j] for i, a in enumerate(rows) for j, b in enumerate(rows) if len(a) == len(b) and i != j]
    same = torch.arange(len(rows))[:, None].expand(-1, 2)
    plain = Task(
        name=name,
        model=model,
        ablation=Zero(),
        tokens=tokens,
        valid=valid,
        scored=valid,
        items=same,
        outcome=Outcome(categorical=True, tolerance=0.5),
        seed=seed,
    )
    mean = Mean().of(model, list(inputs_by_length(plain).values()))
    resample = replace(plain, ablation=Resample(), items=torch.tensor(pairs))
    return Subject(
        name=name, tasks={"zero": plain, "mean": replace(plain, ablation=mean), "resample": resample}
    )


def _gpt2(rng: random.Random) -> ModelSpec:
    layers, heads, d_head, d_model = rng.choice(((2, 3, 4, 7), (2, 4, 3, 8), (3, 2, 5, 6)))
    return ModelSpec(
        n_layers=layers, n_heads=heads, d_head=d_head, d_model=d_model, d_mlp=rng.choice((5, 9)), d_vocab=5,
        d_out=4, n_ctx=6, norm="layernorm", activation=rng.choice(("gelu_tanh", "gelu")),
    )  # fmt: skip


def _llama(rng: random.Random) -> ModelSpec:
    layers, heads, shared, d_head, d_model = rng.choice(((2, 4, 2, 4, 6), (2, 3, 1, 2, 7), (3, 4, 2, 2, 5)))
    return ModelSpec(
        n_layers=layers, n_heads=heads, n_kv_heads=shared, d_head=d_head, d_model=d_model,
        d_mlp=rng.choice((5, 9)), d_vocab=5, d_out=4, n_ctx=6, norm="rmsnorm", norm_eps=1e-3,
        activation="silu", gated_mlp=True, positions="rotary", rope_theta=100.0, rope_scaling=2.0,
    )  # fmt: skip


def _plain(rng: random.Random) -> ModelSpec:
    layers, heads, shared = rng.choice(((2, 3, 3), (2, 4, 2), (3, 2, 1)))
    return ModelSpec(
        n_layers=layers, n_heads=heads, n_kv_heads=shared, d_head=rng.choice((3, 5)),
        d_model=rng.choice((8, 11)), d_mlp=rng.choice((5, 9)), d_vocab=5, d_out=4, n_ctx=6,
        causal=rng.random() < 0.5, activation=rng.choice(("gelu", "relu")), parallel_blocks=rng.random() < 0.3,
    )  # fmt: skip


_SPECS = {"gpt2": _gpt2, "llama": _llama, "plain": _plain}


def random_model(spec: ModelSpec, rng: random.Random) -> Model:
    """Weights of order 1 after each product; gains near 1."""
    draw = generator_of(rng.randrange(2**31))
    tensors = {}
    shapes = expected_shapes(spec) | {"b_unembed": (spec.d_out,)}
    for name, shape in sorted(shapes.items()):
        x = torch.randn(shape, generator=draw, dtype=torch.float64)
        if name.startswith("w_") or name == "unembed":
            x = x * 1.2 / shape[-2] ** 0.5
        elif name.endswith("gain"):
            x = 1 + 0.3 * x
        elif name.startswith("b_") or name.endswith("bias"):
            x = 0.5 * x
        tensors[name] = x
    if spec.norm == "none":
        for name in ("tok", "pos", "w_o", "w_out", "b_out"):
            tensors[name] = tensors[name] * _part(tensors[name], -1, draw)
        for name in ("w_q", "w_k", "w_v", "w_in", "unembed"):
            tensors[name] = tensors[name] * _part(tensors[name], -2, draw)
        tensors["b_out"] = tensors["b_out"] * (tensors["w_out"] != 0).any(1)
    return Model(spec, Weights(**tensors))


def _part(of: Tensor, axis: int, draw: torch.Generator) -> Tensor:
    """1 on about half of the stream's directions, the same along every other axis of a node; else 0."""
    shape = [1] * of.ndim
    shape[axis] = of.shape[axis]
    nodes = of.shape[: max(of.ndim - 2, 0)]
    shape[: len(nodes)] = nodes
    return (torch.rand(shape, generator=draw) < 0.5).double()
