"""`tracrcheck gate`: what it prints, and its exit codes."""

from __future__ import annotations

import json
import re
import shlex

import typer

from tests.tracrcheck.calls import finished
from tracrcheck.cli import app

METHODS = "tests.tracrcheck.pruners:"
RIGHT = METHODS + "knows_the_answer"


# gate --------------------------------------------------------------------------------------------------


def test_a_method_that_is_right_passes_the_gate(call):
    result = finished(
        call("gate", "hist", "xproportion", "--method", RIGHT, "--ablation", "zero", "--seeds", "2"), 0
    )
    lines = [" ".join(line.split()[:8]) for line in result.stdout.splitlines()]
    assert lines[0] == "criterion value"
    assert lines[1].startswith("program ablation verdict required found holds")
    assert lines[2:4] == ["hist zero HOLDS 6 6 2 of 2", "xproportion zero HOLDS 5 5 2 of 2"]
    assert result.stdout.splitlines()[-1].startswith("4 hold, 0 fail, 0 unknown, 0 vacuous; ")


def test_a_wrong_circuit_fails_the_gate_with_everything_needed_to_replay_it(call):
    result = finished(
        call("gate", "hist", "--method", METHODS + "nothing_kept", "--ablation", "resample", "--seed", "3"), 1
    )
    block = result.stdout[result.stdout.index("FAILS hist,") :].splitlines()
    assert block[0] == f"FAILS hist, resample, value, {METHODS}nothing_kept, seed 3: unfaithful"
    assert re.match(r"    missing \d+: ", block[1])
    assert block[2].startswith("    witness input ['a', 'a'], corrupted by ['a', 'b'], position 1: want ")
    assert block[3] == (
        f"    replay  tracrcheck gate hist --ablation resample --criterion value --method {METHODS}nothing_kept --seed 3"
    )


def test_edge_scores_are_reported_in_the_table_and_in_the_block_of_a_failure(call):
    words = ["gate", "hist", "--ablation", "zero", "--method"]
    result = finished(call(*words, METHODS + "scores_all_but_one"), 1)
    assert result.stdout.splitlines()[1].split()[-2:] == ["AUROC", "seconds"]
    assert result.stdout.splitlines()[2].split()[-2] == "1.000"
    assert (
        "    scores  precision 1.000, recall 0.833, F1 0.909; AUROC 1.000, average precision 1.000; "
        "a threshold on the scores is exact\n" in result.stdout
    )
    assert "AUROC" not in finished(call(*words, METHODS + "nothing_kept"), 1).stdout


def test_ablations_may_be_repeated_joined_by_commas_or_all(call, here):
    for words in (["--ablation", "zero", "--ablation", "mean"], ["--ablation", "zero,mean"], []):
        finished(call("gate", "hist", "--method", RIGHT, *words, "--json", "out.json"), 0)
        ablations = [v["ablation"] for v in json.loads((here / "out.json").read_text())["verdicts"]]
        assert ablations == (["zero", "mean"] if words else ["zero", "mean", "resample"])


def test_the_other_options_reach_the_setting(call, here):
    words = ["--ablation", "zero", "--lengths", "4-4", "--criterion", "decoded", "--json", "out.json"]
    finished(call("gate", "reverse", "--method", METHODS + "nothing_kept", "--score-bos", *words), 1)
    (verdict,) = json.loads((here / "out.json").read_text())["verdicts"]
    assert verdict["criterion"] == "decoded"
    assert len(verdict["witness"]["input"]) == 4


