"""A hand-written masked forward pass with error bounds: the oracle of the other files.

It shares no code with the engine. Names, the order of writers, head groups, norms, rotation and activations are written out
from the papers, in NumPy, node by node. Each number comes with `off`, a bound on how far an evaluation with rounding unit u
may be from it, in whatever order it sums (running error analysis, Higham 2002, sections 3.1 and 3.3):

    sums        of n terms t_i, each off by o_i:     sum o_i + g(n) sum |t_i|,   g(n) = n u / (1 - n u)
    products    a b:                                 |a| o_b + o_a |b| + o_a o_b, then as a sum
    weights     may be rounded once themselves:      two more terms in g
    softmax     scores off by at most e: the odds of p move by at most exp(2e), so p by p (1 - p) (exp(2e) - 1)
    norm        the root mean square of a vector moves by at most that of its error; a quotient as usual
    relu, gelu, silu    steepest slopes 1, 1.13, 1.1; their evaluation adds 16 u |x|
    rotation    an entry is a sum of two products

It also computes what each edge carries, so that ablations are checked too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from edgeprune_core.spec import ModelSpec

Array = np.ndarray
DOUBLE = 2.0**-53
SINGLE = 2.0**-24
SLOPES = {"relu": 1.0, "gelu": 1.13, "gelu_tanh": 1.13, "silu": 1.1}
_erf = np.vectorize(math.erf, otypes=[float])


@dataclass(frozen=True)
class Near:
    """Numbers, and a bound on how far a floating-point evaluation may be from each."""

    x: Array
    off: Array

    @classmethod
    def exactly(cls, x: Array) -> Near:
        return cls(x, np.zeros_like(x))

    def at(self, rows) -> Near:
        return Near(self.x[rows], self.off[rows])


def writers(spec: ModelSpec) -> list[str]:
    """First to last."""
    names = ["tok", "pos"] if spec.positions == "learned" else ["tok"]
    for layer in range(spec.n_layers):
        names += [f"a{layer}.h{head}" for head in range(spec.n_heads)] + [f"m{layer}"]
    return names


def edges(spec: ModelSpec) -> Iterator[tuple[str, str]]:
    """Every (writer, reader): readers first to last, and for each the writers before it."""
    before = ["tok", "pos"] if spec.positions == "learned" else ["tok"]
    for layer in range(spec.n_layers):
        heads = [f"a{layer}.h{head}" for head in range(spec.n_heads)]
        readers = [f"{head}.q" for head in heads]
        readers += [f"a{layer}.h{head}.{port}" for port in "kv" for head in range(spec.n_kv_heads)]
        yield from ((writer, reader) for reader in readers for writer in before)
        yield from ((writer, f"m{layer}") for writer in before + ([] if spec.parallel_blocks else heads))
        before = [*before, *heads, f"m{layer}"]
    yield from ((writer, "out") for writer in before)


@dataclass(frozen=True)
class Forward:
    """The forward pass of one model. unit: the rounding unit that `off` allows for."""

    spec: ModelSpec
    weights: Mapping[str, Array]
    unit: float = DOUBLE

    def plain(self, tokens: Array) -> tuple[Near, dict[str, Near]]:
        """Outputs `batch pos d_out` of the unmasked model, and what every writer writes."""
        keep = dict.fromkeys(edges(self.spec), np.ones(1))
        zero = Near.exactly(np.zeros((*tokens.shape, self.spec.d_model)))
        outputs, wrote = self.masked(tokens, keep, dict.fromkeys(writers(self.spec), zero))
        return outputs.at(0), {name: near.at(0) for name, near in wrote.items()}

    def masked(
        self, tokens: Array, keep: Mapping[tuple[str, str], Array], background: Mapping[str, Near]
    ) -> tuple[Near, dict[str, Near]]:
        """Outputs `circuit batch pos d_out`, and what every writer writes in this run.

        tokens: `batch pos`, all of one length. keep: edge -> share kept in each circuit; an absent edge is cut.
        background: writer -> `batch pos d_model`, what a cut edge carries.
        """
        run = _Run(self, tokens, keep, background)
        for layer in range(self.spec.n_layers):
            run.layer(layer)
        x = self.normed(run.stream("out", list(run.wrote), run.always), "norm", None)
        outputs = self.linear(x, self.weights["unembed"], self.weights.get("b_unembed"))
        return outputs, run.wrote

    # Arithmetic with its error ---------------------------------------------------------------------------

    def g(self, n: int) -> float:
        return n * self.unit / (1 - n * self.unit)

    def linear(self, a: Near, w: Array, b: Array | None = None) -> Near:
        n, size = w.shape[0] + 3, np.abs(w)
        x, off = a.x @ w, a.off @ size + self.g(n) * ((np.abs(a.x) + a.off) @ size)
        if b is not None:
            x, off = x + b, off + self.g(3) * (np.abs(x) + np.abs(b))
        return Near(x, off)

    def product(self, a: Near, b: Near) -> Near:
        """The product of `... i j` and `... j k`."""
        big_a, big_b = np.abs(a.x), np.abs(b.x)
        off = big_a @ b.off + a.off @ big_b + a.off @ b.off
        return Near(a.x @ b.x, off + self.g(a.x.shape[-1] + 2) * ((big_a + a.off) @ (big_b + b.off)))

    def times(self, a: Near, b: Near) -> Near:
        off = np.abs(a.x) * b.off + a.off * np.abs(b.x) + a.off * b.off
        return Near(a.x * b.x, off + self.g(2) * np.abs(a.x * b.x))

    def normed(self, a: Near, which: str, layer: int | None) -> Near:
        """LayerNorm (Ba et al. 2016, eq. 4) or RMSNorm (Zhang & Sennrich 2019, eq. 4)."""
        if self.spec.norm == "none":
            return a
        gain = self.weights[f"{which}_gain"] if layer is None else self.weights[f"{which}_gain"][layer]
        n, centred = a.x.shape[-1], a
        if self.spec.norm == "layernorm":
            size = np.abs(a.x) + a.off
            off = a.off + a.off.mean(-1, keepdims=True)
            off = off + self.g(n + 3) * (size + size.mean(-1, keepdims=True))
            centred = Near(a.x - a.x.mean(-1, keepdims=True), off)
        scale = np.sqrt((centred.x**2).mean(-1, keepdims=True) + self.spec.norm_eps)
        scale_off = np.sqrt((centred.off**2).mean(-1, keepdims=True)) + self.g(n + 6) * scale
        least = np.maximum(scale - scale_off, math.sqrt(self.spec.norm_eps) / 2)
        x = centred.x / scale * gain
        off = np.abs(gain) * (centred.off / least + np.abs(centred.x) * scale_off / (scale * least))
        off = off + self.g(6) * np.abs(x)
        if self.spec.norm == "layernorm":
            bias = self.weights[f"{which}_bias"] if layer is None else self.weights[f"{which}_bias"][layer]
            x, off = x + bias, off + self.g(3) * (np.abs(x) + np.abs(bias))
        return Near(x, off)

    def activated(self, a: Near) -> Near:
        """ReLU, GELU (Hendrycks & Gimpel 2016) exactly or by tanh, SiLU."""
        x = a.x
        match self.spec.activation:
            case "relu":
                y = np.maximum(x, 0.0)
            case "silu":
                y = x / (1 + np.exp(-x))
            case "gelu":
                y = x * (1 + _erf(x / math.sqrt(2))) / 2
            case "gelu_tanh":
                y = x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        return Near(y, SLOPES[self.spec.activation] * a.off + 16 * self.unit * np.abs(x))

    def turned(self, a: Near) -> Near:
        """Rotary positions (Su et al. 2021, eq. 34), the pair (i, i + half) as a complex number."""
        if self.spec.positions != "rotary":
            return a
        half, pos = self.spec.d_head // 2, np.arange(a.x.shape[-2])
        angle = pos[:, None] / self.spec.rope_scaling / self.spec.rope_theta ** (np.arange(half) / half)
        z = (a.x[..., :half] + 1j * a.x[..., half:]) * np.exp(1j * angle)
        size = np.abs(a.x[..., :half]) + np.abs(a.x[..., half:])
        off = a.off[..., :half] + a.off[..., half:] + self.g(6) * size
        return Near(np.concatenate([z.real, z.imag], -1), np.concatenate([off, off], -1))

    def attention(self, q: Near, k: Near) -> Near:
        """Softmax over keys of q k / sqrt(d_head) (Vaswani et al. 2017, eq. 1)."""
        raw = self.product(q, Near(k.x.swapaxes(-1, -2), k.off.swapaxes(-1, -2)))
        scores, off = (part / math.sqrt(self.spec.d_head) for part in (raw.x, raw.off))
        n = scores.shape[-1]
        seen = np.tri(n, dtype=bool) if self.spec.causal else np.ones((n, n), dtype=bool)
        low = np.where(seen, scores, -np.inf)
        odds = np.exp(low - low.max(-1, keepdims=True))
        p = odds / odds.sum(-1, keepdims=True)
        size = np.where(seen, np.abs(scores), 0.0).max(-1, keepdims=True)
        e = np.where(seen, off, 0.0).max(-1, keepdims=True) + 4 * self.unit * size
        moved = p * (1 - p) * np.expm1(np.minimum(2 * e, 500.0))
        return Near(p, np.minimum(moved, 1.0) + self.g(n + 12) * p)


class _Run:
    """What has been written so far."""

    def __init__(self, forward: Forward, tokens: Array, keep, background) -> None:
        self.forward, self.keep, self.background = forward, keep, background
        self.circuits = max((len(share) for share in keep.values()), default=1)
        w, n = forward.weights, tokens.shape[1]
        self.wrote = {"tok": self._each(w["tok"][tokens])}
        if forward.spec.positions == "learned":
            self.wrote["pos"] = self._each(np.broadcast_to(w["pos"][:n], (*tokens.shape, w["pos"].shape[1])))
        self.always = np.zeros(forward.spec.d_model)

    def _each(self, x: Array) -> Near:
        x = np.broadcast_to(x, (self.circuits, *x.shape))
        return Near(x, self.forward.g(1) * np.abs(x))

    def stream(self, reader: str, before: list[str], always: Array) -> Near:
        shape = next(iter(self.wrote.values())).x.shape
        x, off, size = np.zeros(shape) + always, np.zeros(shape), np.zeros(shape) + np.abs(always)
        for writer in before:
            share = self.keep.get((writer, reader), np.zeros(1))[:, None, None, None]
            own, cut = self.wrote[writer], self.background[writer]
            x = x + share * own.x + (1 - share) * cut.x
            off = off + np.abs(share) * own.off + np.abs(1 - share) * cut.off
            size = size + np.abs(share) * (np.abs(own.x) + own.off) + 2 * (np.abs(cut.x) + cut.off)
        return Near(x, off + self.forward.g(2 * len(self.wrote) + self.forward.spec.n_layers + 6) * size)

    def layer(self, layer: int) -> None:
        spec, w, before, always = self.forward.spec, self.forward.weights, list(self.wrote), self.always
        f, shared = self.forward, []

        def projected(reader: str, name: str, head: int) -> Near:
            x = f.normed(self.stream(reader, before, always), "norm1", layer)
            return f.linear(x, w[f"w_{name}"][layer][head], w[f"b_{name}"][layer][head])

        for head in range(spec.n_kv_heads):
            at = f"a{layer}.h{head}"
            shared.append((f.turned(projected(f"{at}.k", "k", head)), projected(f"{at}.v", "v", head)))
        heads = {}
        for head in range(spec.n_heads):
            k, v = shared[head // (spec.n_heads // spec.n_kv_heads)]
            q = f.turned(projected(f"a{layer}.h{head}.q", "q", head))
            heads[f"a{layer}.h{head}"] = f.linear(f.product(f.attention(q, k), v), w["w_o"][layer][head])
        self.wrote |= heads
        self.always = self.always + w["b_o"][layer]
        reads = (before, always) if spec.parallel_blocks else (list(self.wrote), self.always)
        x = f.normed(self.stream(f"m{layer}", *reads), "norm2", layer)
        hidden = f.linear(x, w["w_in"][layer], w["b_in"][layer])
        if "w_gate" in w:
            hidden = f.times(f.activated(f.linear(x, w["w_gate"][layer])), hidden)
        else:
            hidden = f.activated(hidden)
        self.wrote[f"m{layer}"] = f.linear(hidden, w["w_out"][layer], w["b_out"][layer])
