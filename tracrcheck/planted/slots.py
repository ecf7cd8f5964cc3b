"""Slots: which head or MLP of the large model each component of the program becomes.

The order is kept: a program's half-layers (the heads of a layer, then its MLP) are placed in increasing half-layers of
the large model, so that every writer stays before its readers. Heads of one layer share a layer, unless more than half
of its heads would then be the program's: in that case they are spread over several.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch

from edgeprune_core.errors import CheckError, did_you_mean
from edgeprune_core.graph import ResidualGraph, Writer
from edgeprune_core.weights import Model
from tracrcheck.error_codes import user_error


def components(model: Model) -> list[list[str]]:
    """Heads and MLPs whose weights write anything, by half-layer, in order; empty half-layers are left out."""
    w, stages = model.weights, []
    for layer in range(model.spec.n_layers):
        reads = (w.w_v[layer] != 0).any(-1).any(-1) | (w.b_v[layer] != 0).any(-1)
        writes = (w.w_o[layer] != 0).any(-1).any(-1) & reads
        stages.append([f"a{layer}.h{h}" for h in writes.nonzero()[:, 0].tolist()])
        mlp = bool((w.w_out[layer] != 0).any() | (w.b_out[layer] != 0).any())
        stages.append([f"m{layer}"] * mlp)
    return [stage for stage in stages if stage]


def random_slots(
    stages: Sequence[Sequence[str]], host: ResidualGraph, *, generator: torch.Generator
) -> dict[str, str]:
    """Component -> writer of the host; every placing of the half-layers in order is equally likely.

    Errors: TC160 (the host is too small).
    """
    blocks = [block for stage in stages for block in _blocks(stage, host)]
    halves = _random_halves([_is_mlp(block[0]) for block in blocks], host, generator)
    slots = {}
    for block, half in zip(blocks, halves, strict=True):
        if half % 2:
            slots[block[0]] = f"m{half // 2}"
        else:
            heads = torch.randperm(host.n_heads, generator=generator)[: len(block)].sort().values.tolist()
            slots |= {name: f"a{half // 2}.h{head}" for name, head in zip(block, heads, strict=True)}
    return slots


def _blocks(stage: Sequence[str], host: ResidualGraph) -> list[Sequence[str]]:
    """Splits a half-layer of the program into parts that each fit in a half-layer of the host."""
    if _is_mlp(stage[0]):
        return [stage]
    share = host.n_heads // 2
    if share == 0:
        raise user_error("TC160.heads", got=f"{host.n_heads} a layer")
    return [stage[start : start + share] for start in range(0, len(stage), share)]


def _random_halves(is_mlp: Sequence[bool], host: ResidualGraph, generator: torch.Generator) -> list[int]:
    """Increasing half-layers, even ones for heads, one for each block: a uniform draw from all such lists.

    ways[i][h]: the number of ways to fit blocks i, i+1, ... into the half-layers from h on.
    """
    n = 2 * host.n_layers
    ways = [[1] * (n + 1)]
    for odd in reversed(is_mlp):
        row = [0] * (n + 1)
        for h in reversed(range(n)):
            row[h] = row[h + 1] + (ways[0][h + 1] if h % 2 == odd else 0)
        ways.insert(0, row)
    if not ways[0][0]:
        raise user_error(
            "TC160.layers",
            got=f"{host.n_layers} layers of {host.n_heads} heads",
            least=_layers_needed(is_mlp),
        )
    halves, at = [], 0
    for i, odd in enumerate(is_mlp):
        left = int(torch.randint(ways[i][at], (), generator=generator))
        while at % 2 != odd or left >= ways[i + 1][at + 1]:
            left -= ways[i + 1][at + 1] if at % 2 == odd else 0
            at += 1
        halves.append(at)
        at += 1
    return halves


def _layers_needed(is_mlp: Sequence[bool]) -> int:
    half = -1
    for odd in is_mlp:
        half += 1 if (half + 1) % 2 == odd else 2
    return half // 2 + 1


def parse_slots(text: str) -> dict[str, str]:
    """`a0.h0=a3.h1,m0=m4`. Errors: TC161."""
    slots: dict[str, str] = {}
    for part in text.split(","):
        name, equals, slot = (word.strip() for word in part.partition("="))
        if not (name and equals and slot) or name in slots:
            raise _wrong("no list of slots", repr(text), "write it as a0.h0=a3.h1,m0=m4, each component once")
        slots[name] = slot
    return slots


def check_slots(
    slots: Mapping[str, str],
    stages: Sequence[Sequence[str]],
    host: ResidualGraph,
    *,
    crowded: bool = False,
) -> dict[str, str]:
    """The chosen slots, once checked. Errors: TC161, EP111 (a slot that the host does not have)."""
    names = [name for stage in stages for name in stage]
    if unknown := [name for name in slots if name not in names]:
        raise _wrong(
            f"the program has no component '{unknown[0]}'", unknown[0], did_you_mean(unknown[0], names)
        )
    if missing := [name for name in names if name not in slots]:
        raise _wrong("components without a slot", ", ".join(missing), "give a slot for each, or none at all")
    found = {name: host.writer(slots[name]) for name in names}
    for name, writer in found.items():
        if writer.kind != ("mlp" if _is_mlp(name) else "head"):
            raise _wrong(
                f"'{name}' cannot stand there", str(writer), "give a head for a head, an MLP for one"
            )
    for one, other in itertools.combinations(names, 2):
        if found[one] == found[other]:
            raise _wrong(f"'{one}' and '{other}' have one slot", slots[one], "give each its own")
    for before, after in itertools.pairwise(stages):
        last, first = max(before, key=lambda n: _half(found[n])), min(after, key=lambda n: _half(found[n]))
        if _half(found[last]) >= _half(found[first]):
            raise _wrong(
                f"'{last}' must come before '{first}'",
                f"{slots[last]} and {slots[first]}",
                "keep the order of the program",
            )
    for layer in range(host.n_layers):
        mine = [n for n, w in found.items() if w.kind == "head" and w.layer == layer]
        if 2 * len(mine) > host.n_heads and not crowded:
            raise _wrong(
                f"more than half of the heads of layer {layer} are the program's",
                f"{len(mine)} of {host.n_heads}",
                "spread them over layers, or give more heads",
            )
    return dict(slots)


def _wrong(what: str, got: str, do: str) -> CheckError:
    return user_error("TC161", what, got=got, do=do)


def _is_mlp(name: str) -> bool:
    return name.startswith("m")


def _half(writer: Writer) -> int:
    return 2 * writer.layer + (writer.kind == "mlp")
