"""Explains why an edge is required, or why it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import Edge
from tracrcheck.compiler.compile import Compiled
from tracrcheck.grading.grade import witness_of
from tracrcheck.grading.verdict import Witness
from tracrcheck.rasp.domain import in_all
from tracrcheck.truth.cache import certificate_of
from tracrcheck.truth.certificate import Certificate
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

Kind = Literal["required", "in another smallest circuit", "not required", "carries nothing"]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """witness: the smallest input whose output changes without a required edge."""

    edge: Edge
    kind: Kind
    why: str
    witness: Witness | None = None


def explain(compiled: Compiled, setting: Setting, text: str) -> Explanation:
    """Errors: EP111-EP113 (the text is not an edge of the program's graph)."""
    edge = compiled.graph.edge(text)
    task = task_of(compiled, setting)
    certificate = certificate_of(compiled, setting, task=task)
    if edge not in certificate.permitted:
        return Explanation(edge=edge, kind="carries nothing", why=_weights(certificate.permitted, edge))
    if edge in certificate.required:
        witness = witness_of(compiled, task, certificate.required.without(edge))
        why = "without it the required circuit gives another output"
        if "minimal" not in certificate.proved:
            why = f"it is in the circuit that was found, but: {certificate.says('minimal')}"
        return Explanation(edge=edge, kind="required", why=why, witness=witness)
    if certificate.other is not None and edge in certificate.other:
        return Explanation(
            edge=edge,
            kind="in another smallest circuit",
            why=f"there are several smallest circuits; this edge is in {', '.join(certificate.other.texts)}",
        )
    return Explanation(edge=edge, kind="not required", why=_exhausted(certificate))


def _weights(permitted: Circuit, edge: Edge) -> str:
    """Why an edge is not permitted: the reader multiplies it by zero, or nothing that it feeds reaches the output."""
    reader = edge.reader
    if reader.kind == "out":
        return "the weights: the output reads nothing that the writer writes"
    owners = {e.writer for e in permitted if reader in permitted.graph.readers_of(e.writer)}
    if owners:
        return f"the weights: {reader} multiplies all that {edge.writer} writes by zero"
    return f"the weights: nothing that the component of {reader} writes reaches out"


def _exhausted(certificate: Certificate) -> str:
    n = certificate.n_items
    lists = f"{n:,} pairs" if certificate.setting.paired else f"{n:,} inputs"
    size = len(certificate.required)
    if certificate.sampled is not None:
        lists += f" (a sample, of {in_all(certificate.sampled)})"
    return f"the {size} required edges alone give the same output on all {lists}, and this is none of them"
