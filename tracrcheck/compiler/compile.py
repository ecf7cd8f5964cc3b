"""The fast route: Tracr's own passes up to its craft model, then straight into torch.

Tracr assembles a Haiku model and initialises it through JAX, which takes seconds; the craft model is plain
NumPy and holds every number already. What is done here is `tracr.compiler.assemble` in the same arithmetic
and the same order of directions, so the weights are equal bit for bit (tests hold the two routes equal).
Provenance is kept on the way: which head and which MLP stands for which RASP expression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from tracr.compiler import basis_inference, craft_graph_to_model, expr_to_craft_graph, nodes, rasp_to_graph
from tracr.craft import bases, transformers, vectorspace_fns
from tracr.rasp import rasp

from edgeprune_core.errors import CheckError
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.spec import ModelSpec
from edgeprune_core.weights import Model, Weights
from tracrcheck.compiler.unsupported import check_expressions, recognised, refusal, unrecognised
from tracrcheck.program import BOS, PAD, Program, Token
from tracrcheck.rasp.domain import Domain, domain_of
from tracrcheck.rasp.expressions import expressions
from tracrcheck.rasp.interpreter import Walk
from tracrcheck.rasp.provenance import describe


@dataclass(frozen=True, kw_only=True, eq=False)
class Compiled:
    """A program as a torch model (float64), with its domain and the way back to RASP.

    token_ids:     token -> row of the embedding, BOS and PAD included.
    output_values: what each output coordinate stands for; None for a numerical output.
    provenance:    writer name -> the RASP expressions it computes.
    """

    program: Program
    sop: rasp.SOp
    model: Model
    domain: Domain
    token_ids: dict[Token, int]
    output_values: tuple[Any, ...] | None
    provenance: dict[str, tuple[str, ...]]

    @cached_property
    def graph(self) -> ResidualGraph:
        return ResidualGraph.of(self.model.spec)

    @property
    def categorical(self) -> bool:
        return self.output_values is not None

    def encode(self, inputs: Sequence[Sequence[Token]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids `input pos` with BOS in front, and which places are real: shorter inputs end in PAD."""
        longest = 1 + max(len(x) for x in inputs)
        ids = torch.full((len(inputs), longest), self.token_ids[PAD])
        valid = torch.zeros(len(inputs), longest, dtype=torch.bool)
        for row, x in enumerate(inputs):
            ids[row, : len(x) + 1] = torch.tensor([self.token_ids[BOS], *(self.token_ids[t] for t in x)])
            valid[row, : len(x) + 1] = True
        return ids, valid

    def interpret(self, tokens: Sequence[Token]) -> list[Any]:
        """What RASP says, BOS not counted; None where the program gives no value."""
        key = tuple(tokens)
        if key not in self._said:
            self._said[key] = list(Walk(tokens, causal=self.program.causal)(self.sop))
        return list(self._said[key])

    @cached_property
    def _said(self) -> dict[tuple[Token, ...], list[Any]]:
        """What the interpreter was asked before: the check of the compiler and every setting ask the same."""
        return {}


def compile_program(program: Program) -> Compiled:
    """Program -> Compiled.

    Errors: TC104 (vocabulary), TC105 (domain), TC106 (Tracr refuses), TC122 (a model made by hand does not fit).
    """
    _check_fields(program)
    domain = domain_of(program)
    sop = build(program)
    if program.by_hand is not None:
        return _by_hand(program, sop, domain)
    graph, sink, craft = _craft(program, sop)
    return Compiled(
        program=program,
        sop=sop,
        domain=domain,
        model=_assemble(program, graph, sink, craft),
        token_ids={d.value: i for i, d in enumerate(_tokens_space(graph).basis)},
        output_values=tuple(d.value for d in _output_space(sink).basis)
        if rasp.is_categorical(sink[nodes.EXPR])
        else None,
        provenance=_provenance(graph, craft.sources),
    )


def _by_hand(program: Program, sop: rasp.SOp, domain: Domain) -> Compiled:
    """The program's own model, where it fits what the program says of itself."""
    assert program.by_hand is not None
    made = program.by_hand()
    spec, values = made.model.spec, made.output_values
    wanted = {
        "the tokens": (set(made.tokens), {*program.vocab, BOS, PAD}),
        "the number of tokens": (spec.d_vocab, len(made.tokens)),
        "the number of output coordinates": (spec.d_out, 1 if values is None else len(values)),
        "`causal`": (spec.causal, program.causal),
        "that there is a place for every token and BOS": (spec.n_ctx > program.max_seq_len, True),
        "the dtype": (made.model.dtype, torch.float64),
    }
    for what, (got, want) in wanted.items():
        if got != want:
            raise CheckError(
                "TC122",
                f"the model that '{program.name}' makes by hand does not fit the program: {what}",
                got=got,
                wanted=want,
                do="mend `by_hand`, or the program's other fields",
            )
    return Compiled(
        program=program,
        sop=sop,
        domain=domain,
        model=made.model,
        token_ids={token: row for row, token in enumerate(made.tokens)},
        output_values=None if values is None else tuple(values),
        provenance={writer: tuple(told) for writer, told in made.provenance.items()},
    )


