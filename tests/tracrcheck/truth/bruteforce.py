"""The truth about a small program, by trying every circuit: a second opinion on the certifier.

Nothing here comes from the packages under test but the `Program` record. The weights are the Haiku
parameters of Tracr's own `compile_rasp_to_model`; the forward pass is NumPy in float64, written from
the definitions: a reader's input is the sum over the earlier writers of what the writer wrote in this
masked run where the edge is kept, and of the writer's ablated value where it is cut.

Three things make it quick, none of which can change an answer:

* partial circuits that feed a node with the same bits on every input at hand are carried on as one (`Parts`);
* reading is linear, so what a writer wrote is multiplied by the reader's weights before it is summed;
* a circuit that fails on one input is unfaithful, so failed circuits are dropped as the inputs go by.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from unittest import mock

import haiku as hk
import jax.numpy as jnp
import numpy as np
from tracr.compiler.compiling import compile_rasp_to_model
from tracr.rasp import causal_eval
from tracr.transformer.encoder import CategoricalEncoder

from tracrcheck import Program

BOS, PAD = "compiler_bos", "compiler_pad"
TOLERANCE_SHARE = 0.01  # of the range of the unpruned model's scored output coordinates
ROUNDING = 1e-9  # float64 noise of sums of a few hundred terms of size 1..100 lies far below this
FIRST_ROWS = 8  # of each length, tried before the whole list is
BLOCK_BYTES = 100_000_000  # bounds the largest array of one block of rows
ABLATIONS, CRITERIA = ("zero", "mean", "resample"), ("value", "decoded")

Edge = tuple[str, str]  # (writer, reader)


# ---------------------------------------------------------------- the compiled model, as plain arrays


@dataclass(frozen=True, eq=False)
class Layer:
    """Weights of one layer: `d` is the residual stream's width, `k` the key size, `h` the MLP's width."""

    q: np.ndarray  # head d k
    k: np.ndarray  # head d k
    v: np.ndarray  # head d k
    q_bias: np.ndarray  # head k
    k_bias: np.ndarray  # head k
    v_bias: np.ndarray  # head k
    o: np.ndarray  # head k d
    o_bias: np.ndarray  # d; belongs to no head, always kept
    w1: np.ndarray  # d h
    b1: np.ndarray  # h
    w2: np.ndarray  # h d
    b2: np.ndarray  # d


@dataclass(frozen=True, eq=False)
class Net:
    model: Any  # Tracr's AssembledTransformerModel
    sop: Any
    tok: np.ndarray  # token d
    pos: np.ndarray  # position d
    layers: tuple[Layer, ...]
    unembed: np.ndarray  # d out
    causal: bool
    categorical: bool

    @property
    def n_heads(self) -> int:
        return len(self.layers[0].q)


def tracrs_model(program: Program, sop: Any) -> Any:
    return compile_rasp_to_model(
        sop,
        vocab=set(program.vocab),
        max_seq_len=program.max_seq_len,
        causal=program.causal,
        compiler_bos=BOS,
        compiler_pad=PAD,
        mlp_exactness=program.mlp_exactness,
    )


@lru_cache(maxsize=16)
def compiled(program: Program) -> Net:
    sop = program.build()
    # Tracr draws random weights and overwrites every one of them; drawing takes most of its time.
    with mock.patch("haiku.initializers.VarianceScaling", return_value=hk.initializers.Constant(0.0)):
        model = tracrs_model(program, sop)
    params = {k: {n: np.asarray(a, np.float64) for n, a in v.items()} for k, v in model.params.items()}
    tok = params["token_embed"]["embeddings"]
    n_heads = model.model_config.num_heads

    def layer(i: int) -> Layer:
        at, mlp = f"transformer/layer_{i}/attn", f"transformer/layer_{i}/mlp"

        def heads_last(name):  # d (head k) -> head d k
            w = params[f"{at}/{name}"]["w"]
            return w.reshape(len(w), n_heads, -1).transpose(1, 0, 2)

        def bias(name):
            return params[f"{at}/{name}"]["b"].reshape(n_heads, -1)

        o = params[f"{at}/linear"]["w"]
        return Layer(
            q=heads_last("query"),
            k=heads_last("key"),
            v=heads_last("value"),
            q_bias=bias("query"),
            k_bias=bias("key"),
            v_bias=bias("value"),
            o=o.reshape(n_heads, -1, o.shape[1]),
            o_bias=params[f"{at}/linear"]["b"],
            w1=params[f"{mlp}/linear_1"]["w"],
            b1=params[f"{mlp}/linear_1"]["b"],
            w2=params[f"{mlp}/linear_2"]["w"],
            b2=params[f"{mlp}/linear_2"]["b"],
        )

    # The unembedding is a function, not a parameter: its matrix is what it makes of the identity.
    def unembed_identity():
        return model.get_compiled_model().unembed(jnp.eye(tok.shape[1]), use_unembed_argmax=False)

    unembed = hk.without_apply_rng(hk.transform(unembed_identity)).apply(model.params)
    return Net(
        model=model,
        sop=sop,
        tok=tok,
        pos=params["pos_embed"]["embeddings"],
        layers=tuple(layer(i) for i in range(model.model_config.num_layers)),
        unembed=np.asarray(unembed, np.float64).reshape(tok.shape[1], -1),
        causal=program.causal,
        categorical=isinstance(model.output_encoder, CategoricalEncoder),
    )


def writers_and_edges(net: Net) -> tuple[list[str], list[Edge]]:
    """All writers in order, and every edge of the whole graph."""
    writers, edges = ["tok", "pos"], []
    for i in range(len(net.layers)):
        heads = [f"a{i}.h{h}" for h in range(net.n_heads)]
        edges += [(w, f"{head}.{x}") for head in heads for x in "qkv" for w in writers]
        writers += heads
        edges += [(w, f"m{i}") for w in writers]
        writers.append(f"m{i}")
    return writers, edges + [(w, "out") for w in writers]


def text(edge: Edge) -> str:
    return f"{edge[0]} -> {edge[1]}"


# ---------------------------------------------------------------- the masked forward pass


@dataclass(frozen=True, eq=False)
class Parts:
    """A value for each of many masks, stored once for all masks that share it.

    The value for mask m is `values[index[m]]`.
    """

    values: np.ndarray  # distinct input position width
    index: np.ndarray  # mask


def combine(function: Callable, left: Parts, right: Parts) -> Parts:
    """function(left value, right value) for every mask, computed once for each distinct pair."""
    width = len(right.values)
    pairs, index = np.unique(left.index * width + right.index, return_inverse=True)
    return merged(function(left.values[pairs // width], right.values[pairs % width]), index.reshape(-1))


def merged(values: np.ndarray, index: np.ndarray) -> Parts:
    """The same, with values that are equal in every bit on every input stored once."""
    first: dict[bytes, int] = {}
    number = np.array([first.setdefault(value.tobytes(), len(first)) for value in values + 0.0])
    _, at = np.unique(number, return_index=True)
    return Parts(values[at], number[index])


def read(
    written: Mapping[str, Parts],
    ablated: Mapping[str, np.ndarray],
    keep: Mapping[Edge, np.ndarray],
    reader: str,
    *,
    weights: np.ndarray,
    constant: np.ndarray,
) -> Parts:
    """(the reader's input) @ weights + constant, for every mask. `written` holds the earlier writers."""
    (n_masks,) = next(iter(written.values())).index.shape
    n_inputs, n_positions, _ = next(iter(ablated.values())).shape
    start = np.broadcast_to(constant, (1, n_inputs, n_positions, weights.shape[1]))
    total = Parts(start, np.zeros(n_masks, int))
    for writer, parts in written.items():
        kept = keep.get((writer, reader), np.zeros(n_masks, bool))
        choices = (
            np.concatenate([ablated[writer][None], parts.values]) if kept.any() else ablated[writer][None]
        )
        choice = merged(choices @ weights, np.where(kept, parts.index + 1, 0))
        total = combine(np.add, total, choice)
    return total


def attention(net: Net, queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Softmax over key positions of the scaled logits: (... position k) twice -> (... position position)."""
    logits = queries @ keys.swapaxes(-1, -2) / np.sqrt(queries.shape[-1])
    if net.causal:
        logits = np.where(np.tril(np.ones(logits.shape[-2:], bool)), logits, -np.inf)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def run(
    net: Net,
    ids: np.ndarray,
    keep: Mapping[Edge, np.ndarray],
    ablated: Mapping[str, np.ndarray],
    n_masks: int,
) -> tuple[dict[str, Parts], Parts]:
    """What every writer wrote, and the output coordinates, under each mask.

    ids: (input position) token ids, BOS first. keep: for each edge that some mask keeps, (mask) booleans.
    ablated: for each writer, (input position d).
    """
    n_inputs, n_positions = ids.shape
    one_way = np.zeros(n_masks, int)
    pos = np.broadcast_to(net.pos[:n_positions], (n_inputs, n_positions, net.pos.shape[1]))
    written = {"tok": Parts(net.tok[ids][None], one_way), "pos": Parts(pos[None], one_way)}
    always = np.zeros(net.tok.shape[1])  # attention's output biases so far

    for i, layer in enumerate(net.layers):
        before = dict(written)
        for h in range(net.n_heads):

            def head_reads(x, matrix, bias, before=before, always=always, head=f"a{i}.h{h}"):
                constant = always @ matrix + bias
                return read(before, ablated, keep, f"{head}.{x}", weights=matrix, constant=constant)

            queries = head_reads("q", layer.q[h], layer.q_bias[h])
            keys = head_reads("k", layer.k[h], layer.k_bias[h])
            values = head_reads("v", layer.v[h], layer.v_bias[h])
            pattern = combine(lambda q, k: attention(net, q, k), queries, keys)
            mixed = combine(np.matmul, pattern, values)
            written[f"a{i}.h{h}"] = Parts(mixed.values @ layer.o[h], mixed.index)
        always = always + layer.o_bias
        constant = always @ layer.w1 + layer.b1
        hidden = read(written, ablated, keep, f"m{i}", weights=layer.w1, constant=constant)
        written[f"m{i}"] = Parts(np.maximum(hidden.values, 0) @ layer.w2 + layer.b2, hidden.index)
    out = read(written, ablated, keep, "out", weights=net.unembed, constant=always @ net.unembed)
    return written, out


def unpruned(net: Net, ids: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Every writer's output (input position d) and the output coordinates (input position out)."""
    writers, edges = writers_and_edges(net)
    nothing = {w: np.zeros((*ids.shape, net.tok.shape[1])) for w in writers}
    written, out = run(net, ids, {edge: np.ones(1, bool) for edge in edges}, nothing, 1)
    return {w: parts.values[0] for w, parts in written.items()}, out.values[0]


def decoded(net: Net, out: np.ndarray) -> np.ndarray:
    """Argmax of the coordinates; those equal but for rounding give the first, as in exact arithmetic."""
    if not net.categorical:
        return out[..., 0]
    return np.argmax(out >= out.max(axis=-1, keepdims=True) - ROUNDING, axis=-1)


# ---------------------------------------------------------------- the domain


def domain(program: Program, length: int) -> list[list[Any]]:
    """Every legal token list of that length."""
    vocab = sorted(set(program.vocab), key=repr)
    lists = (list(tokens) for tokens in itertools.product(vocab, repeat=length))
    return [tokens for tokens in lists if program.domain is None or program.domain(tokens)]


def encode(net: Net, token_lists: Sequence[Sequence[Any]]) -> np.ndarray:
    return np.array([net.model.input_encoder.encode([BOS, *tokens]) for tokens in token_lists])


def interpret(program: Program, net: Net, tokens: Sequence[Any]) -> list[Any]:
    return causal_eval.evaluate(net.sop, tokens) if program.causal else net.sop(tokens)


@dataclass(frozen=True, eq=False)
class SameLength:
    """All inputs of one length: the unpruned model on them, and the list that circuits are tried on."""

    ids: np.ndarray  # input position
    written: dict[str, np.ndarray]  # writer: input position d
    mean: dict[str, np.ndarray]  # writer: position d
    out: np.ndarray  # input position out
    scored: np.ndarray  # input position
    rows: np.ndarray  # (clean input, corrupted input), both indices; without corruption a list of (i, i)


def same_length(program: Program, length: int, ablation: str, score_bos: bool) -> SameLength | None:
    net = compiled(program)
    inputs = domain(program, length)
    if not inputs:
        return None
    ids = encode(net, inputs)
    written, out = unpruned(net, ids)
    values = [interpret(program, net, tokens) for tokens in inputs]
    scored = np.array([[score_bos, *(value is not None for value in row)] for row in values])
    everyone = range(len(inputs))
    pairs = (
        itertools.product(everyone, everyone)
        if ablation == "resample"
        else zip(everyone, everyone, strict=True)
    )
    mean = {w: x.mean(axis=0) for w, x in written.items()}
    rows = list(pairs)
    random.Random(0).shuffle(rows)  # so that the first few differ from one another
    return SameLength(ids, written, mean, out, scored, np.array(rows))


def ablated_values(group: SameLength, rows: np.ndarray, ablation: str) -> dict[str, np.ndarray]:
    """For each writer, (row position d): what a cut edge carries."""
    clean, corrupted = rows.T
    if ablation == "zero":
        return {w: np.zeros_like(x[clean]) for w, x in group.written.items()}
    if ablation == "mean":
        return {w: np.broadcast_to(group.mean[w], x[clean].shape) for w, x in group.written.items()}
    return {w: x[corrupted] for w, x in group.written.items()}  # resample


# ---------------------------------------------------------------- which edges can carry anything


def permitted_edges(program: Program) -> list[Edge]:
    """Edges whose writer writes where the reader reads, and whose reader's node so reaches `out`.

    An upper bound from the weights: an edge left out carries nothing in any circuit. The embedding rows
    are those of the tokens and positions in use; a hidden unit that nothing can switch on is left out.
    """
    net = compiled(program)
    tokens = [net.model.input_encoder.encoding_map[t] for t in [BOS, *set(program.vocab)]]
    writes = {"tok": net.tok[tokens], "pos": net.pos[: program.max_seq_len + 1]}  # writer: (any) d
    reads = {"out": net.unembed}  # reader: d (any)
    for i, layer in enumerate(net.layers):
        for h in range(net.n_heads):
            head, w_q, w_k, w_v, w_o = f"a{i}.h{h}", layer.q[h], layer.k[h], layer.v[h], layer.o[h]
            # A query's bias meets the keys. A key's bias moves all logits of a query alike, and softmax is
            # blind to that.
            reads[f"{head}.q"] = w_q @ w_k.T
            reads[f"{head}.k"] = np.column_stack([w_k @ w_q.T, w_k @ layer.q_bias[h]])
            reads[f"{head}.v"] = w_v @ w_o
            writes[head] = np.vstack([w_v @ w_o, layer.v_bias[h] @ w_o])
        used = np.any(layer.w1 != 0, axis=0) | (layer.b1 != 0)
        reads[f"m{i}"] = layer.w1
        writes[f"m{i}"] = np.vstack([layer.w2[used], layer.b2])

    def node(reader: str) -> str:  # a1.h0.q -> a1.h0
        return reader if reader in writes or reader == "out" else reader.rpartition(".")[0]

    edges = [(w, r) for w, r in writers_and_edges(net)[1] if np.any(writes[w] @ reads[r] != 0)]
    reaching = {"out"}
    while more := {w for w, r in edges if node(r) in reaching} - reaching:
        reaching |= more
    return [(w, r) for w, r in edges if node(r) in reaching]


# ---------------------------------------------------------------- every circuit on every input


@dataclass(frozen=True)
class BruteTruth:
    permitted: list[str]
    smallest: list[frozenset[str]]  # every faithful circuit with the fewest edges
    n_faithful: int  # among all subsets of `permitted`
    required: frozenset[str] | None  # the smallest one, where there is one only
    unique: bool
    vacuous: bool  # the empty circuit is faithful
    constant: bool  # the unpruned model's output is the same at every scored position of every input
    tolerance: float
    n_rows: int  # inputs, or pairs under resample, that make the whole list
    n_edges: int  # of the whole graph


@dataclass(frozen=True, eq=False)
class Setting:
    """What a circuit is tried on, and when its output counts as right."""

    net: Net
    groups: tuple[SameLength, ...]
    ablation: str
    criterion: str
    tolerance: float

    def right(self, group: SameLength, rows: np.ndarray, out: np.ndarray) -> np.ndarray:
        """(circuit row position) booleans for output coordinates (circuit row position out)."""
        wanted = group.out[rows[:, 0]]
        if self.criterion == "decoded" and self.net.categorical:
            right = decoded(self.net, out) == decoded(self.net, wanted)
        else:
            right = np.abs(out - wanted).max(axis=-1) <= self.tolerance
        return right | ~group.scored[rows[:, 0]]

    def faithful(self, edges: Sequence[Edge], masks: np.ndarray) -> np.ndarray:
        """(mask) booleans: which circuits, (mask edge) booleans, are right on every row of every group."""
        ok = np.ones(len(masks), bool)
        few = [(group, group.rows[:FIRST_ROWS]) for group in self.groups]
        rest = [(group, group.rows[FIRST_ROWS:]) for group in self.groups]
        for group, rows in few + rest:
            size = FIRST_ROWS
            while len(rows) and ok.any():
                alive = np.flatnonzero(ok)
                keep = {edge: masks[alive, e] for e, edge in enumerate(edges)}
                now, rows = rows[:size], rows[size:]
                ablated = ablated_values(group, now, self.ablation)
                written, out = run(self.net, group.ids[now[:, 0]], keep, ablated, len(alive))
                ok[alive] = self.right(group, now, out.values).all(axis=(1, 2))[out.index]
                largest = max(parts.values.nbytes for parts in [*written.values(), out])
                size = max(1, min(4 * size, int(BLOCK_BYTES * len(now) / largest)))
        return ok


def setting(
    program: Program, ablation: str, criterion: str, score_bos: bool, lengths: tuple[int, int] | None
) -> Setting:
    if ablation not in ABLATIONS:
        raise ValueError(f"unknown ablation {ablation!r}: wanted one of {', '.join(ABLATIONS)}")
    if criterion not in CRITERIA:
        raise ValueError(f"unknown criterion {criterion!r}: wanted one of {', '.join(CRITERIA)}")
    low, high = lengths or (1, program.max_seq_len)
    found = [same_length(program, n, ablation, score_bos) for n in range(high, low - 1, -1)]
    groups = tuple(group for group in found if group is not None)
    if not groups:
        raise ValueError(f"program {program.name} has no legal input of length {low} to {high}")
    net = compiled(program)
    spread = 1.0
    if not net.categorical:
        coordinates = np.concatenate([group.out[group.scored].ravel() for group in groups])
        spread = float(np.ptp(coordinates)) if len(coordinates) else 0.0
    return Setting(net, groups, ablation, criterion, max(TOLERANCE_SHARE * spread, ROUNDING))


def is_constant(setting: Setting) -> bool:
    scored = np.concatenate([group.out[group.scored] for group in setting.groups])
    return not len(scored) or bool((np.ptp(scored, axis=0) <= ROUNDING).all())


def all_subsets(n_edges: int) -> np.ndarray:
    """(mask edge) booleans, the empty circuit first."""
    return (np.arange(2**n_edges)[:, None] >> np.arange(n_edges)) % 2 == 1


def smallest_of(edges: Sequence[Edge], masks: np.ndarray) -> list[frozenset[str]]:
    sizes = masks.sum(axis=1)
    fewest = sizes.min(initial=len(edges))
    circuits = [frozenset(text(edges[e]) for e in np.flatnonzero(mask)) for mask in masks[sizes == fewest]]
    return sorted(circuits, key=sorted)


def check_outside(setting: Setting, edges: Sequence[Edge], permitted: Sequence[Edge], ok: np.ndarray) -> None:
    """Over every subset of all edges: those outside `permitted` decide nothing, nor are in a smallest one."""
    inside = [edges.index(edge) for edge in permitted]
    masks = all_subsets(len(edges))
    everywhere = setting.faithful(edges, masks)
    number = masks[:, inside] @ (1 << np.arange(len(inside)))  # where all_subsets has its part inside
    assert (everywhere == ok[number]).all(), "an edge outside permitted changed whether a circuit is faithful"
    best = smallest_of(edges, masks[everywhere])
    best_inside = smallest_of(permitted, all_subsets(len(permitted))[ok])
    assert best == best_inside, "a smallest circuit has an edge outside permitted"


def truth(
    program: Program,
    ablation: str,
    criterion: str = "value",
    score_bos: bool = False,
    max_edges_all: int = 13,
    *,
    max_permitted: int = 14,
    lengths: tuple[int, int] | None = None,
    permitted: Sequence[str] | None = None,
) -> BruteTruth:
    """Try every subset of the permitted edges on the whole list of inputs (or pairs, under `resample`).

    max_edges_all: a whole graph of at most so many edges is searched as well, to check `permitted` itself.
    max_permitted: more permitted edges than this are refused.
    lengths:       only inputs of these lengths, both ends included.
    permitted:     search these edges instead of the permitted ones (to see a wrong list give a wrong answer).

    Raises ValueError where there is nothing to try or too much.
    """
    chosen = setting(program, ablation, criterion, score_bos, lengths)
    _, edges = writers_and_edges(chosen.net)
    if permitted is None:
        inside = permitted_edges(program)
    else:
        inside = [edge for edge in edges if text(edge) in set(permitted)]
        if unknown := set(permitted) - {text(edge) for edge in inside}:
            raise ValueError(f"not edges of {program.name}: {', '.join(sorted(unknown))}")
    if len(inside) > max_permitted:
        raise ValueError(
            f"{program.name} has {len(inside)} permitted edges, 2^{len(inside)} circuits: "
            f"wanted at most {max_permitted} edges; pass a larger max_permitted to try them all the same"
        )
    masks = all_subsets(len(inside))
    ok = chosen.faithful(inside, masks)
    if permitted is None and len(edges) <= max_edges_all:
        check_outside(chosen, edges, inside, ok)
    smallest = smallest_of(inside, masks[ok])
    return BruteTruth(
        permitted=[text(edge) for edge in inside],
        smallest=smallest,
        n_faithful=int(ok.sum()),
        required=smallest[0] if len(smallest) == 1 else None,
        unique=len(smallest) == 1,
        vacuous=bool(ok[0]),
        constant=is_constant(chosen),
        tolerance=chosen.tolerance,
        n_rows=sum(len(group.rows) for group in chosen.groups),
        n_edges=len(edges),
    )
