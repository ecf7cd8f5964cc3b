"""A program rewritten so that float32 can compute it in a turned stream: Compiled -> Compiled, for `gpt2.py`.

A compiled MLP looks a number x up in steps: relu(g x - t) - relu(g x - t - 1), with a gain g in the hundreds. In a turned stream
every unit sums over all coordinates, and each weight and sum is rounded on its own. Two numbers in the hundreds that should
differ by exactly 1 then do not, and later layers magnify that. So

    1. Constants. t is the weight of a coordinate that is 1 everywhere; it becomes a bias. Now all units that read x have the same
       weights, and the error of g x is the same in all of them: it cancels. The stream still holds the coordinate.
    2. Sides. A step is also 1 + relu(t - g x) - relu(t + 1 - g x). The form whose units are smaller on the domain is taken.
    3. Neighbours. `host.py` keeps the two units of a step side by side, so their sum stays small wherever it is formed in order.

Each component still computes the same from what it reads, with one exception: the constants are still there when the edge that
carried them is cut to zero. Under resample and mean a cut edge carries them too, so no circuit's outputs change.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from edgeprune_core.engine import trace
from edgeprune_core.weights import Model, Weights
from tracrcheck.compiler.compile import Compiled

# Inputs of the domain on which the sides are compared, evenly spaced.
INPUTS = 256


def for_float32(compiled: Compiled) -> Compiled:
    """The same program under resample and mean."""
    model = Model(compiled.model.spec, constants_as_biases(compiled.model.weights))
    inputs = compiled.domain.inputs
    ids, valid = compiled.encode(inputs[:: max(1, -(-len(inputs) // INPUTS))])
    writers = trace(model, ids, valid=valid).writers[:, valid]
    w, heads = model.weights, model.spec.n_heads
    w_in, b_in, b_out = w.w_in.clone(), w.b_in.clone(), w.b_out.clone()
    stream, at = writers[0] + writers[1], 2
    for layer in range(model.spec.n_layers):
        stream = stream + writers[at : at + heads].sum(0) + w.b_o[layer]
        units = stream @ w.w_in[layer] + w.b_in[layer]
        for one, other in steps(w, layer).items():
            pair = units[:, [one, other]]
            if pair.clamp(max=0).norm() < pair.clamp(min=0).norm():
                b_out[layer] += (w.b_in[layer, one] - w.b_in[layer, other]) * w.w_out[layer, one]
                w_in[layer][:, [one, other]] *= -1
                b_in[layer][[one, other]] *= -1
        stream, at = stream + writers[at + heads], at + heads + 1
    return replace(compiled, model=Model(model.spec, replace(w, w_in=w_in, b_in=b_in, b_out=b_out)))


def constants_as_biases(w: Weights) -> Weights:
    """What reads anything else no longer reads the coordinates that only the token embedding writes, the same for all tokens.

    What reads them alone stays as it is: weights of 0 would show in a turned stream.
    """
    assert w.pos is not None
    written = torch.cat([t.flatten(0, -2) for t in (w.pos, w.w_o, w.b_o, w.w_out, w.b_out)])
    constant = (w.tok == w.tok[0]).all(0) & (written == 0).all(0)
    found = {}
    for port in ("q", "k", "v", "in"):
        read = getattr(w, f"w_{port}")
        moved = constant[:, None] & (read[..., ~constant, :] != 0).any(-2, keepdim=True)
        found[f"w_{port}"] = torch.where(moved, 0.0, read)
        found[f"b_{port}"] = getattr(w, f"b_{port}") + w.tok[0] @ torch.where(moved, read, 0.0)
    return replace(w, **found)


def steps(w: Weights, layer: int) -> dict[int, int]:
    """Unit of an MLP -> the next one, where it reads the same and writes the opposite."""
    read, write = w.w_in[layer].T, w.w_out[layer]
    same = (read[1:] == read[:-1]).all(1) & (write[1:] == -write[:-1]).all(1) & (write[1:] != 0).any(1)
    found: dict[int, int] = {}
    for one in same.nonzero()[:, 0].tolist():
        if one - 1 not in found:
            found[one] = one + 1
    return found
