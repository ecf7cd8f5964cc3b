"""Faithfulness of a circuit as a matrix: no single number, since claims flip between defensible choices of it.

Miller, Chughtai & Saunders 2024 ("Transformer Circuit Faithfulness Metrics are not Robust", arXiv 2407.08734) show
one circuit going from below 0 to above 100 % by the choice of ablation and metric. So a cell for every

    ablation    zero, mean, resample: what a cut edge carries;
    direction   kept: all edges outside of the circuit are cut; knocked_out: those of the circuit are;
    metric      kl (nats, model || pruned), recovered (of the margin: 0 where the empty circuit is, 1 where the model
                is), accuracy (an answer is likeliest), exact_match (the model's own output at every scored position),
                tau (Kendall's tau-b with the model's outputs, over the model's likeliest `TOP`).

Each with a bootstrap interval over items, and the same for random circuits of as many edges. `recovered` is a ratio of
means, undefined where the model's margin and the empty circuit's coincide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.criterion import decode
from edgeprune_core.engine import live_writers
from edgeprune_core.error_codes import user_error
from edgeprune_core.mask import from_edge_values
from edgeprune_core.metrics.divergence import sharp_temperature
from edgeprune_core.task import Task
from edgeprune_core.tasks.prompt_task import PromptTask

Direction = Literal["kept", "knocked_out"]
Metric = Literal["kl", "recovered", "accuracy", "exact_match", "tau"]
DIRECTIONS: tuple[Direction, ...] = ("kept", "knocked_out")
METRICS: tuple[Metric, ...] = ("kl", "recovered", "accuracy", "exact_match", "tau")
# Outputs whose order Kendall's tau looks at.
TOP = 50
# Means of margins nearer than this share of the margins' size are equal: it is above what float32 rounds (a sum of a
# thousand terms: 1000 * 2^-24), and below any effect worth a name.
COINCIDE = 1e-4
# Masks at once.
CIRCUITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean over items and its bootstrap interval; NaN where undefined."""

    mean: float
    low: float
    high: float

    def apart(self, other: Interval) -> bool:
        return self.low > other.high or self.high < other.low


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """circuit: its value. model, empty: of the full and the empty circuit. null: over random circuits of as many
    edges, in the same direction: their mean, and the central share of them."""

    ablation: str
    direction: Direction
    metric: Metric
    circuit: Interval
    null: Interval
    model: float
    empty: float

    @property
    def supports(self) -> bool:
        """Whether the cell speaks for the circuit: kept alone it is nearer to the model, or knocked out nearer to
        the empty circuit, than to the other one, and than nearly all random circuits are. False where undefined."""
        good, bad = (self.model, self.empty) if self.direction == "kept" else (self.empty, self.model)
        off, other = abs(self.circuit.mean - good), abs(self.circuit.mean - bad)
        nearest_null = min(abs(self.null.low - good), abs(self.null.high - good))
        if self.null.low <= good <= self.null.high:
            nearest_null = 0.0
        return off < other and off < nearest_null


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """n_edges: kept; n_items: prompts; draws: random circuits; confidence: of every interval."""

    n_edges: int
    n_items: int
    draws: int
    confidence: float
    cells: tuple[Cell, ...]

    @property
    def against(self) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if not cell.supports)

    def sentence(self) -> str:
        """What may be claimed."""
        if not self.against:
            return f"the circuit is faithful in every one of {len(self.cells)} cells"
        if len(self.against) == len(self.cells):
            return f"faithful in none of {len(self.cells)} cells"
        names = ", ".join(f"{c.ablation} / {c.direction} / {c.metric}" for c in self.against)
        return f"faithful in {len(self.cells) - len(self.against)} of {len(self.cells)} cells; not in {names}"


