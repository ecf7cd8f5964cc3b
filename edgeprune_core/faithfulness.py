"""Faithfulness of a circuit as a matrix, not one number: claims flip between defensible choices of ablation and metric.

Miller, Chughtai & Saunders 2024 ("Transformer Circuit Faithfulness Metrics are not Robust", arXiv 2407.08734) show
one circuit going from below 0 to above 100 % by the choice of ablation and metric. So a cell for every

    ablation    zero, mean, resample: what a cut edge carries;
    direction   kept: all edges outside of the circuit are cut; knocked_out: those of the circuit are;
    metric      kl (nats, model || pruned), recovered (of the margin: 0 where the empty circuit is, 1 where the model
                is), accuracy (an answer is likeliest), exact_match (the model's own output at every scored position),
                tau (Kendall's tau-b with the model's outputs, over its likeliest 50), or your own (`metrics/`).

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
from edgeprune_core.error_codes import user_error
from edgeprune_core.mask import edge_flags, mask_from_edge_values
from edgeprune_core.metrics import METRICS, Metric
from edgeprune_core.task import Task

Direction = Literal["kept", "knocked_out"]
DIRECTIONS: tuple[Direction, ...] = ("kept", "knocked_out")
# Mean margins that differ by less than this share of the margins' size count as equal. It is above float32 rounding (a
# sum of a thousand terms: 1000 * 2^-24), and below any effect worth reporting.
COINCIDE = 1e-4
# Masks per batch.
CIRCUITS = 16
# Cells that a sentence names; beyond, it counts them, and the table says which.
NAMED = 3


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
    """circuit: the circuit's value. model, empty: the values of the full and the empty circuit. null: the mean and the
    central share over random circuits with as many edges, in the same direction."""

    ablation: str
    direction: Direction
    metric: str
    circuit: Interval
    null: Interval
    model: float
    empty: float

    @property
    def supports(self) -> bool:
        """Whether the cell is evidence for the circuit.

        Kept alone, it must be nearer to the model than to the empty circuit; knocked out, the other way round. It must
        also be nearer than nearly all random circuits. False where undefined.
        """
        good, bad = (self.model, self.empty) if self.direction == "kept" else (self.empty, self.model)
        off, other = abs(self.circuit.mean - good), abs(self.circuit.mean - bad)
        nearest_null = min(abs(self.null.low - good), abs(self.null.high - good))
        if self.null.low <= good <= self.null.high:
            nearest_null = 0.0
        return off < other and off < nearest_null


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """n_edges: the circuit's size. n_items: prompts. draws: random circuits. confidence: level of every interval."""

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
        good = f"faithful in {len(self.cells) - len(self.against)} of {len(self.cells)} cells"
        if len(self.against) > NAMED:
            return f"{good}: {'; '.join(self._counts())}"
        names = ", ".join(
            f"{c.ablation} / {c.direction.replace('_', ' ')} / {METRICS[c.metric].label if c.metric in METRICS else c.metric}"
            for c in self.against
        )
        return f"{good}; not in {names}"

    def _counts(self) -> Iterator[str]:
        """Faithful cells by ablation, such as `zero 2 of 5 kept, 3 of 5 knocked out`."""
        for ablation in dict.fromkeys(c.ablation for c in self.cells):
            of: dict[Direction, list[bool]] = {}
            for cell in self.cells:
                if cell.ablation == ablation:
                    of.setdefault(cell.direction, []).append(cell.supports)
            counts = (f"{sum(good)} of {len(good)} {where.replace('_', ' ')}" for where, good in of.items())
            yield f"{ablation} {', '.join(counts)}"


def faithfulness(
    tasks: Mapping[str, Task],
    circuit: Circuit,
    *,
    metrics: Sequence[Metric] | None = None,
    draws: int = 100,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Matrix:
    """The matrix of a circuit. tasks: ablation -> the same task under it. Categorical outputs only.

    metrics: None for all of `METRICS`. draws: random circuits; resamples: of the bootstrap. Compiled models have
    one-hot scores and no answers: there kl is of sharpened distributions (`Task.temperature`), and accuracy is
    exact_match.

    Errors: EP195 (numerical outputs), EP121 (a circuit of another graph), EP197 (a metric that fails).
    """
    metrics = tuple(METRICS.values()) if metrics is None else metrics
    cells: list[Cell] = []
    for name, task in tasks.items():
        _check(task, circuit)
        generator = torch.Generator().manual_seed(seed)
        circuits = _circuits(task, circuit, draws, generator)
        values = _values(task, circuits, metrics)
        picks = torch.randint(len(task.items), (resamples, len(task.items)), generator=generator)
        cells += _cells(name, metrics, values, picks, confidence)
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
    """Rows: full, empty, the circuit kept, the circuit knocked out, then random circuits kept, then knocked out."""
    kept = edge_flags(circuit)
    n = task.graph.n_edges
    random = torch.zeros(draws, n)
    for row in random:
        row[torch.randperm(n, generator=generator)[: len(circuit)]] = 1
    own = torch.stack([torch.ones(n), torch.zeros(n), kept.float(), (~kept).float()])
    return torch.cat([own, random, 1 - random])


@torch.no_grad()
def _values(
    task: Task, circuits: Float[Tensor, "circuit edge"], metrics: Sequence[Metric]
) -> dict[str, Float[Tensor, "circuit item"]]:
    """Every metric by name, not yet rescaled."""
    found: dict[str, list[Tensor]] = {metric.name: [] for metric in metrics}
    for chunk in circuits.split(CIRCUITS):
        mask = mask_from_edge_values(task.graph, chunk.to(task.model.dtype).to(task.model.device))
        parts: dict[str, list[Tensor]] = {name: [] for name in found}
        for items, got in task.in_parts(mask):
            for metric in metrics:
                parts[metric.name].append(_measured(metric, task, got, items))
        for name, part in parts.items():
            found[name].append(torch.cat(part, 1).double().cpu())
    return {name: torch.cat(rows) for name, rows in found.items()}


def _measured(
    metric: Metric, task: Task, got: Float[Tensor, "circuit item place d_out"], items: Int[Tensor, "item 2"]
) -> Float[Tensor, "circuit item"]:
    """Errors: EP197, where the metric raises or gives something else."""
    try:
        found = metric(task, got, items)
    except Exception as error:
        raise user_error("EP197.raised", got=f"{type(error).__name__}: {error}", name=metric.name) from error
    if not isinstance(found, Tensor) or found.shape != got.shape[:2]:
        shape = f"shape {list(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
        raise user_error(
            "EP197.shape", got=shape, wanted=f"a tensor of shape {list(got.shape[:2])}", name=metric.name
        )
    return found


def _cells(
    ablation: str,
    metrics: Sequence[Metric],
    values: Mapping[str, Tensor],
    picks: Int[Tensor, "resample item"],
    confidence: float,
) -> Iterator[Cell]:
    for row, direction in enumerate(DIRECTIONS):
        for metric in metrics:
            of_all = values[metric.name]
            table = _Ratio(of_all) if metric.rescaled else of_all
            draws = (len(of_all) - 4) // 2
            null = range(4 + row * draws, 4 + (row + 1) * draws)
            yield Cell(
                ablation=ablation,
                direction=direction,
                metric=metric.name,
                circuit=_bootstrap(table, 2 + row, picks, confidence),
                null=_spread([_mean(table, i) for i in null], confidence),
                model=_mean(table, 0),
                empty=_mean(table, 1),
            )


@dataclass(frozen=True)
class _Ratio:
    """Values rescaled as (m - m of the empty circuit) / (m of the model - m of the empty circuit), of means m.

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
