"""The command line and a cache of the tests' own, as for the other commands."""

from __future__ import annotations

from tests.surfaces.conftest import _own_cache, cache, call, here  # noqa: F401
