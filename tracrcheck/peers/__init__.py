"""Other tools' own code at the gate: a task as a TransformerLens model, and what they return as an answer of ours.

Our own versions of such methods are in `edgeprune_core/methods`; what reads their files is in `tracrcheck/importers`.

    from tracrcheck.peers import hooked

    def discover(task):
        peer = hooked(task)
        graph = Graph.from_model(peer.model)  # EAP-IG, as published
        attribute(peer.model, graph, peer.loader(at_most=256), peer.metric("margin"), "EAP-IG-inputs", ig_steps=5)
        return peer.discovery({n: e.score for n, e in graph.edges.items()}, names="eap_ig", by_magnitude=True)

Ready-made methods are in `eap_ig.py` and `autocircuit.py`; `docs/peers.md` lists them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeprune_core.lazy import exports

if TYPE_CHECKING:
    from tracrcheck.peers.peer import Peer, hooked

__all__ = ["Peer", "hooked"]

__getattr__ = exports(__name__, {"peer": ("Peer", "hooked")})
