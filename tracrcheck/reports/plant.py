"""What `tracrcheck plant` prints about the model that it made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracrcheck.reports.render.templates import lines

if TYPE_CHECKING:
    from tracrcheck.planted.leak import Measured
    from tracrcheck.planted.planting import Planted
    from tracrcheck.truth.certificate import Certificate


def planted_block(planted: Planted, measured: Measured) -> str:
    heads = sum(writer.startswith("a") for writer in planted.distractors)
    return "\n".join(lines("plant.txt", planted=planted, measured=measured, heads=heads))


def truth_line(certificate: Certificate) -> str:
    proved = ", ".join(certificate.proved) or certificate.says("sufficient")
    many = f"{len(certificate.required)} of {len(certificate.permitted)} permitted edges required"
    return f"  {certificate.setting.ablation:<11} {many}: {proved}"
