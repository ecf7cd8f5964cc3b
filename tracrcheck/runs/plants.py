"""Programs planted in GPT-2s, each with its certificate: what was measured, at one size after another. It can be resumed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprune_core.errors import CheckError
from tracrcheck.compiler.compile import Compiled
from tracrcheck.planted import carried
from tracrcheck.planted.folder import write_gpt2
from tracrcheck.planted.gpt2 import PLANTED_UNDER, gpt2_of
from tracrcheck.rasp.library import Entry, Library
from tracrcheck.records.sources import sources_of
from tracrcheck.runs import base
from tracrcheck.runs.results import File, RunKind, RunResults, coverage
from tracrcheck.truth.program_check import prepare
from tracrcheck.truth.setting import Setting

ROOTS = ("tracrcheck.runs.plants",)
Key = tuple[str, str]  # program, size
OWN = "own"


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Of one ablation: `planted/carried.py` says what each number is. All effects are in tolerances; weakest: None where nothing is
    required. smallest, unique: what is known of them."""

    ablation: str
    n_required: int
    n_permitted: int
    n_items: int
    weakest: float | None
    others: float
    furthest: float
    n_circuits: int
    smallest: str
    unique: str


@dataclass(frozen=True, kw_only=True)
class Plant:
    """size: `own`, or layers x heads, such as 12x12. fault: why there is no truth; then the rest is empty."""

    program: str
    size: str
    layers: int = 0
    heads: int = 0
    d_model: int = 0
    n_edges: int = 0
    outputs_within: float | None = None
    shrinks_by_at_most: float | None = None
    truths: tuple[Truth, ...] = ()
    fault: str | None = None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Plan(base.Plan):
    """own: programs at their own size, a share of the `n_causal` there are, of those with at most `most_inputs` inputs (null: of all).
    large: programs at `size`, which come first."""

    own: list[str]
    n_causal: int
    most_inputs: int | None
    large: list[str]
    size: str
    seed: int

    kind = "plants"

    def units(self) -> list[Key]:
        return [*((program, self.size) for program in self.large), *((program, OWN) for program in self.own)]

    def sources(self) -> dict[str, str | None]:
        return _sources([*self.own, *self.large], Library.here())


def _sources(programs: Sequence[str], library: Library) -> dict[str, str | None]:
    return sources_of([entry.path for entry in library.chosen(programs)], roots=ROOTS)


class PlantsFile(File):
    plants: list[Plant]


@dataclass(frozen=True, kw_only=True)
class PlantsResults(RunResults):
    plants: tuple[Plant, ...]

    schema = "tracrcheck.plants/1"
    file, asked = PlantsFile, Plan
    rows_name = rows_field = units_are = "plants"
    line_each = ("plants",)

    @property
    def exit_code(self) -> int:
        """0 if every truth is that of its program."""
        return int(any(plant.fault for plant in self.plants))

    def problems(self) -> list[str]:
        found = [(plant.program, plant.size) for plant in self.plants]
        return coverage("plants", found, self.plan.units(), finished=self.run["finished"])


class Plants(base.ResumableRun[Key, Plant]):
    """folder: where each is written, if anywhere. time_is_up: then the rest is left for a later call."""

    things, label, row, results_type = "plants", "plants", Plant, PlantsResults

    def __init__(
        self, plan: Plan, header: Mapping[str, Any], *rest: Any, folder: Path | None = None,
        time_is_up: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        super().__init__(header, *rest, units={key: key for key in plan.units()})
        self.plan, self.folder, self.time_is_up = plan, folder, time_is_up

    def key(self, row: Plant) -> Key:
        return row.program, row.size

    def make(self, units: list[Key]) -> Iterator[Plant]:
        library = Library.here()
        for program, size in units:
            if self.time_is_up():
                return
            entry = library.load(program)
            yield planted(entry, _compiled(entry), size, seed=self.plan.seed, folder=self.folder)


def _compiled(entry: Entry) -> Compiled:
    """Errors: those of compiling."""
    ready, wrong = prepare([entry])
    for error in wrong:
        raise error
    return ready[0]


def planted(entry: Entry, compiled: Compiled, size: str, *, seed: int, folder: Path | None = None) -> Plant:
    """One program at one size; in `folder` it is NAME, or NAME-SIZE."""
    started, name = time.monotonic(), compiled.program.name
    layers, heads = (None, None) if size == OWN else map(int, size.split("x"))
    try:
        host = gpt2_of(compiled, layers=layers, heads=heads, seed=seed)
        model = carried.of_program(host)
        measured = {"outputs": carried.outputs_within(host, model), "shrink": carried.shrink(model)}
        truths = [carried.carried(host, model, Setting(ablation=ablation)) for ablation in PLANTED_UNDER]
    except CheckError as error:
        why = " ".join(str(error).split())
        return Plant(program=name, size=size, fault=why, seconds=round(time.monotonic() - started, 1))
    if folder is not None and not (path := folder / (name if size == OWN else f"{name}-{size}")).exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_gpt2(path, host, truths, source=entry.path, command="python -m ci.planted", measured=measured)
    spec = host.model.spec
    return Plant(
        program=name, size=size, layers=spec.n_layers, heads=spec.n_heads, d_model=spec.d_model,
        n_edges=host.planted.graph.n_edges, outputs_within=measured["outputs"], shrinks_by_at_most=measured["shrink"],
        truths=tuple(map(_truth, truths)), seconds=round(time.monotonic() - started, 1),
    )  # fmt: skip


def _truth(of: carried.Carried) -> Truth:
    c, measured = of.certificate, of.to_json()
    return Truth(
        ablation=c.setting.ablation, n_required=len(c.required), n_permitted=len(c.permitted), n_items=c.n_items,
        smallest=c.unknown["smallest"], unique=c.unknown["unique"], **measured,
    )  # fmt: skip


def again(results: PlantsResults, plants: Sequence[Plant], library: Library) -> Iterator[tuple[Plant, Plant]]:
    """Errors: those of compiling."""
    for then in plants:
        entry = library.load(then.program)
        yield then, planted(entry, _compiled(entry), then.size, seed=results.plan.seed)


def _required(plant: Plant) -> list[tuple[str, int, int]]:
    return [(truth.ablation, truth.n_required, truth.n_permitted) for truth in plant.truths]


PLANTS = RunKind(
    results=PlantsResults,
    name="a run of planted programs",
    command="-m ci.planted",
    sources=lambda asked, library: _sources([*asked["own"], *asked["large"]], library),
    again=again,
    same=lambda then, now, elsewhere: _required(then) == _required(now),
    named=lambda plant: f"{plant.program}, {plant.size}",
    outcome=lambda plant, other: (
        plant.fault or ", ".join(f"{a} {n} of {m} edges" for a, n, m in _required(plant))
    ),
)
