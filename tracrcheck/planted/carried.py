"""The truth of a GPT-2 made by `gpt2.py`: what was run on it, what is bounded, and what is known of the program alone.

Run on the checkpoint's own weights, on the whole list of the setting:

    sufficient   the program's required edges, mapped to their slots, keep every output within a tenth of the tolerance
    minimal      without any one of them some output moves by at least ten tolerances

`smallest` and `unique` are proved of the program as Tracr compiled it, at twice the tolerance: no other circuit of as many
edges, or fewer, keeps every output within it. The planted model computes the same in every circuit (planting.py), and the
GPT-2 the same up to the norm, whose shrinking `shrink` bounds, and to the rounding of its weights to float32. So they hold of
the checkpoint unless some circuit moves its outputs a whole tolerance away from the program's. That is not proved: how a deep
program magnifies the rounding has no useful bound. It is measured instead: `furthest` is the largest difference in
`n_circuits` circuits. The certificate says so, and calls neither of them proved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.engine import outputs, trace
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.mask import to_mask
from edgeprune_core.task import Task
from tracrcheck.compiler.compile import Compiled
from tracrcheck.error_codes import user_error
from tracrcheck.planted.gpt2 import BALLAST, EPSILON, Gpt2Host, program_model
from tracrcheck.planted.planting import Planted
from tracrcheck.truth.cache import certificate_for
from tracrcheck.truth.certificate import Certificate
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

# Absolute, on the program's own output coordinates.
OUTPUTS_WITHIN = 1e-3
# In tolerances: the least that a required edge must be worth, and the most that all others together may be.
WORTH, OTHERS = 10.0, 0.1
# Items, evenly spaced, on which circuits are compared with the program's own; random circuits of each setting.
ITEMS, RANDOM = 96, 8


@dataclass(frozen=True, kw_only=True)
class Carried:
    """The truth of one setting, and what was measured. All effects are in tolerances.

    weakest: the least that outputs move at the worst item without one required edge (infinite if none is required). others:
    the most that they move without all the other edges. furthest: the largest difference between the model's outputs and the
    program's, in the same circuit, over n_circuits.
    """

    certificate: Certificate
    weakest: float
    others: float
    furthest: float
    n_circuits: int

    def to_json(self) -> dict[str, Any]:
        rest = {name: getattr(self, name) for name in ("others", "furthest", "n_circuits")}
        return {"weakest": self.weakest if math.isfinite(self.weakest) else None, **rest}


def of_program(host: Gpt2Host) -> Compiled:
    """The checkpoint, as float64, with the program's outputs in place of its logits."""
    compiled = host.planted.original
    own = compiled.model.spec
    model = program_model(host.read_back, own.d_vocab, own.d_out, host.sharpness)
    return replace(compiled, model=model)


def shrink(compiled: Compiled) -> float:
    """The bound on what LayerNorm takes from what it passes, while the stream is no longer than on the inputs of the domain."""
    ids, valid = compiled.encode(compiled.domain.inputs)
    stream = trace(compiled.model, ids, valid=valid).writers[..., :-2][:, valid].cumsum(0)[1:]  # no ballast
    longest = float(stream.square().sum(-1).max())
    return (longest + EPSILON * compiled.model.spec.d_model) / (4 * BALLAST**2)


def outputs_within(host: Gpt2Host, compiled: Compiled) -> float:
    """The largest difference from the program's outputs, in float32. Errors: TC164, if it is too large."""
    ids, valid = compiled.encode(compiled.domain.inputs)
    got = outputs(compiled.model.to(torch.float32), ids, valid=valid)
    want = outputs(host.planted.original.model, ids, valid=valid)
    off = float((got.double() - want)[valid].abs().max())
    if not off <= OUTPUTS_WITHIN:
        raise user_error(
            "TC164.outputs", got=f"{off:.2g}", program=compiled.program.name, most=f"{OUTPUTS_WITHIN:g}"
        )
    return off