def build(program: Program) -> rasp.SOp:
    """The program's SOp, with labels that depend on the program alone.

    Tracr names directions after a counter shared by all expressions ever made and cached on each, so the
    order of directions depends on what was compiled before, and an annotated copy of an expression that was
    already named keeps its label and is merged with it. Counting anew here ends both.
    """
    try:
        sop = program.build()
    except Exception as error:
        raise unrecognised(program, f"{type(error).__name__}: {error}") from error
    if not isinstance(sop, rasp.SOp):
        raise CheckError(
            "TC106",
            f"`build` of '{program.name}' does not return an SOp",
            got=type(sop).__name__,
            wanted="a tracr.rasp SOp",
            do="return the program's last expression",
        )
    for number, expr in enumerate(list(expressions(sop)), start=1):
        expr.__dict__["unique_id"] = number
    return sop


def _check_fields(program: Program) -> None:
    if clash := [t for t in (BOS, PAD) if t in program.vocab]:
        raise CheckError(
            "TC104",
            f"the vocabulary of '{program.name}' contains a token that Tracr adds itself",
            got=clash,
            wanted=f"a vocabulary without '{BOS}' and '{PAD}'",
            do="rename the token",
        )
    if not program.vocab or program.max_seq_len < 1:
        raise CheckError(
            "TC105",
            f"the domain of '{program.name}' is empty",
            got=f"{len(program.vocab)} tokens, max_seq_len {program.max_seq_len}",
            wanted="at least one of each",
            do="mend `vocab` or `max_seq_len`",
        )


@dataclass(frozen=True, eq=False)
class _Craft:
    model: transformers.SeriesWithResiduals
    sources: list[Any]


def _craft(program: Program, sop: rasp.SOp):
    """Tracr's passes: graph, value sets, craft blocks, layers."""
    check_expressions(program, sop)
    graph = None
    try:
        extracted = rasp_to_graph.extract_rasp_graph(sop)
        graph, sink = extracted.graph, extracted.sink
        basis_inference.infer_bases(graph, sink, set(program.vocab), program.max_seq_len)
        expr_to_craft_graph.add_craft_components_to_rasp_graph(
            graph,
            bos_dir=bases.BasisDirection(rasp.tokens.label, BOS),
            mlp_exactness=program.mlp_exactness,
        )
        model = craft_graph_to_model.craft_graph_to_model(graph, extracted.sources)
    except Exception as error:
        raise recognised(program, sop, graph, error) from error
    return graph, sink, _Craft(model, extracted.sources)


def _tokens_space(graph) -> bases.VectorSpaceWithBasis:
    values = graph.nodes[rasp.tokens.label][nodes.VALUE_SET] | {BOS, PAD}
    return bases.VectorSpaceWithBasis.from_values(rasp.tokens.label, values)


def _output_space(sink) -> bases.VectorSpaceWithBasis:
    return bases.VectorSpaceWithBasis(sink[nodes.OUTPUT_BASIS])


def _indices_space(program: Program) -> bases.VectorSpaceWithBasis:
    return bases.VectorSpaceWithBasis.from_values(rasp.indices.label, range(program.max_seq_len))


def _stream(program: Program, graph, sink, craft: _Craft) -> bases.VectorSpaceWithBasis:
    """The residual stream: a direction for every value of a categorical expression, one for a numerical one."""
    return bases.join_vector_spaces(
        craft.model.residual_space, _tokens_space(graph), _indices_space(program), _output_space(sink)
    )


@dataclass(frozen=True)
class Place:
    """Where an expression stands in a compiled model.

    values:      the value set that Tracr inferred.
    coordinates: of the residual stream: one for each of `directions`, or one for a number.
    directions:  the value that each coordinate stands for; None for a numerical expression.
    half_layer:  where it is computed; None for tokens and indices.
    """

    values: tuple[Any, ...]
    coordinates: tuple[int, ...]
    directions: tuple[Any, ...] | None
    half_layer: int | None


def places(compiled: Compiled) -> dict[str, Place]:
    """By the label of the expression. Compiles anew: milliseconds, needed only where something is wrong."""
    graph, sink, craft = _craft(compiled.program, compiled.sop)
    index = {direction: i for i, direction in enumerate(_stream(compiled.program, graph, sink, craft).basis)}
    half_layers = craft_graph_to_model._allocate_modules_to_layers(graph, craft.sources)
    found = {}
    for label, node in graph.nodes.items():
        if isinstance(expr := node[nodes.EXPR], rasp.SOp):
            basis = node[nodes.OUTPUT_BASIS]
            found[label] = Place(
                values=tuple(node[nodes.VALUE_SET]),
                coordinates=tuple(index[direction] for direction in basis),
                directions=tuple(d.value for d in basis) if rasp.is_categorical(expr) else None,
                half_layer=half_layers.get(label),
            )
    return found


