"""A wrong name, and a file that cannot be read, is refused before torch, jax or dask is loaded, which takes a second or more."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

CALLS = [
    (["gate", "hist", "--method", "wrong"], "TC113"),
    (["gate", "hist", "--ablation", "wrong"], "TC111"),
    (["gate", "hist", "--criterion", "wrong"], "TC111"),
    (["gate", "hist", "--profile", "wrong"], "TC117"),
    (["gate", "wrong"], "TC101"),
    (["fuzz", "--method", "wrong"], "TC113"),
    (["certify", "hist", "--ablation", "wrong"], "TC111"),
    (["show", "hist", "--criterion", "wrong"], "TC111"),
    (["check", "hist", "--ablation", "wrong"], "TC111"),
    (["explain", "hist", "wrong"], "EP112"),
    (["grade", "wrong.json", "--program", "hist", "--ablation", "wrong"], "TC111"),
    (["discover", "--task", "wrong"], "TC171"),
    (["discover", "--task", "ioi", "--method", "wrong"], "TC113"),
    (["discover", "--task", "ioi", "--ablation", "wrong"], "TC117"),
    (["tasks", "wrong"], "TC171"),
    (["compare", "--task", "wrong"], "TC171"),
    (["compare", "--task", "ioi", "--methods", "acdc,wrong"], "TC113"),
    (["faithfulness", "wrong.json", "--task", "ioi", "--metric", "wrong"], "TC113"),
    (["overlap", "a.json", "b.json", "--task-a", "ioi", "--task-b", "wrong"], "TC171"),
    (["recheck", "wrong.json"], "TC143"),
    (["report", "wrong.json"], "TC143"),
    (["certify", "--all", "--check", "wrong.json"], "TC119"),
    (["programs", "--pins", "missing.json"], "TC119"),
]

# One process for all: the call after which torch is loaded is the one that loaded it.
SCRIPT = """
import contextlib, io, json, sys
from tracrcheck.cli import app

found = []
for words in json.loads(sys.argv[1]):
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        code = app(words, standalone_mode=False)
    loaded = [name for name in ("torch", "jax", "distributed") if name in sys.modules]
    found.append((code, errors.getvalue().split(" ")[0], loaded))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calls")
    (folder / "wrong.json").write_text("{}")
    words = json.dumps([words for words, _ in CALLS])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, words], cwd=folder, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("number", range(len(CALLS)), ids=[" ".join(words) for words, _ in CALLS])
def test_a_wrong_name_is_refused_and_nothing_heavy_is_loaded(answers, number):
    assert answers[number] == [2, CALLS[number][1], []]
