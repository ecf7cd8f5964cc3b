"""Results of the gate compared with those of another version: what regressed, what got slower, and what is known to be wrong."""

from __future__ import annotations

import pytest

from tests.tracrcheck.calls import finished
from tests.tracrcheck.runs.test_gate import METHODS, SOME, edit

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
    assert result.stderr.startswith(f"TC117 --slower not a factor\n    got     {factor}\n")


# What is known -----------------------------------------------------------------------------------------


def test_what_is_wrong_in_the_baseline_too_may_be_allowed(call, main):
    result = finished(call(*main, "--baseline", "main.json", "--allow-known"), 0)
    assert "  0 wrong now, 0 right now, 0 slower" in result.stdout


def test_what_is_known_excuses_wrong_verdicts_and_no_wrong_call():
    from tracrcheck.runs.baseline import Comparison

    same = Comparison(now_wrong=(), now_right=(), slower=(), missing=(), new_wrong=(), compared=1, factor=2.0)
    assert [same.exit_code(code, allow_known=True) for code in (0, 1, 2)] == [0, 0, 2]
    assert [same.exit_code(code) for code in (0, 1, 2)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("words", "code"), [((), 0), (("UNKNOWN",), 0), (("FAILS",), 1), (("UNKNOWN", "FAILS"), 1)]
)
def test_an_unknown_that_is_allowed_fails_nothing_beside_a_failure_that_is_known(words, code):
    from tracrcheck.grading.verdict import Verdict
    from tracrcheck.runs.baseline import Comparison

    new = tuple(
        Verdict(
            program="hist", ablation="zero", criterion="value", method=SOME, seed=seed, verdict=word,
            n_required=1, n_found=1,
        )
        for seed, word in enumerate(words)
    )  # fmt: skip
    found = Comparison(
        now_wrong=(), now_right=(), slower=(), missing=(), new_wrong=new, compared=1, factor=2.0
    )
    assert found.exit_code(1, allow_known=True, allow_unknown=True) == code
    assert found.exit_code(1, allow_known=True) == int(bool(new))


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
