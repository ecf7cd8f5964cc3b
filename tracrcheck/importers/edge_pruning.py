"""The Edge Pruning code (princeton-nlp/Edge-Pruning, arXiv 2406.16778): `edges.json`.

`src/modeling/vis_fpt2.py` writes what `model.get_edges()` returns: a list of [writer, reader]. Writers are
`token_embeds` (Tracr models), `tok_embeds` (GPT-2) or `embeds` (Llama), `pos_embeds`, `a0.h1`, `m0`; readers
`a0.h1.q`, `.k`, `.v`, `m0` and `resid_post`. (`src/prune/erazr_*.py` print that list for Tracr models.)

A model without embedding nodes (without `-w`) has no embedding edges to list, and its file looks as if all of them
were pruned. So there are two formats, and the user chooses.
"""

from __future__ import annotations

from typing import Any

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import ResidualGraph
from tracrcheck.importers.base import Imported, imported, malformed, no_threshold
from tracrcheck.importers.granularity import Embeddings, Granularity

NAMES = {
    "token_embeds": "tok",
    "tok_embeds": "tok",
    "embeds": "tok",
    "pos_embeds": "pos",
    "resid_post": "out",
}


class EdgePruningCode:
    name = "edge_pruning"
    mapping = "token_embeds, tok_embeds and embeds are `tok`, pos_embeds is `pos`, resid_post is `out`"
    convert = "json.dump(model.get_edges(), file)"
    embeddings: Embeddings = "apart"

    def recognises(self, document: Any) -> bool:
        return self.embeddings == "apart" and bool(document) and _is_pairs(document)

    def read(self, document: Any, graph: ResidualGraph, *, threshold: float | None) -> Imported:
        if not _is_pairs(document):
            raise malformed(self.name, type(document).__name__, "a list of [writer, reader]")
        no_threshold(self.name, threshold)
        kept = [f"{NAMES.get(writer, writer)} -> {NAMES.get(reader, reader)}" for writer, reader in document]
        notes = []
        if self.embeddings == "apart" and not any(edge.startswith(("tok ", "pos ")) for edge in kept):
            notes.append(
                "no embedding edge is listed: of a model without embedding nodes, read it with "
                f"--format {WithoutEmbeddings.name}"
            )
        return imported(self.name, Granularity(embeddings=self.embeddings), graph, kept=kept, notes=notes)

    def write(self, circuit: Circuit, *, d_model: int) -> list[list[str]]:
        theirs = {"tok": "token_embeds", "pos": "pos_embeds", "out": "resid_post"}
        return [[theirs.get(name, name) for name in (str(e.writer), str(e.reader))] for e in circuit]


class WithoutEmbeddings(EdgePruningCode):
    name = "edge_pruning_without_embeddings"
    mapping = (
        "as edge_pruning, of a model without embedding nodes: all embedding edges are kept and not judged"
    )
    embeddings: Embeddings = "always_kept"


def _is_pairs(document: Any) -> bool:
    return isinstance(document, list) and all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 and all(isinstance(x, str) for x in pair)
        for pair in document
    )
