"""The memory and FLOPs of a training step: text, and JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgeprune_core.distributed.step_cost import Cost
from edgeprune_core.graph import ResidualGraph
from tracrcheck.reports.document import Column, Table, number
from tracrcheck.reports.render.templates import lines
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


# Of the JSON -> what it is called in the table, and its bytes.
PARTS: dict[str, tuple[str, Callable[[Plan, Cost], int]]] = {
    "weights": ("weights", lambda plan, cost: plan.weights),
    "gates": ("gates and their optimiser", lambda plan, cost: cost.gates),
    "background": ("what cut edges carry", lambda plan, cost: cost.background),
    "writer_outputs": ("writer outputs", lambda plan, cost: cost.writer_outputs),
    "gradients": ("gradients of writer outputs", lambda plan, cost: cost.of_writers),
    "activations_kept": ("activations kept for the backward pass", lambda plan, cost: cost.kept),
    "layer_at_work": ("the layer at work", lambda plan, cost: cost.at_work),
    "peak": ("in all", lambda plan, cost: plan.weights + cost.peak),
}


def plan_table(plan: Plan) -> Table:
    """GB on each GPU at the moment of peak memory, which differs between the two columns."""
    each = ", on each GPU" if plan.gpus > 1 else ""
    return Table.of(
        PARTS.values(),
        Column(f"GB of 10^9 bytes{each}, at the moment of the peak", lambda part: part[0]),
        number("layers computed again", lambda part: f"{part[1](plan, plan.cost) / 1e9:,.2f}"),
        number("activations kept", lambda part: f"{part[1](plan, plan.without) / 1e9:,.2f}"),
    )


def verdict_lines(plan: Plan) -> list[str]:
    """FLOPs, traffic between GPUs, and whether it fits."""
    return lines("plan.txt", plan=plan, margin=MARGIN)


def plan_document(plan: Plan) -> dict[str, Any]:
    """Exact bytes and counts."""
    graph, step = ResidualGraph.of(plan.spec), plan.step
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
            **{name: of(plan, plan.cost) for name, (_, of) in PARTS.items()},
            "peak_without_recomputation": plan.peak_without,
        },
        "flops": {"step": plan.flops, "recomputation": plan.flops_again},
        "sent": {"weights_per_gpu": plan.received, "gradients": plan.summed},
        "margin": MARGIN,
        "fits": plan.fits,
        "largest_batch": plan.largest_batch,
    }


def _name(plan: Plan) -> str:
    return str(plan.step.dtype).removeprefix("torch.")
