"""What "right" means for a circuit of a program. It loads no torch, so that a wrong setting is refused before."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgeprune_core.ablations import ABLATIONS, VARIANTS
from tracrcheck.error_codes import unknown_name
from tracrcheck.rasp.domain import WHOLE

if TYPE_CHECKING:
    from edgeprune_core.ablations import Ablation
    from edgeprune_core.criterion import Criterion

CRITERIA = ("value", "decoded")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What "right" means for a circuit of a program.

    lengths:   shortest and longest token list (BOS not counted); None for all of the program's.
    score_bos: judge position 0 too.
    inputs:    items (inputs, or pairs of them) above which the list is sampled; None for never.
    robust:    a circuit must be faithful whichever of the other edges are cut, not only when all are.
    """

    ablation: str = "zero"
    criterion: Criterion = "value"
    lengths: tuple[int, int] | None = None
    score_bos: bool = False
    inputs: int | None = WHOLE
    robust: bool = False

    def __post_init__(self) -> None:
        for what, got, known in (
            ("ablation", self.ablation, tuple(_ablations())),
            ("criterion", self.criterion, CRITERIA),
        ):
            if got not in known:
                raise unknown_name("TC111", got, known, kind=what)

    @classmethod
    def of_record(cls, record: Mapping[str, Any], *, ablation: str, criterion: str) -> Setting:
        """From what a file says of it: `asked` of a run, or a certificate. Older files have fewer fields."""
        lengths = record["lengths"]
        return cls(
            ablation=ablation,
            criterion="decoded" if criterion == "decoded" else "value",
            lengths=(lengths[0], lengths[1]) if lengths else None,
            score_bos=record["score_bos"],
            inputs=record.get("inputs", WHOLE),
            robust=record.get("robust", False),
        )

    @property
    def row(self) -> Ablation:
        """The ablation of this name."""
        return _ablations()[self.ablation]

    @property
    def paired(self) -> bool:
        """Whether its items are pairs of a clean and a corrupted input."""
        return self.row.paired


def _ablations() -> Mapping[str, Ablation]:
    return ChainMap(VARIANTS, ABLATIONS)  # lists the last one first
