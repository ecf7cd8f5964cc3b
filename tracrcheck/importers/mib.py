"""Circuit folders of MIB, the Mechanistic Interpretability Benchmark (Mueller et al. 2025, arXiv 2504.13151), circuit track.

A folder for each task and model holds `importances.json`, or `importances.pt`: the same graph of EAP-IG, as `Graph.to_json` and
`Graph.to_pt` write it. A `.pt` file is a dictionary of tensors and texts; it is read by `torch.load(weights_only=True)`, which runs
no code. Either becomes the document that the importers of EAP-IG read, so it is no row of `IMPORTERS`.

    src_nodes   input, a0.h0, ..., m0, ...        dst_nodes   a0.h0<q>, ..., m0, ..., logits
    edges_scores, edges_in_graph                  src_nodes x dst_nodes; entries without an edge are ignored
    nodes_in_graph                                src_nodes; nodes_scores: the same, where nodes have scores
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import ResidualGraph
from tracrcheck.error_codes import user_error
from tracrcheck.importers.base import malformed
from tracrcheck.peers.names import spelling

NAME = "mib"
JSON, PT = "importances.json", "importances.pt"
_TENSORS = ("edges_scores", "edges_in_graph", "nodes_in_graph")
_SIZES = ("n_layers", "n_heads")


def file_in(folder: Path) -> Path:
    """The circuit's file in a folder. Errors: TC131."""
    for name in (JSON, PT):
        if (folder / name).is_file():
            return folder / name
    raise user_error("TC131.folder", got="neither", path=folder, files=f"{JSON} or {PT}")


def document_of(content: bytes, path: Path) -> dict[str, Any]:
    """The document of a `.pt` file. Errors: TC131 (it cannot be read without running code), TC132 (it holds something else)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about protocols of pickles that are refused anyway
            record = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    except Exception as error:  # a broken or foreign file raises many kinds
        got = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'broken'}"
        raise user_error("TC131.pt", got=got, path=path) from None
    _check(record)
    edges = _edge_names(record["cfg"])
    at = {name: row for row, name in enumerate(record["src_nodes"])}
    to = {name: column for column, name in enumerate(record["dst_nodes"])}
    scores, kept = record["edges_scores"], record["edges_in_graph"]
    if missing := [name for name in edges if name.split("->")[0] not in at or name.split("->")[1] not in to]:
        raise malformed(NAME, f"no place for {missing[0]}", "every node in src_nodes and dst_nodes")
    if scores.shape != kept.shape or tuple(scores.shape) != (len(at), len(to)):
        raise malformed(
            NAME, f"{tuple(scores.shape)} scores", f"{(len(at), len(to))}, as src_nodes and dst_nodes"
        )
    found = {}
    for name in edges:
        source, target = name.split("->")
        place = at[source], to[target]
        found[name] = {"score": float(scores[place]), "in_graph": bool(kept[place])}
    nodes = {
        name: {"in_graph": bool(there)} for name, there in zip(at, record["nodes_in_graph"], strict=True)
    }
    return {"cfg": record["cfg"], "nodes": nodes | {"logits": {"in_graph": True}}, "edges": found}


def _check(record: Any) -> None:
    wanted = ("cfg", "src_nodes", "dst_nodes", *_TENSORS)
    if not isinstance(record, dict) or not all(name in record for name in wanted):
        raise malformed(NAME, "other parts", ", ".join(wanted))
    cfg = record["cfg"]
    if not isinstance(cfg, dict) or not all(isinstance(cfg.get(n), int) and cfg[n] > 0 for n in _SIZES):
        raise malformed(NAME, f"cfg {cfg!r:.60}", "n_layers and n_heads")
    if bad := [name for name in _TENSORS if not isinstance(record[name], Tensor)]:
        raise malformed(NAME, f"{bad[0]} of {type(record[bad[0]]).__name__}", "a tensor")
    if len(record["nodes_in_graph"]) != len(record["src_nodes"]):
        raise malformed(
            NAME, f"{len(record['nodes_in_graph'])} nodes", f"{len(record['src_nodes'])}, as src_nodes"
        )


def contents_of(document: Mapping[str, Any]) -> dict[str, bytes]:
    """Both files of a folder, from the document of EAP-IG."""
    cfg, edges, nodes = document["cfg"], document["edges"], document["nodes"]
    sources = [name for name in nodes if name != "logits"]
    targets = [
        name
        for layer in range(cfg["n_layers"])
        for name in (
            *(f"a{layer}.h{head}<{port}>" for port in "qkv" for head in range(cfg["n_heads"])),
            f"m{layer}",
        )
    ] + ["logits"]
    scores, kept = (
        torch.zeros(len(sources), len(targets)),
        torch.zeros(len(sources), len(targets), dtype=torch.bool),
    )
    for name, told in edges.items():
        source, target = name.split("->")
        place = sources.index(source), targets.index(target)
        scores[place], kept[place] = told["score"], told["in_graph"]
    record = {
        "cfg": dict(cfg),
        "src_nodes": sources,
        "dst_nodes": targets,
        "edges_scores": scores,
        "edges_in_graph": kept,
        "nodes_in_graph": torch.tensor([bool(nodes[name]["in_graph"]) for name in sources]),
    }
    buffer = io.BytesIO()
    torch.save(record, buffer)
    return {JSON: (json.dumps(document) + "\n").encode(), PT: buffer.getvalue()}


def plain_document(circuit: Circuit, *, d_model: int) -> dict[str, Any]:
    """Of a model that EAP-IG sees as it is: edges of the position embedding cannot be cut there, and are left out."""
    graph = circuit.graph
    cfg = {
        "n_layers": graph.n_layers,
        "n_heads": graph.n_heads,
        "parallel_attn_mlp": graph.parallel_blocks,
        "d_model": d_model,
    }
    spell = spelling("eap_ig")
    kept = {name: edge in circuit for edge in graph.edges if (name := spell(edge)) is not None}
    parents = {name.split("->")[0] for name, there in kept.items() if there}
    nodes = [str(writer) for writer in graph.writers if writer.kind not in ("tok", "pos")]
    return {
        "cfg": cfg,
        "nodes": {name: {"in_graph": name in parents} for name in nodes}
        | {"input": {"in_graph": True}, "logits": {"in_graph": True}},
        "edges": {name: {"score": float(there), "in_graph": there} for name, there in kept.items()},
    }


def _edge_names(cfg: Mapping[str, Any]) -> list[str]:
    """Every edge of EAP-IG's graph of this shape."""
    parallel = bool(cfg.get("parallel_attn_mlp"))
    graph = ResidualGraph(cfg["n_layers"], cfg["n_heads"], cfg["n_heads"], False, parallel)
    spell = spelling("eap_ig")
    return [name for edge in graph.edges if (name := spell(edge)) is not None]
