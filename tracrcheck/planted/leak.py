"""How much distractors leak into the program through rounding: a bound, and a measurement.

In exact arithmetic a distractor writes h w with w = [0, v] Q, where h are its values (its hidden units), Q is
orthogonal, and the program's directions P are the first rows of Q: h w P^T = 0. In floating point, with the
rounding unit u = eps / 2 and d = d_model,

    |Q Q^T - 1|  <=  d^(3/2) u                 (Higham 2002, theorem 19.4, with a constant near 1)
    |fl(v Q) - v Q|  <=  d^(3/2) u |v|         (ibid., section 3.5, since |Q| = d^(1/2))
    |fl(h w) - h w|  <=  n u |h| |w|           n: the length of h

in Frobenius norms, and adding up all N writers, and reading them off along P, costs (N + d) u of what is added. So
what all distractors together write along the program's directions is at most

    sum over distractors  (2 d^(3/2) + n + N + d) u |h| |w|,     |h| <= S |W| + |b|,

where S is the longest stream that is read, W and b map it to h (attention takes means of values, and a ReLU shortens),
and |W| is the largest singular value. `bound` takes S to be twice the program's longest stream; a circuit in which the
program itself writes more than that may leak in proportion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.engine import run, trace
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.mask import to_mask
from edgeprune_core.task import Task
from edgeprune_core.weights import Model
from tracrcheck.error_codes import user_error
from tracrcheck.planted.planting import Planted
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

# Relative to the output's range: a larger leak is an error in the planting.
MOST = 1e-9
# Limit on the host's stream, relative to the program's own.
LONGEST = 2.0
# Items of a setting on which circuits are tried, evenly spaced; inputs per forward pass.
ITEMS, BATCH = 128, 512


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Measurements of a planted model.

    stream:     the length of the host's stream relative to the program's, at the worst place and half-layer.
    deviation:  of the full model's outputs from the original's. leak: along the program's directions, the largest of
                `n_circuits` circuits, including the empty and the full one. bound: on the leak, as derived above.
                All three in units of the output's range.
    """

    stream: float
    deviation: float
    leak: float
    bound: float
    n_circuits: int


def measure(planted: Planted, settings: Sequence[Setting], *, random_circuits: int = 6) -> Measured:
    """Errors: TC162 (the stream is too long, or the leak too large)."""
    draw = torch.Generator().manual_seed(0)
    circuits = circuits_to_try(planted.graph, random_circuits, draw)
    leaked, differs, scales = [], [], []
    for setting in settings:
        task, plain = task_of(planted.compiled, setting), task_of(planted.original, setting)
        scales.append(plain.outcome.scale or 1.0)
        differs.append((task.reference - plain.reference)[task.valid].abs().max() / scales[-1])
        leaked.append(leaks(planted, task, circuits).max())
    found = Measured(
        stream=stream_ratio(planted),
        deviation=float(torch.stack(differs).max()),  # NaN if one of them is
        leak=float(torch.stack(leaked).max()),
        bound=bound(planted) / min(scales),
        n_circuits=len(circuits) * len(settings),
    )
    for what, got, most in (
        ("the stream, relative to the program's own,", found.stream, LONGEST),
        ("what leaks into the program's directions", found.leak, MOST),
        ("what the outputs differ by from the program's", found.deviation, MOST),
    ):
        if not got <= most:
            raise user_error(
                "TC162",
                got=f"{got:.3g}",
                quantity=what,
                program=planted.original.program.name,
                most=f"{most:g}",
            )
    return found


def circuits_to_try(graph: ResidualGraph, n_random: int, generator: torch.Generator) -> list[Circuit]:
    """The empty circuit, the full one, and random ones of many sizes."""
    found = [Circuit.empty(graph), Circuit.full(graph)]
    for number in range(n_random):
        share = (number + 0.5) / n_random
        kept = (torch.rand(graph.n_edges, generator=generator) < share).tolist()
        found.append(Circuit.of(graph, [e for e, on in zip(graph.edges, kept, strict=True) if on]))
    return found


def leaks(planted: Planted, task: Task, circuits: Sequence[Circuit]) -> Float[Tensor, " circuit"]:
    """The largest coordinate that all distractors together write along the program's directions, for each circuit, in units of
    the output's range.

    The engine itself measures it: `out` reads every distractor and nothing else, along these directions. Under an ablation
    with a background, `out` also sees that of the program's writers, which is subtracted.
    """
    model, along = planted.model, planted.directions.T.contiguous()
    reading = replace(model.weights, unembed=along, b_unembed=None)
    probe = Model(replace(model.spec, d_out=along.shape[1]), reading)
    distractor = torch.tensor([str(w) in planted.distractors for w in planted.graph.writers])
    items = task.items[:: max(1, -(-len(task.items) // ITEMS))]
    clean, background = items[:, 0], task.background(items)
    known = planted.original.model.weights.b_o.sum(0)
    if background is not None:
        known = known + background[~distractor].sum(0) @ along
    found = []
    for circuit in circuits:
        mask = to_mask(circuit, dtype=model.dtype)
        mask[:, -1] = distractor.to(model.dtype)
        got = run(probe, task.tokens[clean], mask, background, valid=task.valid[clean])[0] - known
        found.append(got[task.valid[clean]].abs().max())
    return torch.stack(found) / (task.outcome.scale or 1.0)


def stream_ratio(planted: Planted) -> float:
    """The host's stream length relative to the program's, at the worst place and half-layer."""
    spec, b_o, worst = planted.model.spec, planted.model.weights.b_o, 0.0
    inputs, along = planted.original.domain.inputs, planted.directions.T
    for start in range(0, len(inputs), BATCH):
        tokens, valid = planted.original.encode(inputs[start : start + BATCH])
        writers = trace(planted.model, tokens, valid=valid).writers[:, valid]
        stream, at = writers[0] + writers[1], 2
        for layer in range(spec.n_layers):
            stream = stream + writers[at : at + spec.n_heads].sum(0) + b_o[layer]
            whole = torch.stack([stream, stream + writers[at + spec.n_heads]])
            worst = max(worst, float((whole.norm(dim=-1) / (whole @ along).norm(dim=-1)).max()))
            stream, at = whole[1], at + spec.n_heads + 1
    return worst


def bound(planted: Planted) -> float:
    """The bound on the leak of any circuit whose stream is at most LONGEST times the program's longest."""
    w, spec, graph = planted.model.weights, planted.model.spec, planted.graph
    inputs = planted.original.domain.inputs
    tokens, valid = planted.original.encode(inputs[:: max(1, -(-len(inputs) // BATCH))])
    written = trace(planted.original.model, tokens, valid=valid).writers[:, valid]
    longest = LONGEST * float(written.cumsum(0).norm(dim=-1).max())
    unit = torch.finfo(w.tok.dtype).eps / 2
    fixed = 2 * spec.d_model**1.5 + len(graph.writers) + spec.d_model
    total = 0.0
    for name in planted.distractors:
        writer = graph.writer(name)
        layer, head = writer.layer, writer.head
        if writer.kind == "head":
            matrix, bias, out, n = w.w_v[layer, head], w.b_v[layer, head], w.w_o[layer, head], spec.d_head
        else:
            matrix, bias, out, n = w.w_in[layer], w.b_in[layer], w.w_out[layer], spec.d_mlp
            total += (fixed + n) * unit * float(w.b_out[layer].norm())
        hidden = longest * float(torch.linalg.matrix_norm(matrix, 2)) + float(bias.norm())
        total += (fixed + n) * unit * hidden * float(out.norm())
    return total + fixed * unit * (float(w.b_o.norm(dim=1).sum()) + longest)
