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

Edges inside a node (hook_result from hook_q, hook_mlp_out from hook_mlp_in: "placeholders") are no edges of ours.
Neither is hook_q from hook_q_input, but it says something: where some of these are listed and a head's is not, all
that this reader reads is cut, so its edges are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from edgeprune_core.graph import ResidualGraph
from tracrcheck.granularity import MERGED, Granularity
from tracrcheck.importers.base import Imported, imported, malformed

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
        edges, ports = set(), set()
        for (receiver, at, sender, by), present in document:
            if present is False:
                continue
            if port := self._port(receiver, at, sender):
                ports.add(port)
            elif not self._inside(receiver, sender):
                edges.add((self._writer(sender, by), self._reader(receiver, at, graph)))
        unread = {r for _, r in edges if ports and r[-2:] in (".q", ".k", ".v") and r not in ports}
        kept = [f"{w} -> {r}" for w, r in edges if r not in unread]
        merged = any(w == MERGED for w, _ in edges)
        notes = [f"{len(edges) - len(kept)} edges dropped: their readers are cut off"] if unread else []
        granularity = Granularity(embeddings="merged" if merged else "apart")
        return imported(self.name, granularity, graph, kept=kept, notes=notes)

    def _port(self, receiver: str, at: Sequence[Any], sender: str) -> str | None:
        """The reader that hook_q <- hook_q_input lets through."""
        block = _BLOCK.fullmatch(receiver)
        if block and (port := _PORT.fullmatch(block[2])) and _INPUT.search(sender):
            return f"a{block[1]}.h{self._head(receiver, at)}.{port[1]}"
        return None

    def _inside(self, receiver: str, sender: str) -> bool:
        """hook_result <- hook_q, hook_mlp_out <- hook_mlp_in: part of one component."""
        return (receiver.endswith("attn.hook_result") and bool(_PORT.search(sender))) or (
            receiver.endswith("hook_mlp_out") and sender.endswith(("hook_mlp_in", "hook_resid_mid"))
        )

    def _writer(self, name: str, index: Sequence[Any]) -> str:
        if name in (
            embeddings := {"hook_embed": "tok", "hook_pos_embed": "pos", "blocks.0.hook_resid_pre": MERGED}
        ):
            return embeddings[name]
        block = _BLOCK.fullmatch(name)
        if block and block[2] == "hook_mlp_out":
            return f"m{block[1]}"
        if block and block[2] == "attn.hook_result":
            return f"a{block[1]}.h{self._head(name, index)}"
        raise malformed(self.name, f"a sender '{name}'", "hook_embed, blocks.0.attn.hook_result, ...")

    def _reader(self, name: str, index: Sequence[Any], graph: ResidualGraph) -> str:
        block = _BLOCK.fullmatch(name)
        if block and block[2] in ("hook_mlp_in", "hook_resid_mid"):
            return f"m{block[1]}"
        if block and (port := _INPUT.fullmatch(block[2])):
            return f"a{block[1]}.h{self._head(name, index)}.{port[1]}"
        if name == f"blocks.{graph.n_layers - 1}.hook_resid_post":
            return "out"
        raise malformed(
            self.name,
            f"a receiver '{name}'",
            f"blocks.0.hook_q_input, blocks.0.hook_mlp_in, ..., blocks.{graph.n_layers - 1}.hook_resid_post",
        )

    def _head(self, name: str, index: Sequence[Any]) -> int:
        if len(index) == 3 and isinstance(index[2], int):
            return index[2]
        raise malformed(self.name, f"'{name}' with index {list(index)}", "[null, null, head]")


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