def carried(host: Gpt2Host, compiled: Compiled, setting: Setting) -> Carried:
    """compiled: `of_program(host)`. Errors: TC164, where the truth of the program is not that of the checkpoint."""
    task, plain = task_of(compiled, setting), task_of(host.planted.original, setting)
    mine = certificate_for(plain, setting)
    name = compiled.program.name
    if not mine.usable or mine.sampled is not None:
        raise user_error(
            "TC164.unproved", got=mine.says("sufficient"), program=name, ablation=setting.ablation
        )
    required = host.planted.mapped(mine.required)
    off = _effects(task, required)
    others, weakest = float(off[0].max()), float(off[1:].amax(1).min()) if len(required) else torch.inf
    if not (others <= OTHERS and weakest >= WORTH):
        raise user_error(
            "TC164.truth",
            got=f"{weakest:.3g} tolerances for the weakest required edge, {others:.2g} for all others together",
            wanted=f"at least {WORTH:g}, and at most {OTHERS:g}",
            program=name,
            ablation=setting.ablation,
        )
    tried = circuits(host.planted, mine)
    furthest = _furthest(host.planted, task, plain, tried)
    certificate = replace(
        mine,
        required=required,
        permitted=host.planted.mapped(mine.permitted),
        proved=("sufficient", "minimal"),
        unknown=_unknown(plain, setting, mine, furthest, len(tried)),
        other=None if mine.other is None else host.planted.mapped(mine.other),
        gap_below=others * task.outcome.tolerance,
        gap_above=weakest * task.outcome.tolerance if len(required) else None,
        telling=_telling(off),
        seconds=0.0,  # the same folder each time
    )
    return Carried(
        certificate=certificate, weakest=weakest, others=others, furthest=furthest, n_circuits=len(tried)
    )


def _effects(task: Task, required: Circuit) -> torch.Tensor:
    """`1 + edge, item`, in tolerances: how far the required edges alone move each output, then without each of them."""
    masks = [required, *(required.without(edge) for edge in required)]
    return torch.cat([task.deviations(circuit) for circuit in masks]) / task.outcome.tolerance


def _telling(off: torch.Tensor) -> tuple[int, ...]:
    """For each required edge, an item that shows most clearly that it is dropped."""
    return tuple(dict.fromkeys(off[1:].argmax(1).tolist()))


# Smallest and unique -----------------------------------------------------------------------------------


def _unknown(
    plain: Task, setting: Setting, mine: Certificate, furthest: float, n_circuits: int
) -> dict[str, str]:
    """Why `smallest` and `unique` are not called proved, with what is known of them."""
    outcome = replace(plain.outcome, tolerance=2 * plain.outcome.tolerance)
    wide = certificate_for(replace(plain, outcome=outcome), setting)
    agrees = len(wide.required) == len(mine.required)
    measured = f"in {n_circuits} circuits the GPT-2 was within {furthest:.1g} tolerances of it"
    found = {}
    for word in ("smallest", "unique"):
        if word in wide.proved and agrees:
            known = f"proved of the program at twice the tolerance; {measured}"
        elif word in mine.proved:
            known = f"proved of the program at the tolerance itself; {measured}"
        else:
            known = f"of the program: {mine.says(word)}"
        found[word] = known
    return found


def circuits(planted: Planted, certificate: Certificate, *, n_random: int = RANDOM) -> list[Circuit]:
    """The empty and the full circuit, the required edges without each of them, and random circuits: edges that carry something
    of the program in all proportions, half of the others."""
    graph: ResidualGraph = planted.graph
    required, permitted = planted.mapped(certificate.required), planted.mapped(certificate.permitted)
    draw = torch.Generator().manual_seed(0)
    found = [Circuit.empty(graph), Circuit.full(graph), *(required.without(edge) for edge in required)]
    for number in range(n_random):
        share = (number + 0.5) / n_random
        chances = torch.rand(graph.n_edges, generator=draw).tolist()
        kept = [
            edge
            for edge, chance in zip(graph.edges, chances, strict=True)
            if chance < (share if edge in permitted else 0.5)
        ]
        found.append(Circuit.of(graph, kept))
    return found


def _furthest(planted: Planted, task: Task, plain: Task, tried: Sequence[Circuit]) -> float:
    """The largest difference between the outputs of the model and of the program in these circuits, in tolerances."""
    n = len(task.items)
    items = task.items[torch.linspace(0, n - 1, min(n, ITEMS)).long()]
    unit, worst = (task.outcome.scale or 1.0) * task.outcome.tolerance, 0.0
    for circuit in tried:
        got, want = _outputs(task, circuit, items), _outputs(plain, planted.own(circuit), items)
        off = (got - want).abs().amax(-1) * task.scored[items[:, 0]]
        worst = max(worst, float(off.max()) / unit)
    return worst


@torch.no_grad()
def _outputs(task: Task, circuit: Circuit, items: torch.Tensor) -> torch.Tensor:
    mask = to_mask(circuit, dtype=task.model.dtype)
    return torch.cat([got[0] for _, got in task.in_parts(mask, items)])
