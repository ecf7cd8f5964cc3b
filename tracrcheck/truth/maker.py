"""Makes certificates in a process that never runs a method, for one that has."""

from __future__ import annotations

import os
from typing import Any

from edgeprune_core.errors import CheckError
from tracrcheck.processes.packing import unpacked
from tracrcheck.truth.cache import certificate_for, to_record


def handle(request: bytes) -> dict[str, Any]:
    """request: a task, a setting, limits, and the folder of the cache."""
    task, setting, limits, os.environ["TRACRCHECK_CACHE"] = unpacked(request)
    try:
        return {"certificate": to_record(certificate_for(task, setting, limits=limits))}
    except CheckError as error:
        return {"error": error.parts}
