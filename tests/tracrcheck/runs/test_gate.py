"""Runs of the gate at scale: profiles, several processes, several sittings, two versions compared."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tracrcheck.calls import finished

METHODS = "tests.tracrcheck.pruners:"
SOME = METHODS + "some_edges"
ROOT = Path(__file__).parents[3]


def document(path="out.json"):
    return json.loads(Path(path).read_text())


def verdicts(path="out.json"):
    """But for the time they took."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in document(path)["verdicts"]]


def edit(path, change):
    found = document(path)
    change(found)
    Path(path).write_text(json.dumps(found))


def process(*words, cwd):
    """The gate in a process of its own, which may be killed."""
    return subprocess.run(
        [sys.executable, "-m", "tracrcheck.cli", "gate", *words],
        cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip


# Profiles ----------------------------------------------------------------------------------------------


@pytest.fixture
def nothing_runs(monkeypatch):
    """What is asked for can be read, and nothing of it is done."""
    from tracrcheck.runs import gate
    from tracrcheck.truth import program_check

    monkeypatch.setattr(gate, "gate", lambda *a, **k: iter(()))
    monkeypatch.setattr(program_check, "prepare", lambda entries, settings: ([], []))


@pytest.mark.parametrize(
    ("words", "settings", "seeds"),
    [
        (["quick"], ["zero", "resample"], 1),
        (["full"], ["zero", "mean", "resample"], 20),
        (["full", "--ablation", "mean", "--seeds", "2"], ["mean"], 2),
        (["quick", "--ablation", "zero,resample"], ["zero", "resample"], 1),
    ],
)
def test_a_profile_covers_the_whole_zoo_with_its_ablations_and_seeds(
    call, here, nothing_runs, words, settings, seeds
):
    finished(call("gate", "--method", SOME, "--json", "out.json", "--profile", *words), 0)
    asked = document()["run"]["asked"]
    assert (asked["ablations"], asked["seeds"]) == (settings, list(range(seeds)))
    assert asked["programs"] == sorted(path.stem for path in (ROOT / "programs").glob("*.py"))


def test_a_profile_of_some_programs_covers_those_and_may_be_narrowed_to_fewer(call, here, nothing_runs):
    words = ["--method", SOME, "--json", "out.json", "--profile", "mutants"]
    finished(call("gate", *words), 0)
    asked = document()["run"]["asked"]
    assert len(asked["programs"]) == 12
    assert (asked["ablations"], asked["seeds"]) == (["zero", "mean", "resample"], [0])
    finished(call("gate", "hist", "sort", *words), 0)
    assert document()["run"]["asked"]["programs"] == ["hist", "sort"]
    refused = finished(call("gate", "hist", "length", *words), 2).stderr
    assert refused.startswith(
        "TC117 PROGRAM the profile 'mutants' does not include this\n    got     length\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["slow"], "TC117 --profile no profile 'slow'\n    got     slow\n    wanted  quick, full, mutants\n"),
        (
            ["quick", "--ablation", "zero,mean"],
            "TC117 --ablation the profile 'quick' does not include this\n    got     mean\n    wanted  some of zero, resample\n"
            "    do      narrow the profile, or leave --profile out\n",
        ),
        (
            ["quick", "--seeds", "2"],
            "TC117 --seeds the profile 'quick' does not include this\n    got     2\n    wanted  at most 1\n",
        ),
    ],
)
def test_an_option_that_a_profile_does_not_hold_is_refused(call, words, message):
    assert message in finished(call("gate", "hist", "--method", SOME, "--profile", *words), 2).stderr


def test_vacuous_settings_have_a_column_and_a_count_of_their_own(call, here):
    words = ["--ablation", "resample", "--method", METHODS + "nothing_kept"]
    result = finished(call("gate", "length", *words), 0)
    header, row = (line.split() for line in result.stdout.splitlines()[1:3])  # the criterion stands above
    assert header[6] == "vacuous"
    assert "vacuous" in row
    assert "0 hold, 0 fail, 0 unknown, 1 vacuous" in result.stdout


