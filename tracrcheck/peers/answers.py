"""What other tools return, as scores of our edges: a mapping by their names, a graph of EAP-IG, AutoCircuit's PruneScores.
A mapping from heads and MLPs to scores is a ranking of the nodes.

Nothing is guessed. Refused are scores that are negative where nobody says whether they count by magnitude (TC193), scores
that are not finite (TC193), edges without a score where nobody says that they are cut (TC194), and names of another model
(TC195).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery, Scores
from edgeprune_core.errors import did_you_mean
from edgeprune_core.graph import Edge, ResidualGraph
from tracrcheck.error_codes import user_error
from tracrcheck.peers.names import NAMES, Correspondence

Rest = Literal["cut"]


@dataclass(frozen=True, kw_only=True, eq=False)
class NodeScores:
    """A ranking of the nodes. scores: one number a head or MLP, in the order in which they write; larger is kept longer."""

    scores: Float[Tensor, " node"]


Thing = TypeVar("Thing")

_MODULE = re.compile(r"blocks\.(\d+)\.hook_([qkv]_input|mlp_in|resid_post)")


def scores_of(
    scores: Mapping[str, Any],
    correspondence: Correspondence,
    *,
    names: str,
    by_magnitude: bool | None,
    rest: Rest | None = None,
) -> Float[Tensor, " edge"]:
    """A float64 for each edge of our graph, larger is kept longer; -inf for those that are cut. Errors: TC193-TC195."""
    known, edges = correspondence.known(names), correspondence.graph.edges
    ours = _ours(scores, known, correspondence, names, by_magnitude, kind="edge")
    if rest is None and (missing := [edge for edge in edges if edge not in ours]):
        raise user_error(
            "TC194.edges", got=_listed([correspondence.name(e, names) or str(e) for e in missing]), n=len(missing),
            total=len(edges),
        )  # fmt: skip
    return _row([ours.get(edge, -math.inf) for edge in edges], by_magnitude)


def node_scores_of(
    scores: Mapping[str, Any], correspondence: Correspondence, *, names: str, by_magnitude: bool | None
) -> NodeScores:
    """Scores of nodes by a tool's names. Errors: TC193-TC195."""
    known, nodes = correspondence.known_nodes(names), [str(node) for node in correspondence.graph.nodes]
    ours = _ours(scores, known, correspondence, names, by_magnitude, kind="node")
    if missing := [theirs for theirs, node in known.items() if node is not None and node not in ours]:
        raise user_error("TC194.nodes", got=_listed(missing), n=len(missing), total=len(nodes))
    return NodeScores(scores=_row([ours[node] for node in nodes], by_magnitude))


def _ours(
    scores: Mapping[str, Any],
    known: Mapping[str, Thing | None],
    correspondence: Correspondence,
    names: str,
    by_magnitude: bool | None,
    *,
    kind: str,
) -> dict[Thing, float]:
    """The scores of what is in our graph."""
    if foreign := [name for name in scores if name not in known]:
        raise user_error(
            "TC195.names", got=_listed(foreign), things=f"{kind}s", do=did_you_mean(foreign[0], known), tool=names,
            layers=correspondence.tool_graph.n_layers, heads=correspondence.n_heads,
        )  # fmt: skip
    values = {name: _number(name, score, kind) for name, score in scores.items()}
    if by_magnitude is None and (name := next((n for n, x in values.items() if x < 0), None)) is not None:
        raise user_error(
            "TC193.signed", got=f"{name}: {values[name]:g}", things=f"{kind}s", method=_METHODS[kind]
        )
    return {ours: value for name, value in values.items() if (ours := known[name]) is not None}


# Of `Peer`, which take the sign convention.
_METHODS = {"edge": "discovery", "node": "node_scores"}


def _row(scores: list[float], by_magnitude: bool | None) -> Tensor:
    found = torch.tensor(scores, dtype=torch.float64)
    return torch.where(found.isfinite(), found.abs(), found) if by_magnitude else found


def _number(name: str, score: Any, kind: str) -> float:
    try:
        value = float(score)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise user_error("TC193.finite", got=repr(score)[:60], name=name, kind=kind)
    return value