def test_a_verdict_against_a_sampled_truth_says_so_everywhere(call, here):
    words = ["gate", "hist", "--ablation", "zero,resample", "--inputs", "200", "--method", RIGHT]
    files = [word for kind in ("json", "html", "junit", "md") for word in (f"--{kind}", f"out.{kind}")]
    result = finished(call(*words, *files), 0)
    sample = re.search(r"sampled (200 of [\d,]+)", result.stdout)[1]
    head, zero, resample = (" ".join(line.split()) for line in result.stdout.splitlines()[1:4])
    assert " verdict truth required " in head
    assert (" HOLDS proved " in zero, f" HOLDS sampled {sample} " in resample) == (True, True)
    assert "2 hold, 0 fail, 0 unknown, 0 vacuous; 1 of them against a sampled truth; " in result.stdout
    record = json.loads((here / "out.json").read_text())
    assert [verdict["sampled"] for verdict in record["verdicts"]] == [None, sample.replace(",", "")]
    assert (record["summary"]["sampled"], record["run"]["asked"]["inputs"]) == (1, 200)
    assert (
        f"<system-out>against a truth that is sampled {sample}</system-out>"
        in (here / "out.junit").read_text()
    )
    for page in ("out.html", "out.md"):
        assert "1 of them against a sampled truth" in (here / page).read_text(), page
    assert f"sampled {sample}" in (here / "out.html").read_text()


def test_a_failure_against_a_sampled_truth_says_so_and_its_replay_uses_the_same_inputs(call):
    words = ["--ablation", "resample", "--inputs", "200", "--method", METHODS + "nothing_kept"]
    block = finished(call("gate", "hist", *words), 1).stdout.split("FAILS hist,")[1]
    assert re.search(r"\n    truth   sampled 200 of [\d,]+: not proved on the whole list\n", block)
    assert re.search(r"\n    replay  tracrcheck gate hist .* --inputs 200\n", block)


def test_a_truth_on_the_whole_list_is_not_called_sampled(call):
    result = finished(call("gate", "hist", "--ablation", "zero", "--inputs", "all", "--method", RIGHT), 0)
    assert "sampled" not in result.stdout


def test_one_seed_that_raises_does_not_stop_the_others(call):
    result = finished(
        call(
            "gate", "hist", "--method", METHODS + "only_for_even_seeds", "--ablation", "zero", "--seeds", "3"
        ),
        1,
    )
    assert "2 hold, 1 fail" in result.stdout
    assert "seed 1: raised\n    detail  ValueError: odd" in result.stdout


def test_foreign_edges_fail_the_verdict_and_the_call(call):
    result = finished(
        call("gate", "hist", "reverse", "--method", METHODS + "foreign", "--ablation", "zero"), 2
    )
    assert result.stderr.splitlines()[:4] == [
        f"TC114 zero, seed 0: the method '{METHODS}foreign' returns edges that 'hist' does not have",
        "    got     no such edges: a7.h3 -> out",
        "    wanted  edges of `task.graph`",
        "    do      return edges of `task.graph.edges`, or their text",
    ]
    assert "0 hold, 2 fail" in result.stdout


def test_a_method_that_hangs_is_stopped_after_the_time_given(call):
    result = finished(
        call("gate", "hist", "--method", METHODS + "hangs", "--ablation", "zero", "--timeout", "0.2"), 1
    )
    assert "timeout" in result.stdout


def test_an_interrupted_gate_keeps_what_was_finished(call, here):
    words = ["--ablation", "zero", "--seeds", "3", "--json", "out.json"]
    result = finished(call("gate", "hist", "--method", METHODS + "interrupted", *words), 130)
    assert [v["seed"] for v in json.loads((here / "out.json").read_text())["verdicts"]] == [0]
    assert "1 of 1" in result.stdout
    assert "interrupted" in result.stderr


def test_verdicts_that_are_missing_at_the_end_fail_the_gate(call, here, monkeypatch):
    from tracrcheck.runs import gate

    monkeypatch.setattr(gate, "gate", lambda *a, **k: iter(()))
    result = finished(call("gate", "hist", "--method", RIGHT, "--ablation", "zero", "--json", "out.json"), 1)
    assert "0 hold, 0 fail" in result.stdout
    assert result.stderr == "1 of 1 verdicts are missing\n"
    assert not json.loads((here / "out.json").read_text())["run"]["finished"]