# Several processes -------------------------------------------------------------------------------------


def test_two_jobs_write_and_print_what_one_does(call, here):
    words = ["hist", "reverse", "--ablation", "zero", "--seeds", "2", "--timeout", "0.5"]
    words += ["--method", METHODS + "hangs_at_odd_seeds"]
    one = finished(call("gate", *words, "--json", "one.json"), 1)
    two = finished(call("gate", *words, "--json", "two.json", "--jobs", "2"), 1)
    assert verdicts("two.json") == verdicts("one.json")
    assert [v["reason"] for v in verdicts("two.json")] == ["unfaithful", "timeout"] * 2
    blocks = [result.stdout[result.stdout.index("FAILS hist,") :].rpartition(";")[0] for result in (one, two)]
    assert blocks[0] == blocks[1]


def swept_here(work, units, *, jobs, lost, cluster):
    """As other processes may do it: the last unit first, and the one with seed 2 lost."""
    for number, unit in reversed(list(enumerate(units))):
        yield number, lost(unit, "it died") if 2 in unit.seeds else work(unit)


def test_results_are_in_the_order_of_the_plan_whatever_came_first(call, here, monkeypatch):
    from tracrcheck.runs import base

    words = ["gate", "hist", "reverse", "--ablation", "zero,mean", "--seeds", "2", "--method", SOME]
    call(*words, "--json", "one.json")
    monkeypatch.setattr(base, "sweep", swept_here)
    call(*words, "--json", "two.json", "--jobs", "2")
    assert verdicts("one.json") == verdicts("two.json")


@pytest.mark.parametrize("method", ["some_edges", "Together"])
def test_what_a_dead_worker_had_is_a_verdict_with_its_reason(call, here, monkeypatch, method):
    """Also of a method that trains all seeds at once: the others have their own."""
    from tracrcheck.runs import base

    monkeypatch.setattr(base, "sweep", swept_here)
    words = ["--ablation", "zero", "--seeds", "3", "--json", "out.json", "--jobs", "2"]
    result = finished(call("gate", "hist", *words, "--method", METHODS + method), 1)
    reasons = {v["seed"]: v["reason"] for v in verdicts()}
    assert reasons == {seed: "raised" if seed == 2 else "unfaithful" for seed in range(3)}
    assert result.stdout.count("    detail  it died\n") == 1


@pytest.mark.slow
def test_a_worker_that_dies_costs_no_verdict(call, here):
    words = ["hist", "--ablation", "zero", "--seeds", "4", "--json", "out.json"]
    finished(
        call("gate", *words, "--method", METHODS + "killed_at_seed_two_the_first_time", "--jobs", "2"), 1
    )
    assert (here / "killed").exists()
    assert [v["reason"] for v in verdicts()] == ["unfaithful"] * 4


# Several sittings --------------------------------------------------------------------------------------


def test_a_run_that_was_killed_goes_on_from_its_last_verdict(call, here):
    words = ["hist", "--ablation", "zero,resample", "--seeds", "3", "--json", "out.json"]
    words += ["--method", METHODS + "killed_at_seed_two_the_first_time"]
    killed = process(*words, cwd=here)
    assert killed.returncode == -signal.SIGKILL
    assert not (here / "out.json").exists()
    begun = json.loads((here / "out.json.part").read_text().splitlines()[0])
    result = finished(call("gate", *words, "--resume"), 1)
    assert result.stderr.startswith("resumed: 2 of 6 verdicts were finished before")
    assert (here / "asked").read_text() == "0 1 2 2 0 1 2 "  # nothing that was finished is done again
    resumed, base = verdicts(), document()["run"]
    assert (base["sittings"], base["finished"]) == (2, True)
    assert {name: base[name] for name in ("command", "started", "machine", "commit")} == {
        name: begun[name] for name in ("command", "started", "machine", "commit")
    }  # of the session that began it
    assert "--resume" not in base["command"]
    assert [p.name for p in here.iterdir() if "part" in p.name] == []
    finished(call("gate", *words), 1)
    assert resumed == verdicts()
    assert document()["run"]["sittings"] == 1


