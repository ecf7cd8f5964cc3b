"""ACDC (ArthurConmy/Automatic-Circuit-Discovery, arXiv 2304.14997): its edge lists, as JSON.

`TLACDCExperiment.save_edges` pickles a list of ((receiver, index, sender, index), effect size) of the edges present;
`save_subgraph` saves a mapping (receiver, index, sender, index) -> present, the form of
`acdc/tracr_task/utils.get_tracr_reverse_edges`. Either is read here as a list of [[receiver, index, sender, index],
present or effect size], an index being [null] or [null, null, head]. Nodes are TransformerLens hook points:

    hook_embed, hook_pos_embed           tok, pos        (blocks.0.hook_resid_pre: both, where they are merged)
    blocks.L.attn.hook_result[:, :, H]   aL.hH
    blocks.L.hook_mlp_out                mL
    blocks.L.hook_q_input[:, :, H]       aL.hH.q         (and k, v)
    blocks.L.hook_mlp_in                 mL              (blocks.L.hook_resid_mid, in older files)
    blocks.LAST.hook_resid_post          out

Edges inside a node (hook_result from hook_q, hook_mlp_out from hook_mlp_in: "placeholders") are not edges of our
graph. Nor is hook_q from hook_q_input, but it matters: if a file lists some of these and one of a head is missing, the
reader is cut off from its inputs, so all its edges are dropped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from edgeprune_core.graph import Edge, ResidualGraph
from tracrcheck.error_codes import user_error
from tracrcheck.importers.base import Imported, imported, malformed, no_threshold
from tracrcheck.importers.granularity import MERGED, Granularity
from tracrcheck.peers.names import NAMES

_BLOCK = re.compile(r"blocks\.(\d+)\.(.+)")
_INPUT = re.compile(r"hook_([qkv])_input")
_PORT = re.compile(r"attn\.hook_([qkv])")


class Acdc:
    name = "acdc"
    mapping = (
        "hook points are their components; edges inside a component are not counted, and a reader whose "
        "hook_q <- hook_q_input is absent reads nothing"
    )
    convert = (
        "json.dump([[[r, list(i.hashable_tuple), s, list(j.hashable_tuple)], e.present] "
        "for (r, i, s, j), e in exp.corr.all_edges().items()], file)"
    )

    def recognises(self, document: Any) -> bool:
        return bool(document) and _is_rows(document)

    def read(self, document: Any, graph: ResidualGraph, *, threshold: float | None) -> Imported:
        if not _is_rows(document):
            wanted = "a list of [[receiver, index, sender, index], present or effect size]"
            raise malformed(self.name, type(document).__name__, wanted)
        no_threshold(self.name, threshold)
        edges, ports, ports_listed = set(), set(), False
        said: dict[str, bool] = {}
        for (receiver, at, sender, by), present in document:
            there = self._present(present)
            if said.setdefault(f"{receiver} {at} {sender} {by}", there) != there:
                raise malformed(self.name, f"{receiver} <- {sender}, present and absent", "each edge once")
            if port := self._port(receiver, at, sender, graph):
                ports |= {port} if there else set()
                ports_listed = True
            elif not self._inside(receiver, sender):
                edge = self._writer(sender, by, graph), self._reader(receiver, at, graph)
                edges |= {edge} if there else set()
        unread = {r for _, r in edges if ports_listed and r[-2:] in (".q", ".k", ".v") and r not in ports}
        kept = [f"{w} -> {r}" for w, r in edges if r not in unread]
        merged = any(w == MERGED for w, _ in edges)
        notes = [f"{len(edges) - len(kept)} edges dropped: their readers are cut off"] if unread else []
        granularity = Granularity(embeddings="merged" if merged else "apart")
        return imported(self.name, granularity, graph, kept=kept, notes=notes)

    def write(self, circuit: Circuit, *, d_model: int) -> list[list[Any]]:
        """Every edge, and whether it is present. Edges inside a component are left out."""
        return [[_row(edge), edge in circuit] for edge in circuit.graph.edges]

    def _present(self, present: Any) -> bool:
        """Effect sizes are listed for edges that are present; some of them were never measured (None)."""
        if isinstance(present, bool):
            return present
        if present is None or (isinstance(present, float) and math.isfinite(present)):
            return True
        wanted = "true, false, an effect size such as 0.5, or null where none was measured"
        raise malformed(self.name, f"{present!r} for the presence of an edge", wanted)

    def _port(self, receiver: str, at: Sequence[Any], sender: str, graph: ResidualGraph) -> str | None:
        """The reader whose input hook_q <- hook_q_input passes on."""
        block = _BLOCK.fullmatch(receiver)
        if block and (port := _PORT.fullmatch(block[2])) and _INPUT.search(sender):
            return f"a{self._layer(receiver, block[1], graph)}.h{self._head(receiver, at, graph)}.{port[1]}"
        return None

    def _inside(self, receiver: str, sender: str) -> bool:
        """hook_result <- hook_q, hook_mlp_out <- hook_mlp_in: part of one component."""
        return (receiver.endswith("attn.hook_result") and bool(_PORT.search(sender))) or (
            receiver.endswith("hook_mlp_out") and sender.endswith(("hook_mlp_in", "hook_resid_mid"))
        )

    def _writer(self, name: str, index: Sequence[Any], graph: ResidualGraph) -> str:
        if name in (
            embeddings := {"hook_embed": "tok", "hook_pos_embed": "pos", "blocks.0.hook_resid_pre": MERGED}
        ):
            return embeddings[name]
        block = _BLOCK.fullmatch(name)
        if block and block[2] == "hook_mlp_out":
            return f"m{self._layer(name, block[1], graph)}"
        if block and block[2] == "attn.hook_result":
            return f"a{self._layer(name, block[1], graph)}.h{self._head(name, index, graph)}"
        raise malformed(self.name, f"a sender '{name}'", "hook_embed, blocks.0.attn.hook_result, ...")

    def _reader(self, name: str, index: Sequence[Any], graph: ResidualGraph) -> str:
        block = _BLOCK.fullmatch(name)
        if block and block[2] in ("hook_mlp_in", "hook_resid_mid"):
            return f"m{self._layer(name, block[1], graph)}"
        if block and (port := _INPUT.fullmatch(block[2])):
            return f"a{self._layer(name, block[1], graph)}.h{self._head(name, index, graph)}.{port[1]}"
        if name == f"blocks.{graph.n_layers - 1}.hook_resid_post":
            return "out"
        raise malformed(
            self.name,
            f"a receiver '{name}'",
            f"blocks.0.hook_q_input, blocks.0.hook_mlp_in, ..., blocks.{graph.n_layers - 1}.hook_resid_post",
        )

    def _layer(self, name: str, layer: str, graph: ResidualGraph) -> str:
        if int(layer) >= graph.n_layers:
            raise _beyond(f"'{name}'", graph)
        return layer

    def _head(self, name: str, index: Sequence[Any], graph: ResidualGraph) -> int:
        if len(index) != 3 or type(index[2]) is not int:
            raise malformed(self.name, f"'{name}' with index {list(index)}", "[null, null, head]")
        heads = graph.n_kv_heads if re.search(r"hook_[kv](_input)?$", name) else graph.n_heads
        if not 0 <= index[2] < heads:
            raise _beyond(f"head {index[2]} of '{name}'", graph)
        return index[2]


def _row(edge: Edge) -> list[Any]:
    """[receiver, index, sender, index], by the names of TransformerLens: `blocks.0.hook_q_input[:, :, 0]` has a head."""
    sender, _, receiver = NAMES["transformer_lens"](edge).partition(" -> ")  # type: ignore[union-attr]
    row: list[Any] = []
    for point in (receiver, sender):
        name, _, head = point.partition("[:, :, ")
        row += [name, [None, None, int(head[:-1])] if head else [None]]
    return row


def _beyond(what: str, graph: ResidualGraph) -> CheckError:
    return user_error("TC133.nodes", got=what, layers=graph.n_layers, heads=graph.n_heads)


def _is_rows(document: Any) -> bool:
    return isinstance(document, list) and all(
        isinstance(row, list) and len(row) == 2 and isinstance(row[0], list) and _is_edge(row[0])
        for row in document
    )


def _is_edge(edge: list[Any]) -> bool:
    return (
        len(edge) == 4
        and all(isinstance(name, str) for name in edge[::2])
        and all(isinstance(index, list) for index in edge[1::2])
    )
