"""A page's blocks run in an empty folder, with a cache of the tests' own, and with a stand-in for EAP-IG."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from tests.modules_of import forget_modules_of
from tests.quality.docs.blocks import Page
from tests.tracrcheck.peers.conftest import STAND_IN


@pytest.fixture
def page(cache, tmp_path, monkeypatch) -> Iterator[Page]:
    monkeypatch.setenv("TRACRCHECK_CACHE", str(cache))
    for name in ("TRACRCHECK_DEBUG", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    if (
        importlib.util.find_spec("eap") is None
    ):  # the tool is not on PyPI: scores that it once gave are replayed
        monkeypatch.syspath_prepend(str(STAND_IN))
    yield Page(tmp_path)
    forget_modules_of(tmp_path)