def test_a_finished_run_is_not_done_again_where_it_is_to_be_resumed(call, here):
    words = ["hist", "--ablation", "zero", "--seeds", "2", "--json", "out.json"]
    words += ["--method", METHODS + "killed_at_seed_two_the_first_time"]
    finished(call("gate", *words), 1)
    before, asked = (here / "out.json").read_bytes(), (here / "asked").read_text()
    result = finished(call("gate", *words, "--resume"), 1)
    assert result.stderr == "out.json is this run, finished: there is nothing to resume\n"
    assert (here / "out.json").read_bytes() == before
    assert (here / "asked").read_text() == asked
    words[words.index("2")] = "1"
    refused = finished(call("gate", *words, "--resume"), 2)
    assert refused.stderr.startswith(
        "TC146 out.json the results there belong to another run\n    got     asked seeds: [0, 1] there"
    )
    assert (here / "out.json").read_bytes() == before
    finished(call("gate", *words), 1)
    assert len(verdicts()) == 1


def test_a_run_that_was_interrupted_goes_on_too(call, here):
    words = ["gate", "hist", "--ablation", "zero", "--seeds", "3", "--json", "out.json"]
    words += ["--method", METHODS + "interrupted"]
    finished(call(*words), 130)
    assert not document()["run"]["finished"]
    refused = finished(call(*words), 2)
    assert refused.stderr.startswith(
        "TC140 out.json.part an unfinished run is there\n    got     1 finished results"
    )
    result = finished(call(*words, "--resume"), 130)
    assert result.stderr.startswith("resumed: 1 of 3 verdicts")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--method", SOME], f"asked method: {METHODS}interrupted there, {SOME} now"),
        (["--seeds", "4"], "asked seeds: [0, 1, 2] there, [0, 1, 2, 3] now"),
        (["--ablation", "mean"], 'asked ablations: ["zero"] there, ["mean"] now'),
        (["--lengths", "1-2"], "asked lengths: null there, [1, 2] now"),
    ],
)
def test_a_run_of_something_else_is_not_resumed(call, here, more, message):
    words = ["gate", "hist", "--ablation", "zero", "--seeds", "3", "--json", "out.json"]
    finished(call(*words, "--method", METHODS + "interrupted"), 130)
    last = {**dict(zip(words[2::2], words[3::2], strict=True)), "--method": METHODS + "interrupted"}
    last |= dict(zip(more[::2], more[1::2], strict=True))
    given = [word for pair in last.items() for word in pair]
    result = finished(call("gate", "hist", *given, "--resume"), 2)
    assert result.stderr.startswith("TC141 out.json.part the unfinished run there is a different one\n")
    assert message in result.stderr


def test_a_run_of_a_program_that_was_changed_since_is_not_resumed(call, write, here):
    words = ["--ablation", "zero", "--seeds", "3", "--json", "out.json", "--method", METHODS + "interrupted"]
    finished(call("gate", write("flip"), *words), 130)
    path = write("flip", max_seq_len=3)
    result = finished(call("gate", path, *words, "--resume"), 2)
    assert "TC141" in result.stderr
    assert "sources programs: " in result.stderr


def test_without_a_file_there_is_nothing_to_resume_from(call):
    result = finished(call("gate", "hist", "--method", SOME, "--resume"), 2)
    assert result.stderr.startswith("TC117 --resume nothing to resume from\n    got     no --json\n")


def test_a_wrong_call_leaves_no_file(call, write, here):
    path = write(
        "flip",
        build="rasp.Aggregate(rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE), rasp.tokens)",
    )
    finished(call("gate", path, "--method", SOME, "--json", "out.json"), 2)
    assert [p.name for p in here.iterdir()] == ["mine"]


