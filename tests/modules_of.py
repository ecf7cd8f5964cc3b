"""Forgets modules that a test wrote and this process imported: another test may use the same names."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType


def forget_modules_of(folder: Path) -> None:
    """Forgets every module that was imported from a folder."""
    for name, module in list(sys.modules.items()):
        # dm-haiku puts an object there that raises ImportError for every name.
        file = getattr(module, "__file__", None) if isinstance(module, ModuleType) else None
        if file is not None and folder in Path(file).parents:
            del sys.modules[name]
