"""tracrcheck plant: what it prints, the file it writes, and what every other command makes of that file."""

from __future__ import annotations

import re

import pytest

from edgeprune_core.weights import Model
from tests.tracrcheck.calls import finished
from tests.tracrcheck.commands.test_gate import RIGHT
from tracrcheck.compiler.compile import compile_program
from tracrcheck.rasp.library import load_file

SIZE = ("--layers", "3", "--heads", "2")


def test_it_says_what_it_made_and_what_was_measured_and_proved(call, here):
    out = finished(
        call("plant", "hist", *SIZE, "--seed", "3", "--ablation", "zero,mean", "--out", "hidden.py"), 0
    )
    out = out.stdout.splitlines()
    assert out[0] == "hist, planted with seed 3: 3 layers x 2 heads, d_model 32, 122 edges"
    assert re.fullmatch(r"  slots       a0\.h0 = a\d\.h\d, m0 = m\d", out[1])
    assert re.fullmatch(r"  distractors 5 heads, 2 MLPs; [1-3] of them near copies", out[2])
    assert re.fullmatch(r"  stream      at most 1\.\d\d times as long as the program's own", out[3])
    leak = re.fullmatch(
        r"  leak        at most (\S+) of the output's range in 16 circuits, the empty one included \(bound (\S+)\)",
        out[4],
    )
    assert 0 < float(leak[1]) <= float(leak[2]) < 1e-9
    assert re.fullmatch(r"  outputs     within \S+e-1\d of the program's", out[5])
    assert out[6:8] == [
        f"  {a:<11} {n} of 6 permitted edges required: sufficient, minimal, smallest, unique"
        for a, n in (("zero", 6), ("mean", 4))
    ]
    assert out[8:] == ["wrote hidden.py; now: tracrcheck gate hidden.py"]


@pytest.fixture
def hidden(call, here):
    """hist, planted with slots chosen by hand."""
    slots = "a0.h0=a1.h1,m0=m2"
    finished(
        call("plant", "hist", *SIZE, "--slots", slots, "--ablation", "zero", "--out", here / "hidden.py"), 0
    )
    return here / "hidden.py"


def test_every_other_command_takes_the_file_for_what_it_is_a_program(call, hidden):
    result = finished(call("certify", hidden, "--ablation", "zero"), 0)
    assert "hidden: zero ablation" in result.stdout
    assert "6 of 6 permitted edges" in result.stdout
    found = re.findall(r"^  (\S+ -> \S+)", result.stdout, re.MULTILINE)
    assert len(found) == 6
    assert all("a1.h1" in edge or "m2" in edge for edge in found)
    assert "interpreter, reference" in finished(call("check", hidden, "--ablation", "zero"), 0).stdout
    assert "a1.h1" in finished(call("show", hidden), 0).stdout
    message = finished(call("explain", hidden, "tok -> a0.h0.v"), 0).stdout
    assert "nothing that the component of a0.h0.v writes reaches out" in message
    assert "distractor: " in message
    finished(call("gate", hidden, "--method", RIGHT, "--ablation", "zero"), 0)


def test_the_gate_recovers_what_is_planted(call, hidden):
    result = finished(call("gate", hidden, "--ablation", "mean", "--seed", "2"), 0)
    assert result.stdout.splitlines()[-1].startswith("1 hold, 0 fail, 0 unknown")


def test_the_file_makes_the_same_model_each_time_and_the_weights_are_those(call, here):
    words = ("plant", "hist", *SIZE, "--ablation", "zero", "--out", "one.py", "--weights", "one.safetensors")
    finished(call(*words), 0)
    digests = {compile_program(load_file(here / "one.py").program).model.digest() for _ in range(2)}
    assert digests == {Model.load(here / "one.safetensors").digest()}


def test_a_users_own_program_is_planted_and_found_again_from_the_file(call, write, here):
    path = write("flip")
    finished(call("plant", path, *SIZE, "--ablation", "zero", "--out", here / "mine" / "flipped.py"), 0)
    text = (here / "mine" / "flipped.py").read_text()
    assert "load_file(Path(__file__).parent / 'flip.py').program" in text
    finished(call("certify", "flipped", "--programs-dir", "mine", "--ablation", "zero"), 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("reverse", "--layers", "3", "--heads", "2"), "TC160 too few layers for the program\n"),
        (("hist", "--layers", "3", "--heads", "1"), "TC160 too few heads to hide one among distractors\n"),
        (("hist", *SIZE, "--d-model", "16"), "TC160 d_model is too small for the program\n"),
        (("hist", *SIZE, "--slots", "m0=m1"), "TC161 components without a slot\n"),
        (("hist", *SIZE, "--slots", "m0"), "TC161 no list of slots\n"),
        (("hist", *SIZE, "--slots", "a0.h0=a7.h0,m0=m1"), "EP111 no writer 'a7.h0' in this graph\n"),
        (("histt", *SIZE), "TC101 no program 'histt'\n"),
        (("hist", *SIZE, "--ablation", "none"), "TC111 no ablation 'none'\n"),
        (("hist", *SIZE, "--out", "hidden.txt"), "TC116 'hidden.txt' is not a valid name for a program file\n"),
        (("hist", *SIZE, "--out", "there.py"), "TC116 'there.py' already exists\n"),
        (("hist", *SIZE, "--out", "no/hidden.py"), "TC115 cannot write 'no/hidden.py'\n"),
        (("hist", *SIZE, "--weights", "no/hidden.safetensors"), "TC115 cannot write 'no/hidden.safetensors'\n"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_reported_and_writes_nothing(call, here, words, message):
    (here / "there.py").write_text("mine")
    result = finished(call("plant", *words), 2)
    assert result.stderr.startswith(message)
    assert [p.name for p in here.iterdir()] == ["there.py"]
    assert (here / "there.py").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--weights", "mine.txt"), "TC116 'mine.txt' already exists"),
        (("--weights", "new.py", "--out", "new.py"), "TC116 --weights two files of one name"),
        (("--out", "reverse.py"), "TC116 there is a program named 'reverse' already"),
    ],
)
def test_no_file_is_written_over_and_no_name_is_taken_twice(call, here, words, message):
    (here / "mine.txt").write_text("mine")
    assert finished(call("plant", "hist", *SIZE, *words), 2).stderr.startswith(message)
    assert [p.name for p in here.iterdir()] == ["mine.txt"]
    assert (here / "mine.txt").read_text() == "mine"
