"""Certificate: the required circuit of a setting, what was proved about it, and on how many inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from edgeprune_core.circuit import Circuit
from tracrcheck.rasp.domain import WHOLE, Total
from tracrcheck.truth.setting import Setting

PROPERTIES = ("sufficient", "minimal", "smallest", "unique")


@dataclass(frozen=True)
class Break:
    """An unfaithful circuit, and a row of the list on which it is."""

    kept: Circuit
    row: int


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """The truth of one setting.

    required:  a smallest faithful circuit, as far as `proved` says.
    proved:    some of `sufficient` (the required edges alone are faithful on the whole list), `minimal` (without any
               one of them they are not), `smallest` (no faithful circuit has fewer edges), `unique` (no other circuit
               of that size is faithful).
    unknown:   property -> why it was not decided.
    other:     another faithful circuit of the same size, if `unique` is disproved.
    gap_below: the largest deviation seen that is within the tolerance; gap_above: the smallest seen beyond it. In
               units of the output's range; None if none was seen.
    n_inputs:  distinct inputs; n_items: items on the list (pairs, if the ablation pairs inputs); sampled: how many
               there are in all, if the list is a sample (or "unknown").
    telling:   rows of the list on which it shows if any required edge is dropped.

    Where the setting asks for robust circuits, every word above is about those:

    breaks:    for each required edge, an unfaithful circuit that has all other required edges.
    alone:     an unfaithful circuit that contains a smallest faithful one, which is then not robust; None if it is.
    tried:     how many circuits that contain the required edges were run, if not all were searched.
    """

    program: str
    setting: Setting
    required: Circuit
    permitted: Circuit
    proved: tuple[str, ...]
    unknown: dict[str, str] = field(default_factory=dict)
    other: Circuit | None = None
    gap_below: float | None = None
    gap_above: float | None = None
    n_inputs: int = 0
    n_items: int = 0
    sampled: Total | None = None
    seconds: float = 0.0
    telling: tuple[int, ...] = ()
    breaks: tuple[Break, ...] = ()
    alone: Break | None = None
    tried: int | None = None

    @property
    def vacuous(self) -> bool:
        """Whether no edge is required: the output cannot change."""
        return len(self.required) == 0

    @property
    def usable(self) -> bool:
        """Whether it proves enough for a verdict."""
        return {"sufficient", "minimal"} <= set(self.proved)

    @property
    def word(self) -> Literal["proved", "sampled", "UNKNOWN"]:
        """Whether it holds on the whole list, on a sample of it, or is not decided."""
        if not self.usable:
            return "UNKNOWN"
        return "proved" if self.sample is None else "sampled"

    @property
    def sample(self) -> str | None:
        """What was run instead of everything, such as `48 of 1053` items; None if the proof is complete."""
        items = [] if self.sampled is None else [f"{self.n_items} of {self.sampled}"]
        circuits = [] if self.tried is None else [f"{self.tried} of {self.n_around} circuits"]
        return ", ".join([*items, *circuits]) or None

    @property
    def n_around(self) -> str:
        """How many circuits contain the required edges."""
        return f"2^{len(self.permitted) - len(self.required)}"

    def says(self, name: str) -> str:
        """One property in words: proved, disproved, or UNKNOWN with the reason."""
        if name in self.proved:
            if name == "sufficient" and self.sample is not None:
                return f"sampled {self.sample}"
            return "proved"
        if name == "unique" and self.other is not None:
            return "no: several smallest circuits"
        return f"UNKNOWN({self.unknown.get(name, 'not decided')})"

    def to_json(self) -> dict[str, Any]:
        low_high = self.setting.lengths
        return {
            "program": self.program,
            "ablation": self.setting.ablation,
            "criterion": self.setting.criterion,
            "lengths": list(low_high) if low_high else None,
            "score_bos": self.setting.score_bos,
            **({} if self.setting.inputs == WHOLE else {"inputs": self.setting.inputs}),
            "required": self.required.texts,
            "permitted": self.permitted.texts,
            "proved": list(self.proved),
            "unknown": dict(self.unknown),
            "other": self.other.texts if self.other else None,
            "gap_below": self.gap_below,
            "gap_above": self.gap_above,
            "vacuous": self.vacuous,
            "n_inputs": self.n_inputs,
            "n_pairs": self.n_items if self.setting.paired else 0,
            "sampled": self.sampled,
            "word": self.word,
        }
