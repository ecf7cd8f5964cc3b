"""tracrcheck plant --family gpt2: the folder it writes, and what every other command makes of it."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from typer.testing import CliRunner

from tests.tracrcheck.calls import finished
from tests.tracrcheck.commands.test_gate import METHODS
from tracrcheck.cli import app

FILES = {
    "README.md", "config.json", "model.safetensors", "pairs.jsonl", "program.py", "tokenizer.json", "tokenizer_config.json",
    "truth.json",
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """slow_motion in a GPT-2 of its own size, and what the command printed."""
    folder = tmp_path_factory.mktemp("made") / "my d"
    result = CliRunner().invoke(app, ["plant", "slow_motion", "--family", "gpt2", "--out", str(folder)])
    return folder, finished(result, 0).stdout.splitlines()


@pytest.fixture
def planted(made, here):
    """A copy of the folder in the current one, as `d`."""
    shutil.copytree(made[0], here / "d")
    return made[1]


def test_it_says_what_was_run_and_writes_the_folder(planted, made):
    assert re.fullmatch(
        r"slow_motion, planted with seed 0 in a GPT-2: 1 layers x 1 heads, d_model \d+, \d+ edges", planted[0]
    )
    assert re.match(
        r"  resample    \d edges required, run on 1,364 pairs: sufficient, minimal; the weakest is",
        planted[5],
    )
    assert re.match(
        r"  mean        \d edges required, run on 62 inputs: sufficient, minimal; the weakest is", planted[6]
    )
    assert planted[7] == f"wrote {made[0]}; now: tracrcheck gate '{made[0]}'"
    assert {path.name for path in made[0].iterdir()} == FILES
    assert [path.name for path in made[0].parent.iterdir()] == ["my d"]


@pytest.mark.usefixtures("planted")
def test_the_gate_judges_a_method_on_the_folder_under_the_ablations_whose_truth_is_known(call):
    words = ("gate", "--model", "d", "--in-process", "--method")
    result = finished(call("gate", "d", "--in-process", "--method", METHODS + "nothing_kept"), 1)
    rows = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("slow_motion_gpt2 ")]
    assert rows == ["resample", "mean"]
    assert "FAILS slow_motion_gpt2, resample, value, " in result.stdout
    assert "replay  tracrcheck gate d --ablation resample" in result.stdout
    everything = finished(call(*words, METHODS + "everything"), 1).stdout
    assert ": not_smallest\n" in everything, "faithful, and with more edges than the required ones"
    refused = finished(call(*words, METHODS + "nothing_kept", "--ablation", "zero"), 2)
    assert refused.stderr.startswith("TC164 no truth of 'slow_motion_gpt2' is known in this setting\n")


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("words", [("--lengths", "2-3"), ("--score-bos",), ("--criterion", "decoded")])
def test_a_truth_is_that_of_its_setting_alone(call, words):
    result = finished(call("gate", "d", "--in-process", "--method", METHODS + "nothing_kept", *words), 2)
    assert result.stderr.startswith("TC164 no truth of 'slow_motion_gpt2' is known in this setting\n")


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("tool", ["tracrcheck", "edge_pruning"])
def test_a_circuit_that_another_tool_found_in_the_checkpoint_is_graded(call, here, tool):
    required = json.loads((here / "d" / "truth.json").read_text())["truths"]["mean"]["required"][tool]
    (here / "found.json").write_text(json.dumps(required))
    result = finished(call("grade", "found.json", "--model", "d", "--ablation", "mean"), 0)
    assert "1 hold, 0 fail, 0 unknown" in result.stdout


@pytest.mark.usefixtures("planted")
def test_a_trained_models_commands_take_it(call):
    words = ("--model", "d", "--task", "d/pairs.jsonl", "--prompts", "8", "--draws", "2", "--method", "eap")
    assert "wanted: " in finished(call("discover", *words), 0).stdout


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("name", ["model.safetensors", "truth.json"])
def test_a_file_that_is_missing_or_changed_is_named(call, here, name):
    path = here / "d" / name
    content = path.read_bytes()
    path.write_bytes(content[:-2] + b" \n")
    changed = finished(call("gate", "d"), 2).output
    assert re.match(
        rf"TC165 \S+d/{name} a file of the planted model is not the one that was written\n", changed
    )
    path.unlink()
    missing = finished(call("gate", "d"), 2).output
    assert re.match(rf"TC165 \S+d/{name} a file of the planted model cannot be read\n", missing)


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize(
    ("gone", "words", "error"),
    [
        ("config.json", ("gate", "d"), r"TC165 \S+d/config.json a file of the planted model cannot be read"),
        ("program.py", ("gate", "d"), "TC165 d/program.py a file of the planted model cannot be read"),
        (
            "config.json",
            ("discover", "--model", "d", "--task", "d/pairs.jsonl"),
            "EP177 d/config.json cannot read",
        ),
        (
            "model.safetensors",
            ("discover", "--model", "d", "--task", "d/pairs.jsonl"),
            "EP177 d no safetensors",
        ),
        (
            "tokenizer.json",
            ("discover", "--model", "d", "--task", "d/pairs.jsonl"),
            "EP189 d no tokenizer of this model",
        ),
        (
            "pairs.jsonl",
            ("discover", "--model", "d", "--task", "d/pairs.jsonl"),
            "TC171 --task no task 'd/pairs.jsonl'",
        ),
    ],
)
def test_a_folder_with_a_file_missing_is_refused_by_each_command_that_needs_it(
    call, here, gone, words, error
):
    (here / "d" / gone).unlink()
    shown = finished(call(*words), 2).stderr
    assert re.match(error, shown), shown
    assert all(f"    {part}" in shown for part in ("got ", "wanted "))


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--family", "llama", "--out", "d"), "TC160 --family no family 'llama' to plant a program in"),
        (("--family", "gpt2"), "TC160 --out a checkpoint is a folder"),
        (("--family", "gpt2", "--out", "taken"), "TC116 'taken' already exists"),
        (("--family", "gpt2", "--out", "no/d"), "TC115 cannot write 'no/d'"),
        (
            ("--family", "gpt2", "--out", "d", "--d-head", "9"),
            "TC166 --family options that have no meaning for a",
        ),
        (
            ("--family", "gpt2", "--out", "d", "--ablation", "zero"),
            "TC160 --ablation the truth of a GPT-2 is not",
        ),
        (("--family", "gpt2", "--out", "d", "--d-model", "3"), "TC160 the stream cannot have this width"),
        (("--layers", "3"), "TC160 a large model has layers and heads"),
    ],
)
def test_a_wrong_call_is_refused_and_nothing_is_written(call, here, words, error):
    (here / "taken").mkdir()
    (here / "taken" / "file").touch()
    assert finished(call("plant", "slow_motion", *words), 2).stderr.startswith(error)
    assert [path.name for path in here.iterdir()] == ["taken"]


def test_a_truth_that_does_not_carry_over_leaves_no_folder(call, here, monkeypatch):
    from tracrcheck.planted import gpt2

    monkeypatch.setattr(gpt2, "BALLAST", 3.0)
    result = finished(call("plant", "slow_motion", "--family", "gpt2", "--out", "d"), 2)
    assert result.stderr.startswith("TC164 the GPT-2 does not give the outputs of 'slow_motion'")
    assert not list(here.iterdir())


def test_a_users_own_program_travels_with_the_folder(call, here, write):
    path = write("flip", rest="causal=True,")
    finished(call("plant", path, "--family", "gpt2", "--out", "d"), 0)
    path.unlink()
    (here / "d").rename(here / "elsewhere")
    assert "torch: agree" in finished(call("check", "elsewhere"), 0).stdout


@pytest.mark.usefixtures("planted")
def test_results_on_it_are_checked_again_where_the_folder_is_among_the_programs(call, here):
    words = ("--in-process", "--method", METHODS + "nothing_kept", "--ablation", "mean", "--json", "out.json")
    finished(call("gate", "d", *words), 1)
    result = finished(call("recheck", "out.json", "--programs-dir", "."), 0)
    assert "1 of 1" in result.stdout
