"""The bar of a fuzzing run: shares that are exact, with intervals, and whether they and the quotas are reached."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

from tracrcheck.generator.features import Composition, Quotas
from tracrcheck.runs.fuzz_program import TRIVIAL, Row

CONFIDENCE = 0.95
NARROW = "a narrow gap"  # why nothing is proved, in the words of `truth/certify.py`


@dataclass(frozen=True, kw_only=True)
class Share:
    """exact of counted. low, high: the Wilson score interval (Wilson 1927, JASA 22) at 95 %."""

    exact: int
    counted: int
    low: float
    high: float

    @classmethod
    def of(cls, exact: int, counted: int) -> Share:
        if not counted:
            return cls(exact=0, counted=0, low=0.0, high=1.0)
        z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
        p, n = exact / counted, counted
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return cls(
            exact=exact,
            counted=n,
            low=round(max(0.0, middle - half), 5),
            high=round(min(1.0, middle + half), 5),
        )

    @property
    def share(self) -> float:
        return self.exact / self.counted if self.counted else 0.0


@dataclass(frozen=True, kw_only=True)
class Bar:
    """Least shares of exact settings, of those that are not narrow. narrow: most that may be.

    settings: least of each ablation, in a run of `programs` or more.
    """

    overall: float = 0.99
    each_ablation: float = 0.98
    narrow: float = 0.05
    settings: int = 150
    programs: int = 500
    quotas: Quotas = field(default_factory=Quotas)


@dataclass(frozen=True, kw_only=True)
class Score:
    """What a run comes to. Vacuous settings are in no share; UNKNOWN, timeouts and errors are not exact.

    ablations, vacuous: by ablation; trivial: method -> ablation -> share; there `overall` stands for all of them.
    short: what is below the bar, in words; nothing where it is reached.
    """

    overall: Share
    ablations: dict[str, Share]
    trivial: dict[str, dict[str, Share]]
    vacuous: dict[str, int]
    unknown: int
    composition: Composition
    short: tuple[str, ...]


def is_narrow(row: Row) -> bool:
    """Whether the truth is unknown because a circuit deviates by a tenth of the tolerance to ten times it."""
    return row.counts and row.verdict.verdict == "UNKNOWN" and NARROW in (row.verdict.reason or "")


def score_of(rows: Sequence[Row], composition: Composition, names: Sequence[str], bar: Bar) -> Score:
    """names: of the ablations."""
    counted = [row for row in rows if row.counts]
    by_name = {name: [row for row in counted if row.ablation == name] for name in names}
    overall = Share.of(sum(row.holds for row in counted), len(counted))
    ablations = {name: Share.of(sum(row.holds for row in of), len(of)) for name, of in by_name.items()}
    trivial = {
        method: {
            name: Share.of(sum(dict(row.trivial)[method] == "HOLDS" for row in of), len(of))
            for name, of in {"overall": counted, **by_name}.items()
        }
        for method in TRIVIAL
    }
    return Score(
        overall=overall,
        ablations=ablations,
        trivial=trivial,
        vacuous={"overall": len(rows) - len(counted)}
        | {name: sum(row.ablation == name and not row.counts for row in rows) for name in names},
        unknown=sum(row.verdict.verdict == "UNKNOWN" for row in counted),
        composition=composition,
        short=tuple(_short({"overall": counted} | by_name, composition, bar)),
    )


def _short(rows: Mapping[str, Sequence[Row]], composition: Composition, bar: Bar) -> list[str]:
    """rows: those that count, by ablation, and all as `overall`."""
    found = []
    for name, of in rows.items():
        others = [row for row in of if not is_narrow(row)]
        exact, least = sum(row.holds for row in of), bar.overall if name == "overall" else bar.each_ablation
        if not others or exact < least * len(others):
            found.append(f"{name}: {exact} of {len(others)} exact, at least {100 * least:g}% wanted")
        if (narrow := len(of) - len(others)) > bar.narrow * len(of):
            found.append(f"{name}: {narrow} of {len(of)} narrow, at most {bar.narrow:.0%} wanted")
        if name != "overall" and composition.programs >= bar.programs and len(of) < bar.settings:
            found.append(f"{name}: {len(of)} settings, at least {bar.settings} wanted")
    for name, (got, least) in composition.unmet(bar.quotas).items():
        found.append(f"programs, {name.replace('_', ' ')}: {got:g}, at least {least:g} wanted")
    return found
