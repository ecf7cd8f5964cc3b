"""The command line: what it prints, and its exit codes. No mistake of the user's gives a traceback."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys

import pytest
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
    assert lines[1].startswith("program ablation required found holds verdict")
    assert lines[2:4] == ["hist zero 6 6 2 of 2 HOLDS", "xproportion zero 5 5 2 of 2 HOLDS"]
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
    sample = re.search(r"sampled (200 of \d+)", result.stdout)[1]
    head, zero, resample = (" ".join(line.split()) for line in result.stdout.splitlines()[1:4])
    assert " verdict truth vacuous " in head
    assert (" HOLDS proved " in zero, f" HOLDS sampled {sample} " in resample) == (True, True)
    assert "2 hold, 0 fail, 0 unknown, 0 vacuous; 1 of them against a sampled truth; " in result.stdout
    record = json.loads((here / "out.json").read_text())
    assert [verdict["sampled"] for verdict in record["verdicts"]] == [None, sample]
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
    assert re.search(r"\n    truth   sampled 200 of \d+: not proved on the whole list\n", block)
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


# What has no bearing on a single verdict; and a model, which stands in a replay as a program does.
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


# Wrong calls -------------------------------------------------------------------------------------------

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
        "TC117 --lengths no range of lengths\n    got     '3-2'\n    wanted  A-B with 1 <= A <= B, such as 2-3\n",
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
        "TC117 --timeout no time limit\n    got     nan\n",
    ),
    "a negative time limit": (
        ["gate", "hist", "--timeout", "-1"],
        "TC117 --timeout no time limit\n    got     -1.0\n",
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


def test_no_room_for_what_is_printed_is_no_fault_of_ours():
    code = "from tracrcheck.cli import main; main()"
    with open("/dev/full", "w") as full:
        run = subprocess.run(
            [sys.executable, "-c", code, "plan", "--model", "gpt2"], stdout=full, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip
    assert run.returncode == 2
    assert run.stderr.startswith("TC115 cannot write the output\n    got     No space left on device\n")
    assert "Exception ignored" not in run.stderr


# programs, certify, and the rest -----------------------------------------------------------------------


def test_the_programs_are_listed(call):
    result = finished(call("programs"), 0)
    rows = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert len(rows) >= 49
    assert rows["reverse"].split() == ["reverse", "a", "b", "c", "4", "4", "x", "1", "94"]
    assert rows["shuffle_dyck2"].endswith("2,102")


def test_a_broken_file_among_the_programs_is_reported_after_the_list(call, write):
    folder = write("bad", text="x = 1\n").parent
    result = finished(call("programs", "--programs-dir", folder), 2)
    assert "reverse" in result.stdout
    assert result.stderr.startswith("TC103 ")


@pytest.mark.parametrize(
    ("words", "n_required"),
    [
        ("reverse --ablation zero --lengths 2-3", 11),
        ("reverse --ablation zero --lengths 4-4", 9),
        ("reverse --ablation resample --lengths 4-4", 2),
        ("xproportion --ablation zero", 5),
        ("xproportion --ablation zero --score-bos", 7),
        ("xproportion --ablation resample --lengths 4", 3),
    ],
)
def test_certify_gives_the_published_lists_in_their_settings(call, here, words, n_required):
    result = finished(call("certify", *words.split(), "--json", "c.json"), 0)
    (certificate,) = json.loads((here / "c.json").read_text())["certificates"]
    assert len(certificate["required"]) == n_required
    assert certificate["proved"] == ["sufficient", "minimal", "smallest", "unique"]
    assert f"required  {n_required} of" in result.stdout


def test_certify_prints_what_each_edge_joins(call):
    result = finished(call("certify", "reverse", "--ablation", "resample"), 0)
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "tok -> a3.h0.v tokens reverse = aggregate(reverse_selector, tokens)" in lines
    assert "a3.h0 -> out reverse = aggregate(reverse_selector, tokens) the output" in lines


def test_certify_shows_the_other_circuit_where_there_are_several(call):
    result = finished(call("certify", "either_of_two_heads", "--ablation", "zero"), 0)
    assert "unique: no: several smallest circuits" in result.stdout
    assert "  another   " in result.stdout


def test_certify_ends_with_1_where_nothing_is_proved(call, monkeypatch):
    from dataclasses import replace

    from tracrcheck.truth import cache

    real = cache.certificate_of
    monkeypatch.setattr(
        cache,
        "certificate_of",
        lambda *a: replace(real(*a), proved=(), unknown={"sufficient": "a narrow gap"}),
    )
    result = finished(call("certify", "hist", "--ablation", "zero"), 1)
    assert result.stderr == "UNKNOWN hist, zero, value: UNKNOWN(a narrow gap)\n"
    assert "proved    nothing" in result.stdout


def test_help_and_version_load_neither_torch_nor_jax():
    code = (
        "import sys, tracrcheck.cli\n"
        "heavy = {'torch', 'jax', 'numpy', 'tracr'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "tracrcheck.cli.app(['--version'])\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False
    )
    assert (found.returncode, found.stdout) == (0, "tracrcheck 0.1.0\n"), found.stderr


@pytest.mark.parametrize("command", ["gate", "fuzz", "plant", "certify", "recheck"])
def test_help_has_a_short_name_too(call, command):
    assert finished(call(command, "-h"), 0).stdout == finished(call(command, "--help"), 0).stdout


@pytest.mark.parametrize("seed", ["-1", "99999999999999999999"])
@pytest.mark.parametrize("command", ["gate", "fuzz", "plant"])
def test_a_seed_that_no_generator_takes_is_a_wrong_call(call, command, seed):
    more = ["hist", "--layers", "1", "--heads", "1"] if command == "plant" else []
    result = finished(call(command, *more, "--seed", seed), 2)
    assert "--seed" in result.stderr


@pytest.mark.parametrize(
    "words", [["invariants"], ["gate", "hist"], ["compare", "--task", "ioi"]], ids=lambda w: w[0]
)
def test_more_seeds_than_can_be_listed_are_a_wrong_call(call, words):
    result = finished(call(*words, "--seeds", "1" + 20 * "0"), 2)
    assert "less than or equal to 1000000" in " ".join(result.stderr.split())
