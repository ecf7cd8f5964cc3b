"""Verdict: whether a method found the required circuit of a setting, and the smallest input that shows if it did not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tracrcheck.grading.score_metrics import Ranking
from tracrcheck.records.reading import LATER

Word = Literal["HOLDS", "FAILS", "UNKNOWN"]
Judged = Literal["circuit", "ranking", "nodes", "node_ranking"]
Key = tuple[str, str, str, int]  # program, ablation, criterion, seed

# Why a method FAILS: before its circuit is graded, and after.
METHOD_FAULTS = ("raised", "timeout", "nan", "foreign_edges", "no_result", "refused")
CIRCUIT_FAULTS = ("unfaithful", "not_robust", "not_smallest", "no_threshold")
WRONG_CALLS = ("foreign_edges", "refused")  # exit code 2


@dataclass(frozen=True, kw_only=True)
class Witness:
    """The smallest input on which a circuit and the model differ too much.

    corruption: the paired input if the ablation pairs inputs, else None. position: 0 is BOS. want: the model's output
    there; got: the circuit's.
    """

    input: tuple[Any, ...]
    corruption: tuple[Any, ...] | None
    position: int
    want: Any
    got: Any

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Witness:
        corruption = record["corruption"]
        return cls(
            input=tuple(record["input"]),
            corruption=None if corruption is None else tuple(corruption),
            position=record["position"],
            want=record["want"],
            got=record["got"],
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "input": list(self.input),
            "corruption": None if self.corruption is None else list(self.corruption),
            "position": self.position,
            "want": self.want,
            "got": self.got,
        }


@dataclass(frozen=True, kw_only=True)
class Halves:
    """The circuits that the method finds from two random halves of the inputs.

    common: edges in both, as a share of the edges in either; None if it returned no circuit. right: whether each HOLDS on
    the whole list.
    """

    common: float | None
    right: tuple[bool, ...]

    def to_json(self) -> dict[str, Any]:
        return {"common": self.common, "right": list(self.right)}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One method, on one program, in one setting, with one seed.

    reason:  None for HOLDS; for FAILS one of `METHOD_FAULTS` or `CIRCUIT_FAULTS`; else why it is UNKNOWN.
    missing, extra: edges, compared with the nearest smallest circuit if there are several.
    vacuous: no edge is required: the output cannot change.
    found_sha: hash of the edges found (`edges_sha`), to compare two runs edge by edge.
    seconds: that the method took; its share, if several seeds were trained together.
    ranking: how its edge scores rank the required edges, if it returned scores.
    judged:  what the verdict is on: the circuit; the ranking by scores (`missing` and `extra` are then those of the nearest
             threshold); or nodes, or their ranking, of which all counts are then. selector: what made the circuit of the scores, if the
             method or the call named one (`edgeprune_core.methods.selectors`).
    sampled: what part of the whole list the truth was tested on, such as `48 of 1053`; None where it is proved on all of it.
    halves:  what the method finds from each half of the inputs; None without `--halves`.
    detail:  the exception or the foreign edges, in words; not part of the JSON form.
    """

    program: str
    ablation: str
    criterion: str
    method: str
    seed: int
    verdict: Word
    reason: str | None = None
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    n_required: int
    n_found: int
    found_sha: str = ""
    vacuous: bool = False
    seconds: float = 0.0
    witness: Witness | None = None
    ranking: Ranking | None = None
    judged: Judged = field(default="circuit", metadata=LATER)
    selector: str | None = field(default=None, metadata=LATER)
    sampled: str | None = field(default=None, metadata=LATER)
    halves: Halves | None = field(default=None, metadata=LATER)
    detail: str = field(default="", compare=False)

    @property
    def key(self) -> Key:
        """Identifies the verdict within one run of the gate."""
        return self.program, self.ablation, self.criterion, self.seed

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Verdict:
        """The inverse of `to_json`. Errors: `KeyError`, `TypeError`."""
        rest = dict(record)
        witness, ranking = rest.pop("witness"), rest.pop("ranking")
        halves = rest.pop("halves", None)
        return cls(
            missing=tuple(rest.pop("missing")),
            extra=tuple(rest.pop("extra")),
            witness=None if witness is None else Witness.from_json(witness),
            ranking=None if ranking is None else Ranking(**ranking),
            halves=None if halves is None else Halves(common=halves["common"], right=tuple(halves["right"])),
            **rest,
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "program": self.program,
            "ablation": self.ablation,
            "criterion": self.criterion,
            "method": self.method,
            "seed": self.seed,
            "verdict": self.verdict,
            "reason": self.reason,
            "missing": list(self.missing),
            "extra": list(self.extra),
            "n_required": self.n_required,
            "n_found": self.n_found,
            "found_sha": self.found_sha,
            "vacuous": self.vacuous,
            "seconds": round(self.seconds, 3),
            "witness": self.witness.to_json() if self.witness else None,
            "ranking": self.ranking.to_json() if self.ranking else None,
            "judged": self.judged,
            "selector": self.selector,
            "sampled": self.sampled,
            **({} if self.halves is None else {"halves": self.halves.to_json()}),
        }


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Counts each verdict once: HOLDS in a vacuous setting counts as `vacuous`, not as `holds`.

    sampled: how many of them are against a truth that was tested on a sample of the inputs.
    """

    holds: int
    fails: int
    unknown: int
    vacuous: int
    seconds: float
    sampled: int = 0

    @classmethod
    def of(cls, verdicts: Iterable[Verdict], seconds: float) -> Summary:
        rows = list(verdicts)
        holding = [v for v in rows if v.verdict == "HOLDS"]
        return cls(
            holds=sum(not v.vacuous for v in holding),
            fails=sum(v.verdict == "FAILS" for v in rows),
            unknown=sum(v.verdict == "UNKNOWN" for v in rows),
            vacuous=sum(v.vacuous for v in holding),
            seconds=round(seconds, 3),
            sampled=sum(v.sampled is not None for v in rows),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "holds": self.holds,
            "fails": self.fails,
            "unknown": self.unknown,
            "vacuous": self.vacuous,
            "seconds": self.seconds,
            **({"sampled": self.sampled} if self.sampled else {}),
        }


def edges_sha(edges: Iterable[str]) -> str:
    """Sixteen hex digits of the sha256 of the sorted edges."""
    return hashlib.sha256("\n".join(sorted(edges)).encode()).hexdigest()[:16]


def exit_code(verdicts: Iterable[Verdict], *, allow_unknown: bool = False) -> int:
    """0 if all HOLD, 1 if some do not, 2 if an answer cannot be read as one on the program's edges."""
    rows = list(verdicts)
    if any(v.reason in WRONG_CALLS for v in rows):
        return 2
    accepted = {"HOLDS", "UNKNOWN"} if allow_unknown else {"HOLDS"}
    return int(any(v.verdict not in accepted for v in rows))
