"""The formats of circuits made elsewhere, by name; a document is read by the one that recognises it."""

from __future__ import annotations

from typing import Any

from tracrcheck.error_codes import unknown_name, user_error
from tracrcheck.importers.acdc import Acdc
from tracrcheck.importers.autocircuit import AutoCircuit
from tracrcheck.importers.base import Imported, Importer
from tracrcheck.importers.eap_ig import EapIg
from tracrcheck.importers.edge_pruning import EdgePruningCode, WithoutEmbeddings
from tracrcheck.importers.native import Native

IMPORTERS: dict[str, Importer] = {
    importer.name: importer
    for importer in (Native(), EdgePruningCode(), WithoutEmbeddings(), Acdc(), AutoCircuit(), EapIg())
}
AUTO = "auto"

__all__ = ["AUTO", "IMPORTERS", "Imported", "Importer", "importer_for"]


def importer_for(format: str, document: Any) -> Importer:
    """By name; or, for `auto`, the one that recognises the document. Errors: TC131, TC136."""
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
