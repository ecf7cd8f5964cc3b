"""The errors of `edgeprune_core`; their texts are in `error_codes.toml`."""

from __future__ import annotations

from pathlib import Path

from edgeprune_core.errors import ErrorTable

TABLE = ErrorTable(Path(__file__).with_suffix(".toml"))
user_error, unknown_name = TABLE.error, TABLE.unknown
