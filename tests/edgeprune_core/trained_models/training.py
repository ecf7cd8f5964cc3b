"""The scripts that train the shipped models, imported as modules: they are not part of the packages."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

SCRIPT = Path(__file__).parents[3] / "ci" / "subjects" / "train.py"


@cache
def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPT.with_name(f"{name}.py"))
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = (
        found  # dataclasses look up their own module, and the script looks up the one of the card
    )
    spec.loader.exec_module(found)
    return found


model_card = module("model_card")


def script() -> ModuleType:
    return module("train")
