"""The masked forward, written a second time as loops over positions, readers and writers: one circuit, one input, NumPy.

Nothing comes from the package under test: names, order of writers, norms, rotation, head groups and
activations are written out here from the papers. Weights arrive as arrays, a circuit as a dictionary
(writer, reader) -> share kept, and what cut edges carry as writer -> `pos d_model`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Shape:
    """The part of a model that is no tensor."""

    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_head: int
    causal: bool
    norm: str
    norm_eps: float
    activation: str
    positions: str
    parallel: bool
    theta: float
    scaling: float


def nodes(s: Shape) -> list[str]:
    """All writers, in order."""
    names = ["tok", "pos"] if s.positions == "learned" else ["tok"]
    for layer in range(s.n_layers):
        names += [f"a{layer}.h{head}" for head in range(s.n_heads)] + [f"m{layer}"]
    return names


def edges(s: Shape) -> list[tuple[str, str]]:
    """Every edge: readers first to last, and for each the writers before it."""
    found, before = [], ["tok", "pos"] if s.positions == "learned" else ["tok"]
    for layer in range(s.n_layers):
        heads = [f"a{layer}.h{h}" for h in range(s.n_heads)]
        readers = [f"{head}.q" for head in heads]
        readers += [f"a{layer}.h{h}.{port}" for port in "kv" for h in range(s.n_kv_heads)]
        found += [(w, r) for r in readers for w in before]
        found += [(w, f"m{layer}") for w in (before if s.parallel else before + heads)]
        before = [*before, *heads, f"m{layer}"]
    return found + [(w, "out") for w in before]


def run(s: Shape, w: dict[str, np.ndarray], ids, keep: dict, background: dict, *, frozen_pattern=None):
    """Outputs `pos d_out`, what every writer wrote, and each head's attention pattern.

    frozen_pattern: head -> `query key`, used instead of the recomputed one (to show that it matters).
    """
    n, d = len(ids), w["tok"].shape[1]
    wrote = {"tok": [w["tok"][t] for t in ids]}
    if s.positions == "learned":
        wrote["pos"] = [w["pos"][p] for p in range(n)]
    always, patterns = np.zeros(d), {}

    def stream(reader, p, writers, biases):
        x = biases.copy()
        for writer in writers:
            share = keep.get((writer, reader), 0.0)
            x += share * wrote[writer][p] + (1 - share) * background[writer][p]
        return x

    for layer in range(s.n_layers):
        before, biases = list(wrote), always.copy()

        def project(reader, p, name, head, layer=layer, before=before, biases=biases):
            x = normed(s, stream(reader, p, before, biases), w, "norm1", layer)
            return x @ w[f"w_{name}"][layer][head] + w[f"b_{name}"][layer][head]

        heads = {}
        for head in range(s.n_heads):
            kv, at = head // (s.n_heads // s.n_kv_heads), f"a{layer}.h{head}"
            shared = f"a{layer}.h{kv}"
            q = [project(f"{at}.q", p, "q", head) for p in range(n)]
            k = [project(f"{shared}.k", p, "k", kv) for p in range(n)]
            v = [project(f"{shared}.v", p, "v", kv) for p in range(n)]
            if s.positions == "rotary":
                q, k = ([turned(s, x, p) for p, x in enumerate(xs)] for xs in (q, k))
            look = np.zeros((n, n))
            for p in range(n):
                seen = range(p + 1) if s.causal else range(n)
                scores = [q[p] @ k[t] / math.sqrt(s.d_head) for t in seen]
                odds = [math.exp(score - max(scores)) for score in scores]
                look[p, : len(odds)] = np.array(odds) / sum(odds)
            patterns[at] = look
            if frozen_pattern is not None:
                look = frozen_pattern[at]
            heads[at] = [sum(look[p, t] * v[t] for t in range(n)) @ w["w_o"][layer][head] for p in range(n)]
        wrote |= heads
        always = always + w["b_o"][layer]

        reads, biases = (before, biases) if s.parallel else (list(wrote), always)
        wrote[f"m{layer}"] = []
        for p in range(n):
            x = normed(s, stream(f"m{layer}", p, reads, biases), w, "norm2", layer)
            hidden = x @ w["w_in"][layer] + w["b_in"][layer]
            if "w_gate" in w:
                hidden = hidden * [activated(s, g) for g in x @ w["w_gate"][layer]]
            else:
                hidden = np.array([activated(s, h) for h in hidden])
            wrote[f"m{layer}"].append(hidden @ w["w_out"][layer] + w["b_out"][layer])

    outputs = []
    for p in range(n):
        x = normed(s, stream("out", p, list(wrote), always), w, "norm", None)
        outputs.append(x @ w["unembed"] + w.get("b_unembed", 0.0))
    return np.array(outputs), {name: np.array(x) for name, x in wrote.items()}, patterns


def plain(s: Shape, w: dict[str, np.ndarray], ids):
    """The unpruned model: every edge is kept."""
    nothing = {name: np.zeros((len(ids), w["tok"].shape[1])) for name in nodes(s)}
    return run(s, w, ids, dict.fromkeys(edges(s), 1.0), nothing)


def normed(s: Shape, x, w, which: str, layer):
    if s.norm == "none":
        return x
    gain = w[f"{which}_gain"] if layer is None else w[f"{which}_gain"][layer]
    if s.norm == "rmsnorm":
        return x / math.sqrt(sum(v * v for v in x) / len(x) + s.norm_eps) * gain
    bias = w[f"{which}_bias"] if layer is None else w[f"{which}_bias"][layer]
    centred = x - sum(x) / len(x)
    return centred / math.sqrt(sum(v * v for v in centred) / len(x) + s.norm_eps) * gain + bias


def turned(s: Shape, x, p: int):
    """Llama's rotary embedding: the pair (i, i + half) as a complex number, turned by p theta^(-2i/d)."""
    half = s.d_head // 2
    out = np.zeros(s.d_head)
    for i in range(half):
        angle = p / s.scaling / s.theta ** (2 * i / s.d_head)
        z = complex(x[i], x[i + half]) * complex(math.cos(angle), math.sin(angle))
        out[i], out[i + half] = z.real, z.imag
    return out


def activated(s: Shape, x: float) -> float:
    if s.activation == "relu":
        return max(x, 0.0)
    if s.activation == "silu":
        return x / (1 + math.exp(-x))
    if s.activation == "gelu":
        return x * (1 + math.erf(x / math.sqrt(2))) / 2
    return x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
