"""What `tracrcheck plant` prints about the model that it made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tracrcheck.reports.certify import proved_words, sampled_words
from tracrcheck.reports.render.templates import lines
from tracrcheck.reports.text import separated

if TYPE_CHECKING:
    from tracrcheck.planted.carried import Carried
    from tracrcheck.planted.gpt2 import Gpt2Host
    from tracrcheck.planted.leak import Measured
    from tracrcheck.planted.planting import Planted
    from tracrcheck.truth.certificate import Certificate


def planted_block(planted: Planted, measured: Measured) -> str:
    heads = sum(writer.startswith("a") for writer in planted.distractors)
    return "\n".join(lines("plant.txt", planted=planted, measured=measured, heads=heads))


def truth_line(certificate: Certificate) -> str:
    proved = sampled_words(certificate) + (
        proved_words(certificate) if certificate.usable else separated(certificate.says("sufficient"))
    )
    many = f"{len(certificate.required)} of {len(certificate.permitted)} permitted edges required"
    return f"  {certificate.setting.ablation:<11} {many}: {proved}"


def gpt2_block(host: Gpt2Host, measured: Mapping[str, float]) -> str:
    planted, spec = host.planted, host.model.spec
    heads = sum(writer.startswith("a") for writer in planted.distractors)
    slots = ", ".join(f"{name} = {slot}" for name, slot in planted.slots.items())
    return "\n".join([
        f"{planted.original.program.name}, planted with seed {planted.seed} in a GPT-2: {spec.n_layers} layers x "
        f"{spec.n_heads} heads, d_model {spec.d_model}, {planted.graph.n_edges:,} edges",
        f"  slots       {slots}",
        f"  distractors {heads} heads, {len(planted.distractors) - heads} MLPs",
        f"  norm        shrinks what it passes by at most {measured['shrink']:.1e} of its size",
        f"  outputs     within {measured['outputs']:.1e} of the program's, in float32",
    ])  # fmt: skip


def carried_line(truth: Carried) -> str:
    c = truth.certificate
    many = f"{c.n_items:,} {'pairs' if c.setting.paired else 'inputs'}"
    return (
        f"  {c.setting.ablation:<11} {len(c.required)} edges required, run on {many}: sufficient, minimal; the weakest is worth "
        f"{truth.weakest:.3g} tolerances, all others together {truth.others:.1g}"
    )
