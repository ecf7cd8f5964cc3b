"""Tensors under their names in `transformers` -> Model, and back, by a family's table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from edgeprune_core.error_codes import user_error
from edgeprune_core.families.base import HEAD, Config, Family, Row, transposed
from edgeprune_core.spec import ModelSpec
from edgeprune_core.weights import Model, Weights, expected_shapes


def model_of(
    family: Family, config: Config, tensors: Mapping[str, Tensor], *, dtype: torch.dtype = torch.float32
) -> Model:
    """The model that these tensors make, copied, on their device.

    Biases that the family does not have are zero. `tensors` is read one at a time: it may load them lazily.
    Errors: EP172 (configuration), EP173 (missing), EP174 (surplus), EP175 (shape), EP176 (NaN or infinity),
    EP179 (an unembedding that should equal the token embedding and does not).
    """
    spec, tied = family.spec(config), family.tied(config)
    lines = dict(_lines(family, spec, config))
    named = _named_as_in_the_table(family, tensors)
    if missing := sorted(set(lines) - set(named)):
        raise user_error("EP173", got=f"{len(named)} tensors", wanted=_some(missing))
    if surplus := sorted(set(named) - set(lines) - ({HEAD} if tied else set())):
        raise user_error(
            "EP174", got=_some(surplus), wanted=f"the {len(lines)} of the table", kind=family.model_type
        )

    ours: dict[str, Tensor] = {}
    shapes = expected_shapes(spec)
    for name, (row, layer) in lines.items():
        theirs = _checked(name, tensors[named[name]], row.shape(shapes))
        if not ours:
            ours = {key: torch.zeros(s, dtype=dtype, device=theirs.device) for key, s in shapes.items()}
        for key, part in zip(row.ours, row.read(theirs), strict=True):
            (ours[key] if layer is None else ours[key][layer]).copy_(part)
    if tied:
        ours["unembed"].copy_(ours["tok"].T)
        if HEAD in named:
            head = _checked(HEAD, tensors[named[HEAD]], (spec.d_out, spec.d_model))
            _same_as_embedding(head.to(dtype), ours["tok"])
    return Model(spec, Weights(**ours))


def tensors_of(family: Family, config: Config, model: Model) -> dict[str, Tensor]:
    """The model's tensors under their names in `transformers`: the inverse of `model_of`.

    Errors: EP179 where the family, so configured, cannot hold the model.
    """
    if (spec := family.spec(config)) != model.spec:
        raise user_error("EP179.shape", got=spec, wanted=model.spec)
    ours, written, out = model.weights.tensors(), set(), {}
    for name, (row, layer) in _lines(family, spec, config):
        parts = [ours[key] if layer is None else ours[key][layer] for key in row.ours]
        out[name] = row.write(*parts).contiguous()
        written |= set(row.ours)
    if family.tied(config):
        _same_as_embedding(ours["unembed"].T, ours["tok"])
        written.add("unembed")
    if lost := sorted(key for key in set(ours) - written if ours[key].any()):
        raise user_error("EP179.zeros", got=_some(lost), kind=family.model_type)
    return out


def _lines(family: Family, spec: ModelSpec, config: Config) -> Iterator[tuple[str, tuple[Row, int | None]]]:
    """Every tensor by its full name, with its row and layer."""
    rows = family.rows(spec, config)
    if not family.tied(config):
        rows += (transposed(HEAD, "unembed"),)
    for row in rows:
        if "{layer}" not in row.theirs:
            yield row.theirs, (row, None)
            continue
        for layer in range(spec.n_layers):
            yield row.theirs.format(layer=layer), (row, layer)


def _named_as_in_the_table(family: Family, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Name in the table -> name in the checkpoint, which may be of the bare body and hold old buffers."""
    named = {}
    for name in tensors:
        if name.endswith(family.buffers):
            continue
        full = name if name == HEAD or name.startswith(family.body) else family.body + name
        named[full] = name
    return named


def _checked(name: str, t: Tensor, shape: tuple[int, ...]) -> Tensor:
    if tuple(t.shape) != shape:
        raise user_error("EP175", got=tuple(t.shape), wanted=shape, name=name)
    if not torch.isfinite(t).all():
        raise user_error("EP176", got="NaN or infinity", name=name)
    return t


def _same_as_embedding(head: Tensor, tok: Tensor) -> None:
    if not torch.equal(head, tok):
        raise user_error("EP179.tied", got=f"a largest difference of {float((head - tok).abs().max()):.3g}")


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
