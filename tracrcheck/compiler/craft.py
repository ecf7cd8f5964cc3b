"""Tracr's own passes, from a RASP program to its craft model: NumPy matrices, before JAX comes in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tracr.compiler import basis_inference, craft_graph_to_model, expr_to_craft_graph, nodes, rasp_to_graph
from tracr.craft import bases, transformers
from tracr.rasp import rasp

from edgeprune_core.errors import CheckError
from tracrcheck.compiler.fast_join import fast_join
from tracrcheck.compiler.one_order import one_order
from tracrcheck.compiler.unsupported import check_expressions, check_values, recognised
from tracrcheck.program import BOS, PAD, Program
from tracrcheck.rasp.expressions import describe


@dataclass(frozen=True, kw_only=True, eq=False)
class Craft:
    """A program after Tracr's passes: its graph of expressions, and a craft model.

    sink:    the graph's node of the program's output.
    sources: the graph's nodes of the program's inputs.
    """

    program: Program
    graph: Any
    sink: dict[str, Any]
    sources: list[Any]
    model: transformers.SeriesWithResiduals

    @cached_property
    def tokens(self) -> bases.VectorSpaceWithBasis:
        values = self.graph.nodes[rasp.tokens.label][nodes.VALUE_SET] | {BOS, PAD}
        return bases.VectorSpaceWithBasis.from_values(rasp.tokens.label, values)

    @cached_property
    def indices(self) -> bases.VectorSpaceWithBasis:
        return bases.VectorSpaceWithBasis.from_values(rasp.indices.label, range(self.program.max_seq_len))

    @cached_property
    def output(self) -> bases.VectorSpaceWithBasis:
        return bases.VectorSpaceWithBasis(self.sink[nodes.OUTPUT_BASIS])

    @cached_property
    def stream(self) -> bases.VectorSpaceWithBasis:
        """The residual stream: a direction per value of a categorical expression, one per numerical expression."""
        return bases.join_vector_spaces(self.model.residual_space, self.tokens, self.indices, self.output)

    @cached_property
    def half_layers(self) -> dict[str, int]:
        """The half-layer of each expression that a block computes: even ones attention, odd ones MLP."""
        return craft_graph_to_model._allocate_modules_to_layers(self.graph, self.sources)

    @property
    def output_values(self) -> tuple[Any, ...] | None:
        """The value that each output coordinate stands for; None for a numerical output."""
        if not rasp.is_categorical(self.sink[nodes.EXPR]):
            return None
        return tuple(direction.value for direction in self.output.basis)

    def provenance(self) -> dict[str, tuple[str, ...]]:
        """Writer name -> the expressions it computes, in Tracr's order of heads."""
        attention: dict[int, list[str]] = {}
        mlp: dict[int, list[str]] = {}
        for label, half in self.half_layers.items():
            node = self.graph.nodes[label]
            block, text = node[nodes.MODEL_BLOCK], describe(node[nodes.EXPR])
            if isinstance(block, transformers.SeriesWithResiduals):
                attention.setdefault(half, []).append(text)
                mlp.setdefault(half + 1, []).append(text)
            else:
                (mlp if half % 2 else attention).setdefault(half, []).append(text)
        found: dict[str, tuple[str, ...]] = {"tok": ("tokens",), "pos": ("indices",)}
        halves = sorted({*attention, *mlp})
        for half, layer in zip(halves, layers_of([bool(h % 2) for h in halves]), strict=True):
            if half % 2:
                found[f"m{layer}"] = tuple(mlp[half])
            else:
                found |= {f"a{layer}.h{i}": (text,) for i, text in enumerate(attention[half])}
        return found


@fast_join()
def craft_of(program: Program, sop: rasp.SOp) -> Craft:
    """Tracr's passes: graph, value sets, craft blocks, layers. Errors: TC106, or the class of what Tracr refuses."""
    check_expressions(program, sop)
    graph = None
    try:
        extracted = rasp_to_graph.extract_rasp_graph(sop)
        graph, sink = extracted.graph, extracted.sink
        basis_inference.infer_bases(graph, sink, set(program.vocab), program.max_seq_len)
        check_values(program, sop, graph)
        expr_to_craft_graph.add_craft_components_to_rasp_graph(
            graph,
            bos_dir=bases.BasisDirection(rasp.tokens.label, BOS),
            mlp_exactness=program.mlp_exactness,
        )
        model = craft_graph_to_model.craft_graph_to_model(graph, extracted.sources)
    except CheckError:
        raise
    except Exception as error:
        raise recognised(program, sop, graph, error) from error
    return Craft(program=program, graph=graph, sink=sink, sources=extracted.sources, model=model)


def layers_of(is_mlp: list[bool]) -> list[int]:
    """The layer of each block: attention and MLPs alternate, and a slot that the order skips stays empty."""
    layers, half = [], -1  # half-layers: even ones attention, odd ones MLP
    for odd in is_mlp:
        half += 1
        if half % 2 != odd:
            half += 1
        layers.append(half // 2)
    return layers


@dataclass(frozen=True)
class Place:
    """Where an expression is in a compiled model.

    values:      the value set that Tracr inferred.
    coordinates: of the residual stream: one for each of `directions`, or one for a number.
    directions:  the value that each coordinate stands for; None for a numerical expression.
    half_layer:  where it is computed; None for tokens and indices.
    """

    values: tuple[Any, ...]
    coordinates: tuple[int, ...]
    directions: tuple[Any, ...] | None
    half_layer: int | None


@one_order()
def places(program: Program, sop: rasp.SOp) -> dict[str, Place]:
    """Label of an expression -> its place. Repeats Tracr's passes: milliseconds, and rarely needed."""
    craft = craft_of(program, sop)
    index = {direction: i for i, direction in enumerate(craft.stream.basis)}
    found = {}
    for label, node in craft.graph.nodes.items():
        if isinstance(expr := node[nodes.EXPR], rasp.SOp):
            basis = node[nodes.OUTPUT_BASIS]
            found[label] = Place(
                values=tuple(node[nodes.VALUE_SET]),
                coordinates=tuple(index[direction] for direction in basis),
                directions=tuple(d.value for d in basis) if rasp.is_categorical(expr) else None,
                half_layer=craft.half_layers.get(label),
            )
    return found