def _layers(is_mlp: Sequence[bool]) -> list[int]:
    """The layer of each block: attention and MLPs alternate, and a slot that the order skips stays empty."""
    layers, half = [], -1  # half-layers: even ones attention, odd ones MLP
    for odd in is_mlp:
        half += 1
        if half % 2 != odd:
            half += 1
        layers.append(half // 2)
    return layers


def _assemble(program: Program, graph, sink, craft: _Craft) -> Model:
    """`tracr.compiler.assemble.assemble_craft_model`, in torch."""
    blocks = craft.model.blocks
    layers = _layers([isinstance(b, transformers.MLP) for b in blocks])
    heads = [list(b.as_multi().heads()) for b in blocks if not isinstance(b, transformers.MLP)]
    mlps = [b for b in blocks if isinstance(b, transformers.MLP)]
    n_heads = max((len(h) for h in heads), default=1)
    d_head = max((max(h.w_qk.matrix.shape) for hs in heads for h in hs), default=1)
    d_mlp = max((m.fst.output_space.num_dims for m in mlps), default=1)

    tokens_space, output_space = _tokens_space(graph), _output_space(sink)
    indices_space = _indices_space(program)
    residual = _stream(program, graph, sink, craft)
    d, n = residual.num_dims, layers[-1] + 1

    def into(space: bases.VectorSpaceWithBasis) -> np.ndarray:
        return vectorspace_fns.project(residual, space).matrix

    w_q, w_k, w_v = (np.zeros((n, n_heads, d, d_head)) for _ in range(3))
    w_o = np.zeros((n, n_heads, d_head, d))
    w_in, w_out = np.zeros((n, d, d_mlp)), np.zeros((n, d_mlp, d))
    for layer, block in zip(layers, blocks, strict=True):
        if isinstance(block, transformers.MLP):
            hidden = block.fst.output_space.num_dims
            w_in[layer, :, :hidden] = into(block.fst.input_space) @ block.fst.matrix
            w_out[layer, :hidden] = block.snd.matrix @ into(block.snd.output_space).T
            continue
        for i, head in enumerate(block.as_multi().heads()):
            keys, values = head.w_qk.matrix.shape[1], head.w_ov.matrix.shape[1]
            if values > d_head:
                raise refusal(
                    "TC324",
                    program,
                    sink[nodes.EXPR],
                    f"a head moves {values} values with a key size of {d_head}",
                    "a value set no larger than the largest query or key set",
                )
            w_q[layer, i, :, :keys] = into(head.w_qk.left_space) @ head.w_qk.matrix
            w_k[layer, i, :, :keys] = into(head.w_qk.right_space)
            w_v[layer, i, :, :values] = into(head.w_ov.input_space) @ head.w_ov.matrix
            w_o[layer, i, :values] = into(head.w_ov.output_space).T

    tok = vectorspace_fns.project(tokens_space, residual).matrix.copy()
    one = bases.BasisDirection("one")
    if one in residual:
        tok[:, residual.basis.index(one)] += 1
    pos = np.concatenate([np.zeros((1, d)), vectorspace_fns.project(indices_space, residual).matrix])

    spec = ModelSpec(
        n_layers=n,
        n_heads=n_heads,
        d_model=d,
        d_head=d_head,
        d_mlp=d_mlp,
        d_vocab=tokens_space.num_dims,
        d_out=output_space.num_dims,
        n_ctx=len(pos),
        causal=program.causal,
    )
    zeros = np.zeros((n, n_heads, d_head))
    arrays = {
        "tok": tok,
        "pos": pos,
        "w_q": w_q,
        "b_q": zeros,
        "w_k": w_k,
        "b_k": zeros,
        "w_v": w_v,
        "b_v": zeros,
        "w_o": w_o,
        "b_o": np.zeros((n, d)),
        "w_in": w_in,
        "b_in": np.zeros((n, d_mlp)),
        "w_out": w_out,
        "b_out": np.zeros((n, d)),
        "unembed": vectorspace_fns.project(residual, output_space).matrix,
    }
    return Model(spec, Weights(**{k: torch.tensor(a, dtype=torch.float64) for k, a in arrays.items()}))


def _provenance(graph, sources) -> dict[str, tuple[str, ...]]:
    """Writer name -> expressions, by repeating Tracr's allocation of nodes to half-layers."""
    allocation = craft_graph_to_model._allocate_modules_to_layers(graph, sources)
    attention: dict[int, list[str]] = {}
    mlp: dict[int, list[str]] = {}
    for node_id, half in allocation.items():
        node = graph.nodes[node_id]
        block, text = node[nodes.MODEL_BLOCK], describe(node[nodes.EXPR])
        if isinstance(block, transformers.SeriesWithResiduals):
            attention.setdefault(half, []).append(text)
            mlp.setdefault(half + 1, []).append(text)
        else:
            (mlp if half % 2 else attention).setdefault(half, []).append(text)
    found: dict[str, tuple[str, ...]] = {"tok": ("tokens",), "pos": ("indices",)}
    halves = sorted({*attention, *mlp})
    for half, layer in zip(halves, _layers([bool(h % 2) for h in halves]), strict=True):
        if half % 2:
            found[f"m{layer}"] = tuple(mlp[half])
        else:
            found |= {f"a{layer}.h{i}": (text,) for i, text in enumerate(attention[half])}
    return found
