"""What `tracrcheck plant` prints about the model that it made."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracrcheck.planted.leak import Measured
    from tracrcheck.planted.planting import Planted
    from tracrcheck.reports.certify import proved_words, sampled_words
from tracrcheck.truth.certificate import Certificate


def planted_block(planted: Planted, measured: Measured) -> str:
    spec, name = planted.model.spec, planted.original.program.name
    n_heads = sum(writer.startswith("a") for writer in planted.distractors)
    n_mlps = len(planted.distractors) - n_heads
    slots = ", ".join(f"{component} = {slot}" for component, slot in planted.slots.items())
    return "\n".join(
        [
            f"{name}, planted with seed {planted.seed}: {spec.n_layers} layers x {spec.n_heads} heads, "
            f"d_model {spec.d_model}, {planted.graph.n_edges:,} edges",
            f"  slots       {slots}",
            f"  distractors {n_heads} heads, {n_mlps} MLPs; {len(planted.copied)} of them near copies",
            f"  stream      at most {measured.stream:.2f} times as long as the program's own",
            f"  leak        at most {measured.leak:.1e} of the output's range in {measured.n_circuits} circuits, "
            f"the empty one included (bound {measured.bound:.1e})",
            f"  outputs     within {measured.deviation:.1e} of the program's",
        ]
    )


def truth_line(certificate: Certificate) -> str:
    proved = sampled_words(certificate) + (
        proved_words(certificate) if certificate.usable else certificate.says("sufficient")
    )
    many = f"{len(certificate.required)} of {len(certificate.permitted)} permitted edges required"
    return f"  {certificate.setting.ablation:<11} {many}: {proved}"
