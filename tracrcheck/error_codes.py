"""The errors of `tracrcheck`; their texts are in `error_codes.toml`, those of Tracr's compiler in `compiler/tracr_bugs.py`."""

from __future__ import annotations

from pathlib import Path

from edgeprune_core import error_codes as engine
from edgeprune_core.errors import ErrorTable

TABLE = ErrorTable(Path(__file__).with_suffix(".toml"), others=engine.TABLE)
user_error, unknown_name = TABLE.error, TABLE.unknown
