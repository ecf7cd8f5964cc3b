"""The truth about a small program, by trying every circuit: a second opinion on the certifier.

Nothing here comes from the packages under test but the `Program` record; `plain_model.py` has the model and
the masked forward pass. A circuit that fails on one input is unfaithful, so failed circuits are dropped as
the inputs go by.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tracr.rasp import causal_eval

from tests.tracrcheck.truth.plain_model import (
    BOS,
    ROUNDING,
    Edge,
    Net,
    compiled,
    decoded,
    run,
    text,
    unpruned,
    writers_and_edges,
)
from tracrcheck import Program

TOLERANCE_SHARE = 0.01  # of the range of the unpruned model's scored output coordinates
FIRST_ROWS = 8  # of each length, tried before the whole list is
BLOCK_BYTES = 100_000_000  # bounds the largest array of one block of rows
ABLATIONS, CRITERIA = ("zero", "mean", "resample"), ("value", "decoded")


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
