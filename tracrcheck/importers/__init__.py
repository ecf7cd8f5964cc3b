"""The importers, by the name of their format. `auto` picks the importer that recognises the document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from edgeprune_core.errors import CheckError
from edgeprune_core.graph import ResidualGraph
from tracrcheck.error_codes import unknown_name, user_error
from tracrcheck.importers import mib
from tracrcheck.importers.acdc import Acdc
from tracrcheck.importers.autocircuit import AutoCircuit
from tracrcheck.importers.base import Exporter, Imported, Importer
from tracrcheck.importers.eap_ig import EapIg
from tracrcheck.importers.edge_pruning import EdgePruningCode, WithoutEmbeddings
from tracrcheck.importers.hooked import AUTOCIRCUIT_HOOKED, EAP_IG_HOOKED
from tracrcheck.importers.native import Native

IMPORTERS: dict[str, Importer] = {
    importer.name: importer
    for importer in (
        Native(), EdgePruningCode(), WithoutEmbeddings(), Acdc(), AutoCircuit(), EapIg(), AUTOCIRCUIT_HOOKED, EAP_IG_HOOKED,
    )
}  # fmt: skip
# Formats that can be written, such that every circuit is read back as it was. WithoutEmbeddings inherits a writer, but has no
# embedding edges.
EXPORTERS: dict[str, Exporter] = {
    name: importer
    for name, importer in IMPORTERS.items()
    if isinstance(importer, Exporter) and not isinstance(importer, WithoutEmbeddings)
}
AUTO = "auto"
Rest = Literal["cut"]

__all__ = ["AUTO", "EXPORTERS", "IMPORTERS", "Exporter", "Imported", "Importer", "importer_for", "read_file"]


def read_file(
    path: Path, graph: ResidualGraph, *, format: str, threshold: float | None, rest: Rest | None = None
) -> Imported:
    """A circuit file of any of these formats, or a circuit folder of MIB. rest: "cut" if edges that a file does not name are cut.

    Errors: TC131 (not JSON, no `.pt` file without code, or no known format), TC132-TC137.
    """
    try:
        path = mib.file_in(path) if path.is_dir() else path
        content = path.read_bytes()
        document = mib.document_of(content, path) if path.suffix == ".pt" else json.loads(content)
    except OSError as error:
        raise user_error("TC131.file", got=error.strerror or error, path=path) from None
    except (ValueError, RecursionError) as error:
        got = f"{type(error).__name__}: {error}"
        raise user_error("TC131.json", got=got, path=path) from None
    try:
        found = importer_for(format, document).read(document, graph, threshold=threshold)
        if rest is None:
            _check_whole(found, graph)
        return found
    except CheckError as error:
        raise error.at(str(path)) from None


def _check_whole(found: Imported, graph: ResidualGraph) -> None:
    """Errors: TC137, if a file that should name every edge does not: it may have been cut short."""
    members = found.granularity.members(graph)
    if found.named is not None and (missing := [name for name in members if name not in found.named]):
        named = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise user_error("TC137", got=f"nothing of {named}", n=len(missing), total=len(members))


def importer_for(format: str, document: Any) -> Importer:
    """The importer of this name, or, for `auto`, the one that recognises the document. Errors: TC131, TC136."""
    if format in IMPORTERS:
        return IMPORTERS[format]
    if format != AUTO:
        raise unknown_name("TC136", format, (AUTO, *IMPORTERS), where="--format")
    found = [importer for importer in IMPORTERS.values() if importer.recognises(document)]
    if len(found) != 1:
        row, got = "TC131.none", _shape(document)
        if found:
            row, got = "TC131.several", ", ".join(i.name for i in found)
        raise user_error(row, got=got, formats=", ".join(IMPORTERS))
    return found[0]


def _shape(document: Any) -> str:
    if isinstance(document, dict):
        return "an object with " + (", ".join(map(str, list(document)[:5])) or "nothing")
    if isinstance(document, list):
        return f"a list of {type(document[0]).__name__}" if document else "an empty list"
    return type(document).__name__
