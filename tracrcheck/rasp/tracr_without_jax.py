"""Tracr's compiler passes without JAX: they are plain NumPy, but `tracr.compiler` imports its Haiku assembler with them.

JAX, Haiku and chex take longer to import than a certified program takes to judge, and only the oracle route
(`compiler/haiku.py`) runs them. `defer_jax` puts a package in the place of `tracr.compiler` that imports each submodule
when it is imported, and runs Tracr's own `__init__` at the first use of anything else. Call it before importing from
`tracr.compiler`; where that is imported already, it does nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

PACKAGE = "tracr.compiler"


class _Deferred(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        if not name.startswith("__") and find_spec(f"{PACKAGE}.{name}") is not None:
            return import_module(f"{PACKAGE}.{name}")
        self.__class__ = ModuleType  # type: ignore[assignment]
        assert self.__spec__ is not None
        assert self.__spec__.loader is not None
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def defer_jax() -> None:
    if PACKAGE in sys.modules:
        return
    try:
        spec = find_spec(PACKAGE)
    except ModuleNotFoundError:  # no Tracr: the code that imports it reports that
        return
    assert spec is not None
    module = module_from_spec(spec)
    module.__class__ = _Deferred
    sys.modules[PACKAGE] = module
    setattr(import_module("tracr"), "compiler", module)  # noqa: B010 - mypy knows no such attribute
