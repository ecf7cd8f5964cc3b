"""A page's blocks run in an empty folder, with a cache of the tests' own."""

from __future__ import annotations

import pytest

from tests.quality.docs.blocks import Page


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def page(cache, tmp_path, monkeypatch) -> Page:
    monkeypatch.setenv("TRACRCHECK_CACHE", str(cache))
    for name in ("TRACRCHECK_DEBUG", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return Page(tmp_path)