# Two versions ------------------------------------------------------------------------------------------


@pytest.fixture
def main(call, here):
    """Results of the version before, right in all but seed 1 and seed 3."""
    words = [
        "gate",
        "hist",
        "--ablation",
        "zero",
        "--seeds",
        "4",
        "--method",
        METHODS + "only_for_even_seeds",
    ]
    finished(call(*words, "--json", "main.json"), 1)
    return words


def test_a_version_like_the_one_before_does_not_regress(call, main):
    result = finished(call(*main, "--baseline", "main.json"), 1)  # wrong as before
    assert "compared with the baseline: 4 verdicts are in both" in result.stdout
    assert "  0 wrong now, 0 right now, 0 slower by more than 2 times" in result.stdout


def test_what_was_right_and_is_wrong_now_is_listed_and_the_other_way_round(call, main):
    def swapped(found):
        for number, row in enumerate(found["verdicts"]):
            if row["seed"] in (0, 1):
                other = {0: 1, 1: 0}[row["seed"]]
                found["verdicts"][number] = {**row, "seed": other}

    edit("main.json", swapped)
    result = finished(call(*main, "--baseline", "main.json"), 1)
    assert "  WRONG NOW   hist, zero, value, seed 1: FAILS, raised" in result.stdout
    assert "  right now   hist, zero, value, seed 0" in result.stdout
    assert "  1 wrong now, 1 right now" in result.stdout


def test_what_is_missing_is_listed_and_is_no_regression(call, main):
    words = [w if w != "4" else "1" for w in main]
    result = finished(call(*words, "--baseline", "main.json"), 0)
    assert "  missing     hist, zero, value, seed 3: in the baseline, not in this run" in result.stdout
    assert "3 missing" in result.stdout


def test_what_got_slower_by_more_than_the_factor_fails_though_all_is_right(call, main, monkeypatch):
    from tracrcheck.runs import baseline

    words = [w if w != "4" else "1" for w in main]

    def quicker(found):
        for row in found["verdicts"]:
            row["seconds"] = 1e-6

    edit("main.json", quicker)
    monkeypatch.setattr(baseline, "FLOOR", float("inf"))  # however busy this machine is
    assert (
        "0 slower by more than 2 times (medians under 0.5 s"
        in finished(call(*words, "--baseline", "main.json"), 0).stdout
    )
    monkeypatch.setattr(baseline, "FLOOR", 0.0)
    result = finished(call(*words, "--baseline", "main.json", "--slower", "3"), 1)
    assert "  SLOWER      hist, zero: 0.00 s then, " in result.stdout
    assert "1 slower by more than 3 times" in result.stdout
    finished(call(*words, "--json", "out.json"), 0)
    pages = [
        finished(call("report", "out.json", "--baseline", "main.json", "--slower", factor), 0).stdout
        for factor in ("3", "1e9")
    ]
    assert [page.count(" slower by more than ") for page in pages] == [1, 1]
    assert ["1 slower by more than 3 times" in page for page in pages] == [True, False]


@pytest.mark.parametrize(
    ("before", "now", "slower"),
    [(1.0, 2.1, 1), (1.0, 2.0, 0), (0.1, 0.49, 0), (0.1, 0.51, 1), (2.0, 1.0, 0)],
)
def test_slower_means_by_more_than_the_factor_and_above_the_floor(before, now, slower):
    from dataclasses import replace

    from tracrcheck.grading.verdict import Verdict
    from tracrcheck.runs.baseline import _slower

    one = Verdict(
        program="p",
        ablation="zero",
        criterion="value",
        method="m",
        seed=0,
        verdict="HOLDS",
        n_required=1,
        n_found=1,
    )
    pairs = [(replace(one, seconds=before), replace(one, seconds=now))] * 2 + [
        (one, replace(one, seconds=99.0))
    ]
    assert len(_slower(pairs, 2.0)) == slower


