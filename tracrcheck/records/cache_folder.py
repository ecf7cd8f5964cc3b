"""The folder of what is kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`TRACRCHECK_CACHE`, else `XDG_CACHE_HOME`/tracrcheck, else ~/.cache/tracrcheck."""
    if own := os.environ.get("TRACRCHECK_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path(os.path.expanduser("~")) / ".cache") / "tracrcheck"
