"""A fuzzing run: what becomes of one program, what the run comes to, and what survives a crash."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from tests.zoo import compiled as compiled_of_the_zoo
from tracrcheck.generator import accept
from tracrcheck.generator.accept import Draws
from tracrcheck.grading.by_name import find_method
from tracrcheck.grading.method_process import InProcess
from tracrcheck.records import sources
from tracrcheck.records.reading import plain
from tracrcheck.runs import base, fuzz_program, regressions
from tracrcheck.runs import fuzz as campaign
from tracrcheck.runs.base import Workers, open_ledger
from tracrcheck.truth.setting import Setting

SETTINGS = tuple(Setting(ablation=name) for name in ("zero", "mean", "resample"))
RIGHT = "tests.tracrcheck.runs.pruners:right"
REFUSED = 5  # a draw of the seed of the bar that Tracr compiles wrongly
ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs" / "json.md"


def plan_of(method=RIGHT, programs=3, settings=SETTINGS):
    names = tuple(setting.ablation for setting in settings)
    return campaign.Plan(seed=5, programs=programs, ablations=names, method=method, timeout=60)


def begun(ledger=None, jobs=1, **rest):
    """A campaign that has drawn its programs."""
    plan = plan_of(**rest)
    run = campaign.Campaign(plan, plan.header("tracrcheck fuzz"), ledger, Workers(jobs=jobs))
    list(run.draw())
    return run


def run_of(**rest):
    run = begun(**rest)
    list(run.go())
    return run


# One program -------------------------------------------------------------------------------------------


def test_a_method_that_is_right_holds_in_every_setting_of_a_program():
    done = fuzz_program.examine(5, 1, SETTINGS, method=RIGHT, timeout=60)
    assert [row.ablation for row in done.rows] == ["zero", "mean", "resample"]
    assert all(row.holds for row in done.rows)
    assert {row.verdict.seed for row in done.rows} == {1}


def test_a_program_counts_the_edges_that_zero_ablation_requires_and_none_that_are_merely_permitted(
    monkeypatch,
):
    def certified(task, setting):
        edges = task.graph.edges[: 3 if setting.ablation == "zero" else 2]
        return SimpleNamespace(required=Circuit.of(task.graph, edges), permitted=Circuit.full(task.graph))

    monkeypatch.setattr(fuzz_program, "certificate_for", certified)
    program = fuzz_program.examine(5, 1, (), method=RIGHT, timeout=60).program
    assert program.required_zero == 3
    assert program.n_operations == len(accept.numbered(5, 1).operations)


def test_the_seed_of_the_method_is_the_number_of_the_draw(monkeypatch):
    seen = []
    here = InProcess(lambda task: seen.append(task.seed) or [])
    monkeypatch.setattr(fuzz_program, "examinee", lambda name, **how: here)
    fuzz_program.examine(5, 2, SETTINGS[:1], method="mine", timeout=60)
    assert seen == [2]


def test_what_becomes_of_a_program_depends_on_nothing_but_its_number():
    one, other = (plain(fuzz_program.examine(5, 2, SETTINGS, method="random", timeout=60)) for _ in range(2))
    for rows in (one["rows"], other["rows"]):
        for row in rows:
            row.pop("seconds")
    assert one == other


def test_the_trivial_methods_are_graded_beside_it():
    rows = [row for row in run_of(programs=4).results().rows if row.counts]
    assert all(row.trivial["random"] != "HOLDS" for row in rows)
    assert any(row.trivial["permitted"] == "HOLDS" for row in rows if row.ablation == "zero")
    for row in rows:
        is_all = row.n_permitted == row.verdict.n_required
        assert (row.trivial["permitted"] == "HOLDS") == is_all


def test_a_method_that_raises_is_a_failure_with_its_words():
    (row,) = fuzz_program.examine(
        5, 1, SETTINGS[:1], method="tests.tracrcheck.runs.pruners:raises", timeout=60
    ).rows
    assert (row.verdict.verdict, row.verdict.reason, row.verdict.detail) == (
        "FAILS",
        "raised",
        "ValueError: no luck",
    )
    assert row.counts


def test_what_cannot_be_certified_counts_as_a_failure(monkeypatch):
    def breaks(task, setting):
        raise CheckError("TC201", "the edges allowed are not faithful together", got="0.5")

    compiled = compiled_of_the_zoo("hist")
    monkeypatch.setattr(fuzz_program, "certificate_for", breaks)
    row = fuzz_program.judge(compiled, SETTINGS[0], lambda task: [], number=0, name="m", timeout=60)
    assert row.counts
    assert not row.holds
    assert row.verdict.reason.startswith("TC201 ")


def test_a_program_whose_weights_were_drawn_before_is_rejected(monkeypatch):
    draws = Draws(seed=5)
    accepted = iter(draws)
    first, _ = next(accepted)
    real = accept.numbered
    monkeypatch.setattr(
        accept, "numbered", lambda seed, n, size: real(seed, first if n == first + 1 else n, size)
    )
    second, _ = next(accepted)
    assert second > first + 1
    assert draws.rejected[accept.AGAIN] == 1


def test_the_program_of_a_rejected_draw_is_not_examined():
    with pytest.raises(CheckError, match="TC153") as error:
        fuzz_program.examine(20261123, REFUSED, SETTINGS, method=RIGHT, timeout=60)
    assert error.value.__cause__.code.startswith("TC3")


def test_a_row_and_a_program_read_back_equal_from_their_json():
    done = fuzz_program.examine(5, 1, SETTINGS, method="random", timeout=60)
    read = json.loads(json.dumps(plain(done)))
    again = campaign.Campaign(plan_of(method="random"), {}).row_of(read, problems := [])
    assert problems == []
    assert plain(again) == plain(done)
    assert [row.verdict.key for row in again.rows] == [row.verdict.key for row in done.rows]


def test_a_program_whose_process_died_has_rows_that_failed_with_what_is_known():
    done = campaign.examined(plan_of(), 1, "the process died")
    assert [(row.verdict.reason, row.verdict.detail) for row in done.rows] == [
        ("raised", "the process died")
    ] * 3
    assert done.program == fuzz_program.examine(5, 1, SETTINGS, method=RIGHT, timeout=60).program


# A campaign --------------------------------------------------------------------------------------------


def ledger_at(path, plan, *, resume):
    return open_ledger(path, plan.header("tracrcheck fuzz"), resume=resume)


def test_a_campaign_that_was_cut_short_goes_on_and_loses_nothing(here):
    plan, whole = plan_of(method="random"), run_of(method="random")
    with ledger_at(Path("x.json"), plan, resume=False) as ledger:
        list(islice(begun(ledger, method="random").go(), 2))
    with Path("x.json.part").open("a") as file:
        file.write('{"sitting": 1, "row": {"program"')  # a line that a crash cut in two
    with ledger_at(Path("x.json"), plan, resume=True) as ledger:
        run = begun(ledger, method="random")
        assert (run.resumed, run.left) == (2, 1)
        assert len(list(run.go())) == 1
        assert (run.left, run.record()["sittings"], run.record()["finished"]) == (0, 2, True)
        assert timeless(run) == timeless(whole)
        run.written()
    assert list(here.iterdir()) == []


def timeless(run):
    return [
        {k: v for k, v in row.to_json().items() if k not in ("seconds", "certify_seconds")}
        for row in run.results().rows
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"programs": 4},
        {"ablations": ("zero",)},
        {"method": "random"},
        {"seed": 6},
        {"timeout": 61},
        {"memory": 9},
    ],
    ids=str,
)
def test_results_of_another_campaign_are_refused(here, change):
    with ledger_at(Path("x.json"), plan_of(), resume=False) as ledger:
        ledger.append({"a": 1})
    with (
        pytest.raises(CheckError, match="TC141"),
        ledger_at(Path("x.json"), replace(plan_of(), **change), resume=True),
    ):
        pass


def test_the_order_is_that_of_the_draws_whatever_was_finished_first(monkeypatch):
    def backwards(work, units, *, jobs, lost, cluster):
        for number, unit in reversed(list(enumerate(units))):
            yield number, lost(unit, "it died") if unit == 2 else work(unit)

    monkeypatch.setattr(base, "sweep", backwards)
    run = run_of(programs=3, settings=SETTINGS[:1])
    rows = run.results().rows
    assert [row.number for row in rows] == list(run.units)
    assert [row.verdict.detail for row in rows if not row.holds] == ["it died"]


def test_the_generator_counts_among_the_sources_and_what_shows_or_keeps_results_does_not():
    files = {str(path.relative_to(ROOT)) for path in sources.reached((*sources.JUDGING, *fuzz_program.ROOTS))}
    made = {
        *(f"generator/{name}" for name in ("accept", "sample", "recipe", "features")),
        "runs/fuzz_program",
    }
    assert {f"tracrcheck/{name}.py" for name in made} <= files
    assert "edgeprune_core/methods/random_edges.py" in files
    shown = {
        *(f"runs/{name}" for name in ("fuzz_score", "fuzz", "base", "gate", "results", "kinds", "recheck")),
        "records/journal",
        "executors/pool",
    }
    assert not files & {f"tracrcheck/{name}.py" for name in shown}
    assert not [name for name in files if "reports/" in name or "commands/" in name]
    read = {str(path.relative_to(ROOT)) for path in sources.reached(sources.JUDGING)}
    assert not read & {f"tracrcheck/{name}.py" for name in made}
    found = plan_of(method="random").header("")["sources"]["packages"]
    assert found == sources.packages_sha(*fuzz_program.ROOTS, "edgeprune_core.methods.random_edges")
    assert found != sources.sources_of([], find_method("random"))["packages"]


@pytest.mark.slow
def test_two_processes_give_the_same_rows_as_one():
    assert timeless(run_of(method="random", jobs=2)) == timeless(run_of(method="random"))


@pytest.mark.slow
def test_a_process_that_is_killed_costs_no_row(here, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    run = run_of(
        method="tests.tracrcheck.runs.pruners:kills_its_judge_once", programs=4, settings=SETTINGS[:1], jobs=2
    )
    assert Path("died").exists()
    assert [row.verdict.verdict for row in run.results().rows] == ["HOLDS"] * 4


# The command -------------------------------------------------------------------------------------------


def test_a_right_method_reaches_the_bar_and_the_file_holds_what_is_documented(call, here):
    result = call("fuzz", "--programs", "6", "--seed", "5", "--method", RIGHT, "--json", "out.json")
    assert result.exit_code == 0, result.output
    assert "the bar is reached" in result.stdout
    assert list(here.iterdir()) == [here / "out.json"]
    document = json.loads((here / "out.json").read_text())
    assert document["run"]["command"].startswith("tracrcheck")
    assert campaign.FUZZ.problems(document) == []
    assert (len(document["programs"]), len(document["rows"])) == (6, 18)
    documented = set(re.findall(r"`(\w+)`", DOCS.read_text()))
    names = {
        *document,
        *document["summary"],
        *document["programs"][0],
        *document["rows"][0],
        *document["run"],
        *document["run"]["asked"],
        *document["run"]["machine"],
    }
    names |= {*document["summary"]["overall"], *document["summary"]["composition"]}
    assert names <= documented, names - documented


def test_failures_are_reported_saved_and_replayed(call, here):
    words = ["--programs", "1", "--seed", "5", "--method", "tests.tracrcheck.runs.pruners:forgets_positions"]
    result = call("fuzz", *words, "--ablation", "zero", "--save", "saved")
    assert result.exit_code == 1
    assert (
        "FAILS drawn_5_0, zero, value, tests.tracrcheck.runs.pruners:forgets_positions, seed 0: unfaithful"
        in result.stdout
    )
    assert "    replay  tracrcheck fuzz --seed 5 --number 0 --ablation zero --method " in result.stdout
    assert "Below the bar\n  overall: 0 of 1 exact, at least 99% wanted" in result.stdout
    (path,) = (here / "saved").iterdir()
    again = call("fuzz", "--replay", path)
    assert (again.exit_code, again.stdout.split()[0]) == (1, "fails")
    case = replace(regressions.read(path), method=RIGHT)
    mended = regressions.save(case, here / "saved", "mended")
    assert call("fuzz", "--replay", mended).exit_code == 0
    assert call("fuzz", "--replay", mended, "--replay", path).exit_code == 1


def test_large_programs_are_examined_and_replayed_as_such(call, here):
    words = [
        "--programs",
        "1",
        "--seed",
        "5",
        "--size",
        "large",
        "--method",
        "tests.tracrcheck.runs.pruners:forgets_positions",
    ]
    result = call("fuzz", *words, "--ablation", "zero", "--save", "saved", "--json", "out.json")
    assert result.exit_code in (0, 1), result.output
    document = json.loads((here / "out.json").read_text())
    assert document["run"]["asked"]["size"] == "large"
    assert campaign.FUZZ.problems(document) == []
    number = document["programs"][0]["number"]
    assert f"FAILS drawn_large_5_{number}, zero" in result.stdout
    assert f"tracrcheck fuzz --seed 5 --number {number} --size large" in result.stdout
    one = call(
        "fuzz",
        "--seed",
        "5",
        "--number",
        str(number),
        "--size",
        "large",
        "--ablation",
        "zero",
        "--method",
        words[-1],
    )
    assert (one.exit_code, f"drawn_large_5_{number}" in one.stdout) == (1, True)
    (path,) = (here / "saved").iterdir()
    assert call("fuzz", "--replay", path).exit_code == 1
    wrong = call("fuzz", "--size", "huge")
    assert (wrong.exit_code, wrong.stderr.split("\n")[0]) == (
        2,
        "TC151 --size no size 'huge' of random programs",
    )
