"""A cache of the tests' own, a command line called in this process, and program files written on the spot."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.modules_of import forget_modules_of
from tracrcheck.cli import app


@pytest.fixture(autouse=True)
def _own_cache(cache, monkeypatch):
    monkeypatch.setenv("TRACRCHECK_CACHE", str(cache))
    for name in ("TRACRCHECK_DEBUG", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    """As if no method had run in this process: other tests run some."""
    from tracrcheck.processes.clean import _Here

    monkeypatch.setattr(_Here, "clean", True)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Iterator[Path]:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    forget_modules_of(tmp_path)


@pytest.fixture
def call():
    """`call("gate", "reverse")`: exit_code, stdout, stderr."""

    def run(*words: str):
        return CliRunner().invoke(app, [str(w) for w in words])

    return run


GOOD = """
    from tracr.rasp import rasp
    from tracrcheck import Program

    program = Program(
        name="{name}",
        build=lambda: {build},
        vocab={vocab},
        max_seq_len={max_seq_len},
        {rest}
    )
"""


@pytest.fixture
def write(here):
    """Writes a program file from parts, or from text; returns its path."""

    def put(name="flip", *, text=None, build="rasp.Map(lambda t: 1 - t, rasp.tokens)", vocab="{0, 1}",
            max_seq_len=2, rest="", folder="mine"):  # fmt: skip
        path = here / folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        whole = GOOD if text is None else text
        parts = {"name": name, "build": build, "vocab": vocab, "max_seq_len": max_seq_len, "rest": rest}
        path.write_text(textwrap.dedent(whole.format(**parts) if text is None else whole))
        return path

    return put
