"""Modules that a test wrote and this process imported: another test may have some of the same names."""

from __future__ import annotations

import sys
from pathlib import Path


def forget_modules_of(folder: Path) -> None:
    """Forgets every module that was imported from a folder."""
    for name, module in list(sys.modules.items()):
        file = vars(module).get("__file__")  # `getattr` asks lazy modules, and some refuse
        if file is not None and folder in Path(file).parents:
            del sys.modules[name]
