"""Certificate: what was proved about a setting's truth, and on how many inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from edgeprune_core.circuit import Circuit
from tracrcheck.truth.setting import Setting

PROPERTIES = ("sufficient", "minimal", "smallest", "unique")


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """The truth of one setting.

    required:  a smallest faithful circuit, as far as `proved` says.
    proved:    some of `sufficient` (required alone is faithful on the whole list), `minimal` (dropping any
               one of its edges is not), `smallest` (no faithful circuit has fewer edges), `unique` (no other
               of that size is faithful).
    unknown:   property -> why it was not decided.
    other:     where `unique` is disproved: another faithful circuit of the same size.
    gap_below: largest deviation among those seen that a faithful circuit may have; gap_above: smallest
               among those it may not. In units of the output's range; None where there is none.
    n_inputs:  distinct inputs; n_items: items on the list (pairs, under resample); sampled: how many there
               are in all, where the list is a sample.
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
    sampled: int | None = None
    seconds: float = 0.0

    @property
    def vacuous(self) -> bool:
        """Nothing is needed: the output cannot change."""
        return len(self.required) == 0

    @property
    def usable(self) -> bool:
        """Whether a verdict can rest on it."""
        return {"sufficient", "minimal"} <= set(self.proved)

    def says(self, name: str) -> str:
        """One property in words: proved, disproved, or UNKNOWN with the reason."""
        if name in self.proved:
            if name == "sufficient" and self.sampled is not None:
                return f"sampled {self.n_items} of {self.sampled}"
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
        }
