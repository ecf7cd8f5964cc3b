"""The scoring methods of EAP-IG (Hanna et al. 2024, arXiv 2403.17806; https://github.com/hannamw/EAP-IG), unmodified.

Named for the gate: `--method tracrcheck.peers.eap_ig:eap_ig_inputs`. Written for version 2.0.0 at commit 795f560 with
TransformerLens 3.9.0. What is done around it: its scores are created on "cuda" whatever the machine, so that argument is
read as the model's own device; batches are of one length.

Each method scores every edge; the circuit is left open, so the gate judges the ranking. Scores count by magnitude, the
default of its `apply_topn`. Three of the methods take patching alone, which is resample ablation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from edgeprune_core.discovery import Discovery, Scores
from edgeprune_core.methods.selectors import Selector
from edgeprune_core.task import Task
from tracrcheck.error_codes import user_error
from tracrcheck.peers import installed
from tracrcheck.peers.peer import hooked

_attribute = installed.eap_ig("attribute")
_graph = installed.eap_ig("graph")

PATCHING_ONLY = ("EAP-IG-inputs", "clean-corrupted")


@dataclass(frozen=True, slots=True, kw_only=True)
class EapIg:
    """scoring: `method` of its `attribute`. metric: of the task (`Peer.metric`). ig_steps: points on the way, where there is
    one; its authors use 5. at_most, batch: pairs. select: what makes a circuit of the scores; None: the ranking is judged."""

    scoring: str
    metric: Literal["margin", "deviation"] = "margin"
    ig_steps: int = 5
    at_most: int | None = 256
    batch: int = 64
    select: Selector | None = None

    def __call__(self, task: Task) -> Discovery | Scores:
        peer = hooked(task)
        if self.scoring in PATCHING_ONLY and peer.intervention != "patching":
            raise user_error("TC192.patching", where=task.name, got=task.ablation.name, method=self.scoring)
        graph: Any = _graph.Graph.from_model(peer.model)
        with peer.own_device():
            _attribute.attribute(
                peer.model, graph, peer.loader(at_most=self.at_most, batch=self.batch), peer.metric(self.metric),
                self.scoring, intervention=peer.intervention, ig_steps=self.ig_steps, quiet=True,
            )  # fmt: skip
        scores = {name: edge.score for name, edge in graph.edges.items()}
        return peer.discovery(scores, names="eap_ig", by_magnitude=True, select=self.select)


eap = EapIg(scoring="EAP")
eap_ig_inputs = EapIg(scoring="EAP-IG-inputs")
eap_ig_activations = EapIg(scoring="EAP-IG-activations")
clean_corrupted = EapIg(scoring="clean-corrupted")
exact = EapIg(scoring="exact", metric="deviation")
information_flow_routes = EapIg(scoring="information-flow-routes")
