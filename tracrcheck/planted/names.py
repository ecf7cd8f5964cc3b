"""Required edges of a GPT-2 in the names of other tools, which see it as it is: no layer in front, no dead heads.

EAP-IG and AutoCircuit cut no edge of the position embedding: it is always kept there. The Edge Pruning code lists
[writer, reader].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import Edge
from tracrcheck.peers.names import Correspondence

# As `model.get_edges()` of the Edge Pruning code names the ends of a GPT-2.
_EDGE_PRUNING = {"tok": "tok_embeds", "pos": "pos_embeds", "out": "resid_post"}


def names_of(circuit: Circuit) -> Mapping[str, list[Any]]:
    """Tool -> the edges that it has, in the order of the graph."""
    same = Correspondence(circuit.graph, split_pos=False, n_heads=circuit.graph.n_heads)

    def named(tool: str) -> list[str]:
        return [name for edge in circuit if (name := same.name(edge, tool)) is not None]

    return {
        "tracrcheck": circuit.texts,
        "eap_ig": named("eap_ig"),
        "transformer_lens": named("transformer_lens"),
        "edge_pruning": [_pair(edge) for edge in circuit],
    }


def _pair(edge: Edge) -> list[str]:
    ends = (str(edge.writer), str(edge.reader))
    return [_EDGE_PRUNING.get(end, end) for end in ends]
