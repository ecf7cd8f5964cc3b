"""Compares the two compile routes, and the two forward passes, on the whole domain.

The bound on activations. Both passes use float64 and the same weights, so that they differ only by rounding: by a few
units in the last place for each term of the sums. A Tracr MLP is a sum of steep steps: where a value lies on a slope,
the difference grows by the slope, at most the product of the largest column sums of |W_in| and |W_out|. The value that a
step gives is then read away from the slopes of the next one, which are flat there, so that one factor suffices. A
wrong weight, mask or position moves an activation by far more: values are of order 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from edgeprune_core.engine import trace
from edgeprune_core.errors import CheckError
from edgeprune_core.weights import Model
from tracrcheck.compiler.compile import Compiled
from tracrcheck.compiler.haiku import Oracle, compile_by_haiku
from tracrcheck.error_codes import user_error
from tracrcheck.program import Token

# Roundings that one activation may collect, in units of the last place: more than the terms of any of its sums.
ROUNDINGS = 2**10
# Inputs per forward pass, at most, and floats that their writers write.
BATCH = 2048
BATCH_FLOATS = 8_000_000


def compare_routes(compiled: Compiled) -> list[CheckError]:
    """Returns TC120 if Haiku's weights differ, TC121 if JAX's activations do. Takes seconds, since JAX compiles."""
    name = compiled.program.name
    try:
        oracle = compile_by_haiku(compiled.program)
    except Exception as error:
        got = f"{type(error).__name__}: {error}"
        return [user_error("TC120.refused", got=got, program=name)]
    if differing := _differing_weights(compiled, oracle):
        return [user_error("TC120.weights", got=", ".join(differing), program=name)]
    return _differing_activations(compiled, oracle)


def _differing_weights(compiled: Compiled, oracle: Oracle) -> list[str]:
    ours = compiled.model.weights.tensors()
    theirs = oracle.model.weights.tensors()
    names = sorted(set(ours) | set(theirs))
    return [n for n in names if n not in ours or n not in theirs or not torch.equal(ours[n], theirs[n])]


def _differing_activations(compiled: Compiled, oracle: Oracle) -> list[CheckError]:
    tolerance = _tolerance(compiled.model)
    for inputs in _batches(compiled):
        tokens, valid = compiled.encode(inputs)
        ours = _residuals(compiled.model, tokens, valid)
        for half, (want, got) in enumerate(zip(oracle.residuals(tokens), ours, strict=True)):
            off = torch.where(valid[..., None], (want - got).abs(), 0.0).amax((1, 2))
            bound = tolerance * max(1.0, float(want[valid].abs().max()))
            if float(off.max()) > bound:
                tokens_there = inputs[int(off.argmax())]
                return [_activation_error(compiled, tokens_there, half, float(off.max()), bound)]
    return []


def _tolerance(model: Model) -> float:
    """Relative to a tensor's largest magnitude (at least 1)."""
    w = model.weights
    steepest = float((w.w_in.abs().sum(1).amax(1) * w.w_out.abs().sum(1).amax(1)).max())
    return ROUNDINGS * torch.finfo(torch.float64).eps * max(1.0, steepest)


def _batches(compiled: Compiled) -> Iterator[list[tuple[Token, ...]]]:
    """The inputs of the domain, in batches of one size, each with inputs of all lengths: JAX compiles once per shape."""
    inputs = list(compiled.domain.inputs)
    each = len(compiled.graph.writers) * (1 + compiled.program.max_seq_len) * compiled.model.spec.d_model
    n = math.ceil(len(inputs) / max(1, min(BATCH, BATCH_FLOATS // each)))
    size = math.ceil(len(inputs) / n)
    for first in range(n):
        batch = inputs[first::n]
        yield batch + batch[-1:] * (size - len(batch))


def _residuals(model: Model, tokens: torch.Tensor, valid: torch.Tensor) -> Iterator[torch.Tensor]:
    """The residual stream after the embeddings and after every half-layer."""
    writers, spec = trace(model, tokens, valid=valid).writers, model.spec
    stream, at = writers[0] + writers[1], 2
    yield stream
    for layer in range(spec.n_layers):
        stream = stream + writers[at : at + spec.n_heads].sum(0) + model.weights.b_o[layer]
        yield stream
        stream = stream + writers[at + spec.n_heads]
        yield stream
        at += spec.n_heads + 1


def _activation_error(
    compiled: Compiled, tokens: tuple[Token, ...], half: int, off: float, bound: float
) -> CheckError:
    places = [
        "the embeddings",
        *(f"{k} of layer {n}" for n in range(compiled.graph.n_layers) for k in ("attention", "the MLP")),
    ]
    return user_error(
        "TC121",
        got=f"{off:.3g} apart at input {list(tokens)}",
        program=compiled.program.name,
        place=places[half],
        bound=f"{bound:.3g}",
    )
