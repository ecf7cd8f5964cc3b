"""Wrong calls of `gate`, programs that cannot be used, and faults of ours: what is reported, and no traceback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tracrcheck.calls import finished
from tests.tracrcheck.commands.test_gate import METHODS

ROOT = Path(__file__).parents[3]

WRONG = {
    "unknown program": (["gate", "revers"], "TC101 no program 'revers'\n"),
    "unknown ablation": (
        ["gate", "hist", "--ablation", "zeros"],
        "TC111 no ablation 'zeros'\n    got     zeros\n    wanted  zero, mean, resample, mean_pooled\n"
        "    do      did you mean 'zero'?\n",
    ),
    "unknown criterion": (["certify", "hist", "--criterion", "values"], "TC111 no criterion 'values'\n"),
    "lengths that are none": (
        ["certify", "hist", "--lengths", "3-2"],
        "TC117 --lengths not a range of lengths\n    got     '3-2'\n    wanted  A-B with 1 <= A <= B, such as 2-3\n",
    ),
    "lengths that the program lacks": (["certify", "hist", "--lengths", "90-99"], "TC112 "),
    "unknown method": (
        ["gate", "hist", "--method", "edge_prunning"],
        "TC113 --method no method 'edge_prunning'\n    got     edge_prunning\n"
        "    wanted  a method's name, or module:callable that takes a Task\n    do      did you mean 'edge_pruning' or 'edge_pruning_bounded' or 'edge_pruning_score_function'?\n",
    ),
    "method whose module is not there": (
        ["gate", "hist", "--method", "no_such_module:f"],
        "TC113 --method the method 'no_such_module:f' cannot be imported\n"
        "    got     ModuleNotFoundError: No module named 'no_such_module'\n",
    ),
    "method that its module lacks": (
        ["gate", "hist", "--method", METHODS + "nope"],
        "TC113 --method the method",
    ),
    "method that needs arguments": (
        ["gate", "hist", "--method", METHODS + "NeedsArguments"],
        "TC113 --method the method",
    ),
    "method that cannot be called": (
        ["gate", "hist", "--method", METHODS + "NOT_A_FUNCTION"],
        f"TC113 --method the method '{METHODS}NOT_A_FUNCTION' cannot be called\n    got     a int\n",
    ),
    "unwritable output": (
        ["gate", "hist", "--json", "/no/such/folder/out.json"],
        "TC115 cannot write '/no/such/folder/out.json'\n    got     No such file or directory\n"
        "    wanted  a file in a folder that exists and can be written\n    do      give another path\n",
    ),
    "output that is a folder": (["certify", "hist", "--json", "/tmp"], "TC115 cannot write '/tmp'\n"),
    "a time limit that is none": (
        ["gate", "hist", "--timeout", "nan"],
        "TC117 --timeout not a time limit\n    got     nan\n",
    ),
    "a negative time limit": (
        ["gate", "hist", "--timeout", "-1"],
        "TC117 --timeout not a time limit\n    got     -1.0\n",
    ),
    "a file beside a single draw": (
        ["fuzz", "--number", "5", "--json", "never.json"],
        "TC117 --json an option for a campaign together with one for a single program\n    got     --number\n"
        "    wanted  one or the other\n    do      leave --json out\n",
    ),
    "failures saved in a file": (["fuzz", "--programs", "1", "--save", "/proc/version"], "TC115 "),
    "pins of some": (
        ["certify", "hist", "--write", "p.json"],
        "TC117 --write pins are written for all programs\n",
    ),
    "names and all": (["certify", "hist", "--all"], "TC117 certify names and --all\n"),
    "nothing to certify": (["certify"], "TC117 certify no program to certify\n"),
    "pins that are none": (
        ["certify", "hist", "--check", "/no/such/pins.json"],
        "TC119 /no/such/pins.json not a pins file\n",
    ),
    "a picture of no kind": (
        ["show", "hist", "--out", "x.png"],
        "TC123 --out no picture of kind '.png'\n    got     x.png\n    wanted  .svg, .html or .dot\n",
    ),
    "an edge of no graph": (
        ["explain", "hist", "tok -> a9.h0.q"],
        "EP111 hist no reader 'a9.h0.q' in this graph\n",
    ),
    "text that is no edge": (["explain", "hist", "tok"], "EP112 hist not an edge\n"),
    "an edge against the stream": (
        ["explain", "hist", "m0 -> a0.h0.q"],
        "EP113 hist 'm0 -> a0.h0.q' is not an edge",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_call_is_reported_and_ends_with_2(call, case, here):
    words, start = WRONG[case]
    result = finished(call(*words), 2)
    assert result.stderr.startswith(start)
    assert result.stdout == ""


PROGRAMS = {
    "TC102": {"text": "import no_such_module\n"},
    "TC103": {"text": "x = 1\n"},
    "TC104": {"vocab": "{0, 'compiler_bos'}"},
    "TC105": {"rest": "domain=lambda tokens: False,"},
    "TC106": {"build": "3"},
    "TC108": {
        "build": "rasp.numerical(rasp.Map(lambda t: 1 / t, rasp.numerical(rasp.Map(int, rasp.tokens)), simplify=False))",
    },
    "TC303": {
        "build": "rasp.Aggregate(rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE), rasp.tokens)"
    },
    "TC304": {
        "build": "rasp.Aggregate(rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE), rasp.tokens)",
        "vocab": "{'a', 'b'}",
    },
    "TC321": {"build": "rasp.tokens"},
    "TC110": {"rest": "reference=lambda tokens: tokens,"},
}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        *(("gate", code) for code in PROGRAMS),
        *((c, "TC321") for c in ("certify", "check", "show", "explain")),
    ],
)
def test_a_program_that_cannot_be_used_is_reported_and_ends_with_2(call, write, code, command):
    path = write("bad", **PROGRAMS[code])
    result = finished(call(command, path, *(["tok -> out"] if command == "explain" else [])), 2)
    assert result.stderr.startswith(f"{code} {path}")


def test_the_mistakes_of_all_programs_are_reported_before_anything_runs(call, write):
    one, two = write("one", build="rasp.tokens"), write("two", rest="domain=lambda tokens: False,")
    result = finished(call("gate", "hist", one, two, "--method", METHODS + "hangs"), 2)
    assert re.findall(r"^TC\d+", result.stderr, re.MULTILINE) == ["TC321", "TC105"]


def test_an_internal_error_is_reported_without_a_traceback(call, monkeypatch):
    from tracrcheck.truth import program_check

    def broken(*args):
        raise RuntimeError("ours")

    monkeypatch.setattr(program_check, "prepare", broken)
    assert finished(call("gate", "hist"), 2).stderr.startswith(
        "TC199 a bug in tracrcheck\n    got     RuntimeError: ours"
    )


def test_no_room_for_what_is_printed_is_no_fault_of_ours(here):
    code = "from tracrcheck.cli import main; main()"
    with open("/dev/full", "w") as full:
        run = subprocess.run(
            [sys.executable, "-c", code, "new", "mine"], env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=full,
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert run.returncode == 2
    assert run.stderr.startswith("TC115 cannot write the output\n    got     No space left on device\n")
    assert "Exception ignored" not in run.stderr
