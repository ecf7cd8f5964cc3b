"""The errors of `tracrcheck`; their texts are in `error_codes.toml`, those of Tracr's compiler in `compiler/tracr_bugs.py`."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from edgeprune_core import error_codes as engine
from edgeprune_core.errors import CheckError, ErrorTable

TABLE = ErrorTable(Path(__file__).with_suffix(".toml"), others=engine.TABLE)
user_error, unknown_name = TABLE.error, TABLE.unknown

# A disk, a quota or a device that takes no more.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def unwritable(path: Any, error: Exception, **texts: str) -> CheckError:
    """TC115 with what the system said, and what to do about it: a full disk is no wrong path. texts: as in the table."""
    if getattr(error, "errno", None) in FULL:
        texts |= {"wanted": "room for it", "do": "make room, or write elsewhere"}
    return user_error("TC115", got=getattr(error, "strerror", None) or error, path=path, **texts)