def test_another_machine_is_said(call, main):
    edit("main.json", lambda found: found["run"]["machine"].update(cpu="Z80"))
    assert "the machines differ, so times say little: Z80" in call(*main, "--baseline", "main.json").stdout


def test_a_baseline_of_another_method_is_refused(call, main):
    words = [w if not w.startswith(METHODS) else SOME for w in main]
    result = finished(call(*words, "--baseline", "main.json"), 2)
    assert result.stderr.splitlines() == [
        "TC144 main.json the baseline has another method or other settings",
        f"    got     method: {METHODS}only_for_even_seeds there, {SOME} now",
        "    wanted  results of the same --method, --criterion, --lengths and --score-bos",
        "    do      compare with results of the same kind",
    ]


@pytest.mark.parametrize(
    ("more", "differs"),
    [
        (["--lengths", "1-2"], "lengths: null there, [1, 2] now"),
        (["--score-bos"], "score_bos: false there, true now"),
        (["--criterion", "decoded"], 'criteria: ["value"] there, ["decoded"] now'),
    ],
)
def test_a_baseline_of_other_settings_is_refused(call, main, more, differs):
    result = finished(call(*main, *more, "--baseline", "main.json"), 2)
    assert result.stderr.splitlines()[1] == f"    got     {differs}"


@pytest.mark.parametrize(("more", "seconds"), [((), 1800.0), (("--timeout", "7"), 7.0)])
def test_the_time_limit_reaches_the_plan(call, monkeypatch, more, seconds):
    from tracrcheck.runs import gate

    limits = []
    monkeypatch.setattr(gate, "gate", lambda programs, plan, **rest: iter(limits.append(plan.timeout) or ()))
    call("gate", "hist", "--ablation", "zero", "--method", SOME, *more)
    assert limits == [seconds]


def test_a_baseline_of_another_schema_is_refused(call, main):
    edit("main.json", lambda found: found.update(schema="tracrcheck.gate/0"))
    result = finished(call(*main, "--baseline", "main.json"), 2)
    assert result.stderr.splitlines()[:2] == [
        "TC143 main.json not a results file of the gate",
        "    got     schema: 'tracrcheck.gate/0', wanted 'tracrcheck.gate/1'",
    ]


@pytest.mark.parametrize("factor", ["0.5", "nan", "inf"])
def test_a_factor_below_one_is_refused(call, main, factor):
    result = finished(call(*main, "--baseline", "main.json", "--slower", factor), 2)
    assert result.stderr.startswith(f"TC117 --slower no factor\n    got     {factor}\n")


# What is known -----------------------------------------------------------------------------------------


def test_what_is_wrong_in_the_baseline_too_may_be_allowed(call, main):
    result = finished(call(*main, "--baseline", "main.json", "--allow-known"), 0)
    assert "  0 wrong now, 0 right now, 0 slower" in result.stdout


def test_what_is_known_excuses_wrong_verdicts_and_no_wrong_call():
    from tracrcheck.runs.baseline import Comparison

    same = Comparison(now_wrong=(), now_right=(), slower=(), missing=(), new_wrong=(), compared=1, factor=2.0)
    assert [same.exit_code(code, allow_known=True) for code in (0, 1, 2)] == [0, 0, 2]
    assert [same.exit_code(code) for code in (0, 1, 2)] == [0, 1, 2]


def test_what_is_known_covers_nothing_that_was_right(call, main):
    def all_right(found):
        rows = found["verdicts"]
        found["verdicts"] = [{**rows[0], "seed": row["seed"]} for row in rows]
        found["summary"].update(holds=4, fails=0)

    edit("main.json", all_right)
    result = finished(call(*main, "--baseline", "main.json", "--allow-known"), 1)
    assert "  2 wrong now" in result.stdout


