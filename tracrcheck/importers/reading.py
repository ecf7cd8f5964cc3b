"""A circuit's file, of any format that is imported, as edges of a graph."""

from __future__ import annotations

import json
from pathlib import Path

from edgeprune_core.errors import CheckError
from edgeprune_core.graph import ResidualGraph
from tracrcheck.error_codes import user_error
from tracrcheck.importers import Imported, importer_for


def read_file(path: Path, graph: ResidualGraph, *, format: str, threshold: float | None) -> Imported:
    """Errors: TC131 (no JSON, or of no format), TC132-TC136 (see `importers`)."""
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise user_error("TC131.file", got=error.strerror or error, path=path) from None
    except (ValueError, RecursionError) as error:
        got = f"{type(error).__name__}: {error}"
        raise user_error("TC131.json", got=got, path=path) from None
    try:
        return importer_for(format, document).read(document, graph, threshold=threshold)
    except CheckError as error:
        raise error.at(str(path)) from None
