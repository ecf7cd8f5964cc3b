"""The memory and FLOPs of a training step: text, and JSON."""

from __future__ import annotations

from typing import Any

from edgeprune_core.graph import ResidualGraph
from tracrcheck.reports.document import Table, columns
from tracrcheck.trained.memory_plan import MARGIN, Plan

SCHEMA = "tracrcheck.plan/1"


def plan_lines(plan: Plan) -> list[str]:
    """The size of the graph and of the batch."""
    graph, step = ResidualGraph.of(plan.spec), plan.step
    shared = f" on each of {plan.gpus} GPUs" if plan.gpus > 1 else ""
    return [
        f"{plan.model}: {len(graph.writers):,} writers, {len(graph.readers):,} readers, {plan.n_edges:,} edges",
        f"a step of {step.batch} x {step.pos} tokens{shared}, {step.circuits} "
        f"circuit{'s' if step.circuits > 1 else ''}, {_name(plan)}",
    ]


def plan_table(plan: Plan) -> Table:
    """GB on each GPU at the moment of peak memory, which differs between the two columns."""
    numbers = ("layers computed again", "activations kept")
    each = ", on each GPU" if plan.gpus > 1 else ""
    again, kept = plan.cost, plan.without
    rows = [
        ("weights", plan.weights, plan.weights),
        ("gates and their optimiser", again.gates, kept.gates),
        ("what cut edges carry", again.background, kept.background),
        ("writer outputs", again.writer_outputs, kept.writer_outputs),
        ("gradients of writer outputs", again.of_writers, kept.of_writers),
        ("activations kept for the way back", again.kept, kept.kept),
        ("the layer at work", again.at_work, kept.at_work),
        ("in all", plan.peak, plan.peak_without),
    ]
    return Table(
        columns=columns(f"GB of 10^9 bytes{each}, at the moment of the peak", *numbers, numbers=numbers),
        rows=[(label, *(f"{value / 1e9:,.2f}" for value in values)) for label, *values in rows],
    )


def verdict_lines(plan: Plan) -> list[str]:
    """FLOPs, traffic between GPUs, and whether it fits."""
    each = " on all GPUs" if plan.gpus > 1 else ""
    lines = [
        f"{plan.flops / 1e12:,.1f} TFLOP a step{each}, of which {plan.flops_again / 1e12:,.1f} compute layers again"
    ]
    if plan.gpus > 1:
        lines.append(
            f"each GPU is sent {plan.received / 1e9:,.1f} GB of weights a step; {plan.summed / 1e6:,.1f} MB of gradients "
            "are added up"
        )
    if plan.memory is not None:
        room = f"{plan.memory / 1e9:,.0f} GB with {MARGIN:.0%} to spare"
        most = (
            f"the largest batch that does: about {plan.largest_batch:,}"
            if plan.largest_batch
            else "no batch does"
        )
        if plan.fits:
            also = "" if plan.within(plan.peak_without) else ", but not with all activations kept"
            lines.append(f"it fits {room}{also}; {most}")
        else:
            lines.append(
                f"it does not fit {room}, but wants {plan.peak * (1 + MARGIN) / 1e9:,.1f} GB with as much; {most}"
            )
    return lines


def plan_document(plan: Plan) -> dict[str, Any]:
    """Exact bytes and counts."""
    graph, step = ResidualGraph.of(plan.spec), plan.step
    again, kept = plan.cost, plan.without
    return {
        "schema": SCHEMA,
        "model": plan.model,
        "asked": {
            "batch": plan.batch,
            "seq": step.pos,
            "gpus": plan.gpus,
            "circuits": step.circuits,
            "dtype": _name(plan),
            "memory": plan.memory,
        },
        "graph": {"writers": len(graph.writers), "readers": len(graph.readers), "edges": plan.n_edges},
        "batch_per_gpu": step.batch,
        "bytes_per_gpu": {
            "weights": plan.weights,
            "gates": again.gates,
            "background": again.background,
            "writer_outputs": again.writer_outputs,
            "gradients": again.of_writers,
            "activations_kept": again.kept,
            "layer_at_work": again.at_work,
            "peak": plan.peak,
            "peak_without_recomputation": plan.weights + kept.peak,
        },
        "flops": {"step": plan.flops, "recomputation": plan.flops_again},
        "sent": {"weights_per_gpu": plan.received, "gradients": plan.summed},
        "margin": MARGIN,
        "fits": plan.fits,
        "largest_batch": plan.largest_batch,
    }


def _name(plan: Plan) -> str:
    return str(plan.step.dtype).removeprefix("torch.")