def test_what_is_known_covers_nothing_that_the_baseline_does_not_have(call, main):
    """A program that is renamed loses its excuse."""

    def fewer(found):
        found["verdicts"] = found["verdicts"][:3]
        found["run"]["asked"]["seeds"] = [0, 1, 2]
        found["summary"]["fails"] -= 1

    edit("main.json", fewer)
    result = finished(call(*main, "--baseline", "main.json", "--allow-known"), 1)
    assert "  WRONG, NEW  hist, zero, value, seed 3: FAILS, raised" in result.stdout
    assert "  0 wrong now, 1 wrong and new, " in result.stdout
    call(*main, "--json", "now.json")
    page = call("report", "now.json", "--baseline", "main.json").stdout
    assert "## Not regressed from the baseline, but 1 wrong where the baseline has no verdict\n" in page


def test_a_method_that_would_end_our_process_with_code_0_fails(call, here):
    before = os._exit
    result = finished(call("gate", "hist", "--ablation", "zero", "--method", METHODS + "leaves_well"), 1)
    assert "seed 0: raised\n    detail  its process exited with code 0\n" in result.stdout
    assert os._exit is before


def test_a_child_of_ours_may_end_itself_as_it_likes():
    program = """
import os
from tracrcheck.grading.no_exit import forbid_os_exit
with forbid_os_exit():
    if (child := os.fork()) == 0:
        os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "7\n"


def test_text_that_no_file_holds_has_marks_in_its_place_and_costs_no_report(call, here):
    files = ["--json", "r.json", "--junit", "r.xml", "--md", "r.md", "--html", "r.html"]
    words = ["--ablation", "zero", "--method", METHODS + "says_what_no_terminal_shows"]
    result = finished(call("gate", "hist", *words, *files), 1)
    assert "    detail  ValueError: \ufffd and \ufffd[31m\n" in result.stdout
    assert sorted(path.name for path in here.glob("r.*")) == ["r.html", "r.json", "r.md", "r.xml"]


def test_a_time_limit_is_part_of_the_replay(call, here):
    words = ["gate", "hist", "--ablation", "zero", "--method", METHODS + "raises"]
    assert finished(call(*words, "--timeout", "7.5"), 1).stdout.count(" --seed 0 --timeout 7.5\n") == 1
    assert "--timeout" not in finished(call(*words), 1).stdout


def test_nothing_is_known_without_a_baseline(call, here):
    result = finished(call("gate", "hist", "--method", SOME, "--allow-known"), 2)
    assert result.stderr.startswith("TC117 --allow-known nothing is known\n    got     no --baseline\n")


def test_the_page_of_a_run_begins_with_the_comparison_and_then_what_is_wrong(call, main):
    call(*main, "--json", "now.json")
    page = finished(call("report", "now.json", "--baseline", "main.json"), 0).stdout
    assert (
        "## Not regressed from the baseline\n\n```text\ncompared with the baseline: 4 verdicts are in both\n"
        in page
    )
    assert "\n## 2 not right\n\n    FAILS hist, zero, value, " in page
    assert page.index("## Not regressed") < page.index("## 2 not right") < page.index("| hist |")
    edit("main.json", lambda found: found["verdicts"].__setitem__(1, {**found["verdicts"][0], "seed": 1}))
    edit("main.json", lambda found: found["summary"].update(holds=3, fails=1))
    assert (
        "## Regressed from the baseline\n"
        in finished(call("report", "now.json", "--baseline", "main.json"), 0).stdout
    )


def test_a_page_is_not_compared_with_results_of_another_kind(call, main):
    words = [w if not w.startswith(METHODS) else SOME for w in main]
    call(*words, "--json", "now.json")
    assert "TC144" in finished(call("report", "now.json", "--baseline", "main.json"), 2).stderr


def test_a_baseline_of_other_programs_is_refused_and_not_passed(call, main, here):
    words = [word if word != "hist" else "length" for word in main]
    result = finished(call(*words, "--baseline", "main.json", "--json", "now.json"), 2)
    assert result.stderr.startswith("TC144 main.json the baseline has none of this run's verdicts")
    assert (here / "now.json").exists()  # what was found is kept
