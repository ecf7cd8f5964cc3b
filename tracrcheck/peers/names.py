"""Names of edges and nodes in other tools, and which edge or node of a program's graph each one is.

    tracrcheck        tok -> a0.h1.q                m0 -> out
    eap_ig            input->a1.h1<q>               m1->logits
    autocircuit       Resid Start->A1.1.Q           MLP 1->Resid End
    transformer_lens  hook_embed -> blocks.1.hook_q_input[:, :, 1]
                      blocks.1.hook_mlp_out -> blocks.3.hook_resid_post

The model that a tool gets from `hooked` has one layer more, in front (`hooked_model.py` says why): the MLP of that layer
writes the position embedding, so it is our `pos`, and layer l of the program is layer l + 1 there. It may also have dead
heads. Edges into the front layer, and edges of dead heads, carry nothing and have no edge of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from edgeprune_core.graph import Edge, Reader, ResidualGraph, Writer
from tracrcheck.error_codes import unknown_name, user_error


def _eap_ig_node(of: Writer | Reader) -> str:
    ends = {"tok": "input", "out": "logits", "mlp": f"m{of.layer}"}
    return ends.get(of.kind, f"a{of.layer}.h{of.head}")


def _eap_ig(edge: Edge) -> str | None:
    if edge.writer.kind == "pos":
        return None
    port = f"<{edge.reader.port}>" if edge.reader.port else ""
    return f"{_eap_ig_node(edge.writer)}->{_eap_ig_node(edge.reader)}{port}"


def _autocircuit_node(of: Writer | Reader) -> str:
    ends = {"tok": "Resid Start", "out": "Resid End", "mlp": f"MLP {of.layer}"}
    return ends.get(of.kind, f"A{of.layer}.{of.head}")


def _autocircuit(edge: Edge) -> str | None:
    if edge.writer.kind == "pos":
        return None
    port = f".{edge.reader.port.upper()}" if edge.reader.port else ""
    return f"{_autocircuit_node(edge.writer)}->{_autocircuit_node(edge.reader)}{port}"


def _transformer_lens_node(w: Writer | Reader) -> str:
    writers = {
        "tok": "hook_embed",
        "pos": "hook_pos_embed",
        "head": f"blocks.{w.layer}.attn.hook_result[:, :, {w.head}]",
        "mlp": f"blocks.{w.layer}.hook_mlp_out",
    }
    return writers[w.kind]


def _transformer_lens(edge: Edge) -> str:
    r = edge.reader
    readers = {
        "head": f"blocks.{r.layer}.hook_{r.port}_input[:, :, {r.head}]",
        "mlp": f"blocks.{r.layer}.hook_mlp_in",
        "out": f"blocks.{r.layer - 1}.hook_resid_post",
    }
    return f"{_transformer_lens_node(edge.writer)} -> {readers[r.kind]}"


NAMES: Mapping[str, Callable[[Edge], str | None]] = {
    "tracrcheck": str,
    "eap_ig": _eap_ig,
    "autocircuit": _autocircuit,
    "transformer_lens": _transformer_lens,
}
NODE_NAMES: Mapping[str, Callable[[Writer | Reader], str]] = {
    "tracrcheck": str,
    "eap_ig": _eap_ig_node,
    "autocircuit": _autocircuit_node,
    "transformer_lens": _transformer_lens_node,
}


def spelling(names: str) -> Callable[[Edge], str | None]:
    """Errors: TC195."""
    if names not in NAMES:
        raise unknown_name("TC195.tool", names, NAMES)
    return NAMES[names]


@dataclass(frozen=True)
class Correspondence:
    """The edges of a program's graph, and those of the model that a tool sees.

    split_pos: whether that model has the front layer. n_heads: heads in each of its layers, dead ones included.
    """

    graph: ResidualGraph
    split_pos: bool
    n_heads: int

    @property
    def tool_graph(self) -> ResidualGraph:
        return _tool_graph(self)

    def name(self, edge: Edge | str, names: str) -> str | None:
        """The name of one of our edges; None if the tool has no such edge. Errors: TC195, EP111-EP113."""
        edge = self.graph.edge(edge) if isinstance(edge, str) else edge
        return _tables(self, names)[0][edge]

    def edge(self, name: str, names: str) -> Edge | None:
        """The edge of that name; None for an edge that carries nothing. Errors: TC195."""
        table = _tables(self, names)[1]
        if name not in table:
            raise unknown_name("TC195.edge", name, table, tool=names, wanted="an edge of the model")
        return table[name]

    def known(self, names: str) -> Mapping[str, Edge | None]:
        """Every name that the tool has."""
        return _tables(self, names)[1]

    def known_nodes(self, names: str) -> Mapping[str, str | None]:
        """Every node that the tool has, by its name; ours where it is a head or MLP that can write. Errors: TC195."""
        spelling(names)
        ours = {str(node) for node in self.graph.nodes}
        if names == "tracrcheck":
            return {node: node for node in map(str, self.graph.nodes)}
        nodes = [w for w in self.tool_graph.writers if w.kind != "pos"]
        found = {NODE_NAMES[names](w): name if (name := self._shifted(w)) in ours else None for w in nodes}
        return found | (
            {} if names == "transformer_lens" else {NODE_NAMES[names](self.graph.readers[-1]): None}
        )

    def _pairs(self) -> Iterator[tuple[Edge | None, Edge]]:
        """Every edge of the tool's graph, with ours. Names of our own are those of our graph."""
        ours = {str(edge): edge for edge in self.graph.edges}
        for edge in self.tool_graph.edges:
            writer, reader = self._shifted(edge.writer), self._shifted(edge.reader)
            yield ours.get(f"{writer} -> {reader}"), edge

    def _shifted(self, of: Writer | Reader) -> str:
        """The name that a writer or reader of the tool's graph has in ours; "" if it has none."""
        layer = of.layer - int(self.split_pos)
        if of.kind == "head":
            port = f".{of.port}" if isinstance(of, Reader) else ""
            return f"a{layer}.h{of.head}{port}"
        if of.kind == "mlp" and layer < 0:
            return "pos" if isinstance(of, Writer) else ""
        return f"m{layer}" if of.kind == "mlp" else of.kind


@cache
def _tool_graph(of: Correspondence) -> ResidualGraph:
    graph, front = of.graph, int(of.split_pos)
    return ResidualGraph(graph.n_layers + front, of.n_heads, of.n_heads, graph.has_pos and not of.split_pos)


@cache
def _tables(of: Correspondence, names: str) -> tuple[dict[Edge, str | None], dict[str, Edge | None]]:
    spell = spelling(names)
    if names == "autocircuit" and of.graph.has_pos and not of.split_pos:
        raise user_error("TC195.merged")
    name_of: dict[Edge, str | None] = {}
    edge_of: dict[str, Edge | None] = {}
    for ours, theirs in of._pairs():
        name = str(ours) if names == "tracrcheck" and ours is not None else spell(theirs)
        if ours is not None:
            name_of[ours] = name
        if name is not None and (names != "tracrcheck" or ours is not None):
            edge_of[name] = ours
    return name_of, edge_of