def _listed(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


# Answers without a word on what they are ------------------------------------------------------------------


def translated(result: Any, graph: ResidualGraph) -> Any:
    """A tool's own result as an answer of ours; anything else as it is. Errors: TC193-TC195."""
    if _is_eap_graph(result):
        return _of_eap_graph(result, graph)
    if not isinstance(result, Mapping) or not result or not all(isinstance(name, str) for name in result):
        return result
    own = Correspondence(graph, False, graph.n_heads)
    if all(name in own.known_nodes("tracrcheck") for name in result):
        return node_scores_of(result, own, names="tracrcheck", by_magnitude=None)
    if all(_MODULE.fullmatch(name) for name in result):
        result = dict(_prune_scores(result, graph))
    names, correspondence = _recognised(list(result), graph)
    found = scores_of(result, correspondence, names=names, by_magnitude=None)
    return Scores(scores=found)


def _recognised(names: list[str], graph: ResidualGraph) -> tuple[str, Correspondence]:
    """The naming, and the shape of the model, that fit: a complete list of edges has one only. Where none fits, the one
    that knows most of the names, for the message."""
    fits = []
    for correspondence in _shapes(graph):
        for tool in NAMES:
            if tool == "autocircuit" and graph.has_pos and not correspondence.split_pos:
                continue
            known = correspondence.known(tool)
            if len(names) == len(known) and all(name in known for name in names):
                return tool, correspondence
            fits.append((sum(name in known for name in names), tool, correspondence))
    _, tool, correspondence = max(fits, key=lambda fit: fit[0])
    return tool, correspondence


def _shapes(graph: ResidualGraph) -> Iterator[Correspondence]:
    """As `hooked` makes them by default, and without its front layer or dead heads."""
    for split_pos in (True, False):
        for n_heads in dict.fromkeys((max(graph.n_heads, 2), graph.n_heads)):
            yield Correspondence(graph, split_pos, n_heads)


def _is_eap_graph(result: Any) -> bool:
    return type(result).__module__ == "eap.graph" and type(result).__name__ == "Graph"


def _of_eap_graph(result: Any, graph: ResidualGraph) -> Discovery | Scores:
    """Its circuit if it has one (`apply_topn` and so on), else its scores."""
    names, correspondence = _recognised(list(result.edges), graph)
    scores = {name: float(edge.score) for name, edge in result.edges.items()}
    kept = [name for name, edge in result.edges.items() if bool(edge.in_graph)]
    if not kept:
        return Scores(scores=scores_of(scores, correspondence, names=names, by_magnitude=None))
    every: dict[Edge, str] = {e: n for n in result.edges if (e := correspondence.edge(n, names)) is not None}
    if missing := [str(edge) for edge in graph.edges if edge not in every]:
        raise user_error("TC194.edges", got=_listed(missing), n=len(missing), total=graph.n_edges)
    circuit = Circuit(graph, frozenset(e for e, name in every.items() if name in set(kept)))
    signed = min(scores.values()) < 0
    found = None if signed else scores_of(scores, correspondence, names=names, by_magnitude=None)
    return Discovery(circuit=circuit, scores=found)


def _prune_scores(scores: Mapping[str, Any], graph: ResidualGraph) -> Iterator[tuple[str, Any]]:
    """Module -> scores by (head and) source, as edges by their names. Sources: Resid Start, then heads and MLP by layer."""
    for module, rows in scores.items():
        match = _MODULE.fullmatch(module)
        assert match is not None
        layer, kind = match[1], match[2]
        rows = torch.as_tensor(rows)
        headed = kind.endswith("_input") and kind != "mlp_in"
        if rows.ndim != (2 if headed else 1):
            raise user_error(
                "TC195.shape",
                got=f"{module}: {tuple(rows.shape)}",
                wanted="[head,] source: no token positions",
            )
        n_heads = int(torch.as_tensor(scores[next(n for n in scores if n.endswith("_input"))]).shape[0])
        for head, row in enumerate(rows if headed else rows[None]):
            reader = {"mlp_in": f"MLP {layer}", "resid_post": "Resid End"}.get(
                kind, f"A{layer}.{head}.{kind[0].upper()}"
            )
            for place, score in enumerate(row.tolist()):
                yield f"{_source(place, n_heads)}->{reader}", score


def _source(place: int, n_heads: int) -> str:
    if place == 0:
        return "Resid Start"
    layer, at = divmod(place - 1, n_heads + 1)
    return f"MLP {layer}" if at == n_heads else f"A{layer}.{at}"