def faithfulness(
    tasks: Mapping[str, Task],
    circuit: Circuit,
    *,
    draws: int = 100,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Matrix:
    """The matrix of a circuit. tasks: ablation -> the same task under it. Categorical outputs only.

    draws: random circuits; resamples: of the bootstrap. Compiled models have one-hot scores and no answers: there kl is
    of sharpened distributions (`sharp_temperature`), and accuracy is exact_match.

    Errors: EP195 (numerical outputs), EP121 (a circuit of another graph).
    """
    cells: list[Cell] = []
    for name, task in tasks.items():
        _check(task, circuit)
        generator = torch.Generator().manual_seed(seed)
        circuits = _circuits(task, circuit, draws, generator)
        values = _values(task, circuits)
        picks = torch.randint(len(task.items), (resamples, len(task.items)), generator=generator)
        cells += _cells(name, values, picks, confidence)
    n_items = len(next(iter(tasks.values())).items)
    return Matrix(
        n_edges=len(circuit), n_items=n_items, draws=draws, confidence=confidence, cells=tuple(cells)
    )


def _check(task: Task, circuit: Circuit) -> None:
    if not task.outcome.categorical:
        raise user_error("EP195", where=task.name)
    if circuit.graph != task.graph:
        raise user_error("EP121.task", got=circuit.graph, wanted=task.graph)


def _circuits(
    task: Task, circuit: Circuit, draws: int, generator: torch.Generator
) -> Float[Tensor, "circuit edge"]:
    """The full and the empty one, the circuit kept and knocked out, then random ones kept, and knocked out."""
    kept = torch.tensor([edge in circuit for edge in task.graph.edges])
    n = task.graph.n_edges
    random = torch.zeros(draws, n)
    for row in random:
        row[torch.randperm(n, generator=generator)[: len(circuit)]] = 1
    own = torch.stack([torch.ones(n), torch.zeros(n), kept.float(), (~kept).float()])
    return torch.cat([own, random, 1 - random])


@torch.no_grad()
def _values(task: Task, circuits: Float[Tensor, "circuit edge"]) -> dict[str, Float[Tensor, "circuit item"]]:
    """Per circuit and item: the metrics, with the margin where `recovered` will stand."""
    found: dict[str, list[Tensor]] = {}
    for chunk in circuits.split(CIRCUITS):
        mask = from_edge_values(task.graph, chunk.to(task.model.dtype).to(task.model.device))
        live = live_writers(mask, task.graph)
        parts = [_metrics(task, mask, items, live) for items in _batches(task, len(chunk))]
        for name in parts[0]:
            found.setdefault(name, []).append(torch.cat([part[name] for part in parts], 1).double().cpu())
    return {name: torch.cat(rows) for name, rows in found.items()}


def _batches(task: Task, circuits: int) -> Iterator[Tensor]:
    each = circuits * len(task.graph.writers) * task.tokens.shape[1] * task.model.spec.d_model
    yield from task.items.split(max(1, 16_000_000 // each))


def _metrics(task: Task, mask: Tensor, items: Int[Tensor, "item 2"], live: Tensor) -> dict[str, Tensor]:
    got, clean = task.outputs(mask, items, live=live), items[:, 0]
    want, scored = task.reference[clean], task.scored[clean]
    prompts = isinstance(task, PromptTask)
    temperature = 1.0 if prompts else sharp_temperature(want.shape[-1])
    p, q = (want / temperature).log_softmax(-1), (got / temperature).log_softmax(-1)
    same = (decode(got) == decode(want)) | ~scored
    exact = same.all(-1).to(got.dtype)
    accuracy = exact
    if isinstance(task, PromptTask):
        accuracy = task.leads(got, items)
    return {
        "kl": _over_scored((p.exp() * (p - q)).sum(-1), scored),
        "recovered": task.margins(got, items),
        "accuracy": accuracy,
        "exact_match": exact,
        "tau": _over_scored(kendall_tau(got, want), scored),
    }


def _over_scored(x: Float[Tensor, "circuit item pos"], scored: Tensor) -> Float[Tensor, "circuit item"]:
    return (x * scored).sum(-1) / scored.sum(-1).clamp_min(1)


def kendall_tau(
    got: Float[Tensor, "*lead item pos d_out"], want: Float[Tensor, "item pos d_out"], top: int = TOP
) -> Float[Tensor, "*lead item pos"]:
    """Tau-b (Kendall 1945) of outputs with the wanted ones, over the `top` largest wanted; 0 where either is constant."""
    chosen = want.topk(min(top, want.shape[-1]), dim=-1).indices
    x, y = got.gather(-1, chosen.expand(*got.shape[:-1], -1)), want.gather(-1, chosen)
    a, b = _order(x), _order(y)
    ties = (a.square().sum((-1, -2)) * b.square().sum((-1, -2))).sqrt()
    return torch.where(ties > 0, (a * b).sum((-1, -2)) / ties.clamp_min(1e-30), 0.0)


def _order(x: Tensor) -> Tensor:
    return (x[..., :, None] - x[..., None, :]).sign()


def _cells(
    ablation: str, values: Mapping[str, Tensor], picks: Int[Tensor, "resample item"], confidence: float
) -> Iterator[Cell]:
    for row, direction in enumerate(DIRECTIONS):
        for metric in METRICS:
            table = _Ratio(values[metric]) if metric == "recovered" else values[metric]
            draws = (len(values[metric]) - 4) // 2
            null = range(4 + row * draws, 4 + (row + 1) * draws)
            yield Cell(
                ablation=ablation,
                direction=direction,
                metric=metric,
                circuit=_bootstrap(table, 2 + row, picks, confidence),
                null=_spread([_mean(table, i) for i in null], confidence),
                model=_mean(table, 0),
                empty=_mean(table, 1),
            )


@dataclass(frozen=True)
class _Ratio:
    """Margins, to be read as (m - m of the empty circuit) / (m of the model - m of the empty circuit), of means.

    NaN where the two coincide up to rounding: the quotient of two rounding errors is a number like any other.
    """

    margins: Tensor

    def __call__(self, row: int, picks: Tensor) -> Tensor:
        """`resample`."""
        means = self.margins[[row, 0, 1]][:, picks].mean(-1)
        apart, size = means[1] - means[2], self.margins[[1, 2]].abs().mean()
        return torch.where(apart.abs() > COINCIDE * size, (means[0] - means[2]) / apart, torch.nan)


def _over(
    table: Tensor | _Ratio, row: int, picks: Int[Tensor, "resample item"]
) -> Float[Tensor, " resample"]:
    return table(row, picks) if isinstance(table, _Ratio) else table[row][picks].mean(-1)


def _mean(table: Tensor | _Ratio, row: int) -> float:
    n = (table.margins if isinstance(table, _Ratio) else table).shape[1]
    return float(_over(table, row, torch.arange(n)[None])[0])


def _bootstrap(table: Tensor | _Ratio, row: int, picks: Tensor, confidence: float) -> Interval:
    """Percentile bootstrap (Efron 1979) over items."""
    low, high = _central(_over(table, row, picks), confidence)
    return Interval(mean=_mean(table, row), low=low, high=high)


def _spread(values: Sequence[float], confidence: float) -> Interval:
    found = torch.tensor(values, dtype=torch.float64)
    low, high = _central(found, confidence)
    return Interval(mean=float(found.mean()), low=low, high=high)


def _central(values: Tensor, confidence: float) -> tuple[float, float]:
    if not len(values) or not values.isfinite().all():
        return float("nan"), float("nan")
    low, high = values.quantile(
        torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2], dtype=values.dtype)
    )
    return float(low), float(high)
