"""The script that trains the shipped subjects, as a module: it stands outside of the packages."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

SCRIPT = Path(__file__).parents[3] / "ci" / "subjects" / "train.py"


@cache
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_subjects", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their own module up
    spec.loader.exec_module(module)
    return module
