"""Whether the required circuit of a setting is robust, and the smallest robust circuit of the setting."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from edgeprune_core.circuit import Circuit
from tracrcheck.compiler.compile import Compiled
from tracrcheck.grading.grade import witness_of
from tracrcheck.grading.verdict import Witness
from tracrcheck.truth.cache import certificate_for
from tracrcheck.truth.certificate import Certificate
from tracrcheck.truth.robust import shrunk
from tracrcheck.truth.task import task_of


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """faithful: the certificate of the setting. robust: that of its robust circuits.

    kept: if the required circuit is not robust: the other edges that are kept where it fails; the rest of them is cut.
    witness: the smallest input on which it fails then.
    """

    faithful: Certificate
    robust: Certificate
    kept: Circuit | None = None
    witness: Witness | None = None

    @property
    def word(self) -> str:
        """Of the required circuit: `proved`, `no`, `sampled n of N circuits` or `UNKNOWN(why)`."""
        if self.kept is not None:
            return "no"
        return "proved" if self.robust.says("sufficient") == "proved" else self.robust.says("sufficient")

    def to_json(self) -> dict[str, Any]:
        r = self.robust
        return {
            "word": self.word,
            "kept": None if self.kept is None else self.kept.texts,
            "witness": None if self.witness is None else self.witness.to_json(),
            "required": r.required.texts,
            "other": None if r.other is None else r.other.texts,
            "proved": list(r.proved),
            "unknown": dict(r.unknown),
            "tried": r.tried,
        }


def robustness_of(compiled: Compiled, certificate: Certificate) -> Robustness:
    """Of the required circuit of a certificate. Both certificates come from the cache if they are there."""
    setting = certificate.setting
    task = task_of(compiled, setting)
    robust = certificate_for(task, replace(setting, robust=True))
    if robust.alone is None:
        return Robustness(faithful=certificate, robust=robust)
    least = shrunk(task, robust.alone, certificate.required)
    return Robustness(
        faithful=certificate,
        robust=robust,
        kept=least.kept - certificate.required,
        witness=witness_of(compiled, task, least.kept),
    )