def test_a_full_disk_is_no_missing_folder(call, here, monkeypatch):
    from tracrcheck.reports import files

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.atomic_write, "write_whole", full)
    result = finished(call("plan", "--model", "gpt2", "--json", "out.json"), 2)
    assert result.stderr == (
        "TC115 cannot write 'out.json'\n    got     No space left on device\n"
        "    wanted  room for it\n    do      make room, or write elsewhere\n"
    )


def test_unknown_verdicts_can_be_allowed_and_it_says_so(call, monkeypatch):
    from tracrcheck.runs import gate_units
    from tracrcheck.truth import cache

    def undecided(*args, **named):
        from dataclasses import replace

        return replace(
            cache.certificate_of(*args, **named), proved=(), unknown={"sufficient": "a narrow gap"}
        )

    monkeypatch.setattr(gate_units, "certificate_of", undecided)
    words = ["gate", "hist", "--method", RIGHT, "--ablation", "zero"]
    assert "1 unknown" in finished(call(*words), 1).stdout
    assert "(unknown verdicts allowed)" in finished(call(*words, "--allow-unknown"), 0).stdout


def test_a_method_of_the_current_folder_is_found(call, here):
    (here / "my_method_of_here.py").write_text("def find(task):\n    return []\n")
    finished(call("gate", "hist", "--method", "my_method_of_here:find", "--ablation", "zero"), 1)


def test_a_method_may_be_a_type(call):
    finished(call("gate", "hist", "--method", METHODS + "Record", "--ablation", "zero"), 0)


def test_own_programs_are_gated_when_none_is_named(call, write):
    folder = write("flip").parent
    result = finished(call("gate", "--programs-dir", folder, "--method", RIGHT, "--ablation", "zero"), 0)
    assert "flip" in result.stdout
    assert "1 hold" in result.stdout


def test_a_program_given_by_path_is_replayed_by_path(call, write):
    path = write("flip")
    result = finished(call("gate", path, "--method", METHODS + "nothing_kept", "--ablation", "zero"), 1)
    assert f"replay  tracrcheck gate {path} --ablation zero" in result.stdout


# Options that do not affect a single verdict, and `--model`: a replay names the model as it names a program.
OF_THE_RUN = {
    "--json", "--html", "--junit", "--md", "--jobs", "--cluster", "--resume", "--profile", "--seeds", "--baseline", "--slower",
    "--allow-known", "--allow-unknown", "--model",
}  # fmt: skip


def test_what_a_verdict_depends_on_is_in_its_replay_and_the_replay_gives_it_again(call, write):
    folder = write("flip").parent
    asked = ["--criterion", "decoded", "--seed", "3", "--lengths", "1-2", "--score-bos", "--judge", "ranking"]
    asked += [
        "--select",
        "top_n:2",
        "--timeout",
        "900",
        "--memory",
        "4096",
        "--in-process",
        "--inputs",
        "5",
        "--halves",
    ]
    words = ["gate", "flip", "--ablation", "zero", "--method", METHODS + "as_discovery"]
    words += ["--programs-dir", str(folder), "--robust"]
    options = typer.main.get_command(app).commands["gate"].params  # type: ignore[attr-defined]
    bearing = {one.opts[0] for one in options if one.param_type_name == "option"} - OF_THE_RUN - {"--help"}
    assert {word for word in (*words, *asked) if word.startswith("--")} == bearing
    result = finished(call(*words, *asked), 1)
    (line,) = (line for line in result.stdout.splitlines() if "replay  " in line)
    replay = shlex.split(line.partition("replay  ")[2])
    assert sorted(replay) == sorted(["tracrcheck", *words, *asked])
    again = finished(call(*replay[1:]), 1).stdout
    blocks = [text[text.index("FAILS flip,") :].partition("\n\n")[0] for text in (result.stdout, again)]
    assert blocks[0] == blocks[1]


def test_a_narrow_output_folds_and_loses_nothing(call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    result = finished(call("gate", "hist", "--method", RIGHT, "--ablation", "zero"), 0)
    assert "…" not in result.stdout
    assert max(map(len, result.stdout.splitlines()[:-1])) <= 40
