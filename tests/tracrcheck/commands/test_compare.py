"""`tracrcheck compare`: curves that are frontiers, judged on prompts that chose nothing; files, resuming, wrong calls."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from edgeprune_core.errors import CheckError
from edgeprune_core.methods import METHODS as METHODS_BY_NAME
from tests.tracrcheck.calls import finished
from tracrcheck.cli import app
from tracrcheck.rasp.library import Library
from tracrcheck.reports import compare as report
from tracrcheck.runs import compare as comparing
from tracrcheck.runs import recheck
from tracrcheck.runs.kinds import read_any
from tracrcheck.trained import pareto
from tracrcheck.trained.curve import LEVELS, Curve, Point, standings

CALL = ["compare", "--task", "greater_than", "--prompts", "6", "--seeds", "2", "--methods"]
METHODS = "tests.tracrcheck.trained_pruners:"


def job(method: str, **change) -> pareto.Job:
    asked = {"task": "ioi", "model": "english", "ablation": "resample", "seed": 0, "prompts": 6}
    return pareto.Job(method=method, **asked | change)


@pytest.fixture(autouse=True)
def _here(monkeypatch, request):
    """Curves are computed in this process, unless a test says otherwise."""
    if "process_of_its_own" not in request.node.name:
        monkeypatch.setattr(comparing, "curve_elsewhere", pareto.curve)


# Curves ------------------------------------------------------------------------------------------------


def test_a_curve_is_the_frontier_of_its_candidates_on_the_training_prompts():
    made = pareto.curve(job("eap"))
    train, held_out = pareto.tasks_of(job("eap"))
    every = [circuit for _, circuit in pareto.sweep_of("eap")(train).candidates]
    assert made.candidates == len(every) >= 20
    kls = dict(zip(every, pareto.mean_kl(train, every), strict=True))
    best = math.inf
    wanted = []
    for circuit in sorted(kls, key=lambda c: (len(c), kls[c])):
        if kls[circuit] < best:
            best = kls[circuit]
            wanted.append(circuit)
    assert [p.n_edges for p in made.points] == [len(c) for c in wanted]
    there = pareto.mean_kl(held_out, wanted)
    assert [p.held_out_kl for p in made.points] == pytest.approx(there, rel=1e-3, abs=1e-6)
    assert [p.train_kl for p in made.points] == pytest.approx([kls[c] for c in wanted], rel=1e-3, abs=1e-6)


def test_cpr_and_cmd_are_of_the_ranking_by_value_or_of_the_circuits_on_held_out_prompts(monkeypatch):
    from edgeprune_core.discovery import Discovery
    from tracrcheck.trained import mib

    made = pareto.curve(job("eap"))
    train, held_out = pareto.tasks_of(job("eap"))
    scores = METHODS_BY_NAME["eap"](train).scores
    by_edge = dict(zip(train.graph.edges, scores.tolist(), strict=True))
    wanted = mib.curve(held_out, {e: x for e, x in by_edge.items() if e.writer.kind != "pos"})
    assert made.mib.near(wanted)
    assert 0 < made.mib.cmd_exact <= made.mib.cmd

    def negative(task):
        """The same ranking, by scores below zero."""
        found = METHODS_BY_NAME["eap"](task)
        return Discovery(circuit=found.circuit, scores=found.scores.double() - 100)

    monkeypatch.setattr(pareto, "find_method", lambda name, where: negative)
    assert pareto.curve(job("negative")).mib == made.mib
    monkeypatch.setattr(
        pareto, "find_method", lambda name, where: lambda task: METHODS_BY_NAME["eap"](task).circuit
    )
    alone = pareto.curve(job("alone"))
    moved = replace(made.mib, faithfulness=tuple(f + 0.01 for f in made.mib.faithfulness))
    for now, same in ((made, True), (replace(made, mib=None), True), (replace(made, mib=moved), False)):
        assert comparing.same(made, now, elsewhere=False) == same
    assert alone.mib == mib.curve_of_circuits(held_out, [METHODS_BY_NAME["eap"](train).circuit.connected()])


def test_circuits_are_chosen_on_other_prompts_than_they_are_judged_on():
    train, held_out = pareto.tasks_of(job("eap"))
    assert not {tuple(t.tolist()) for t in train.tokens} & {tuple(t.tolist()) for t in held_out.tokens}


def test_a_method_has_the_seed_of_its_curve_and_other_prompts_for_each():
    (one, judged), (other, _) = (pareto.tasks_of(job("eap", seed=seed)) for seed in (3, 4))
    assert (one.seed, other.seed) == (3, 4)
    assert one.tokens.tolist() != other.tokens.tolist()
    assert judged.tokens.tolist() != one.tokens.tolist()


def test_no_candidate_has_dangling_edges():
    train, _ = pareto.tasks_of(job("random"))
    assert all(circuit == circuit.connected() for _, circuit in pareto.sweep_of("random")(train).candidates)


def test_each_method_is_swept_at_twenty_settings_at_least():
    assert len(METHODS_BY_NAME["acdc"].swept) >= 20
    assert METHODS_BY_NAME["edge_pruning"].swept.price.stops >= 20
    assert pareto.SIZES >= 20


def test_the_fewest_edges_at_a_level_are_of_the_prompts_held_out():
    def point(n, train, held_out):
        return Point(setting="", n_edges=n, train_kl=train, held_out_kl=held_out)

    def curve(seed, *points):
        return Curve(method="m", seed=seed, candidates=3, seconds=0, peak_mib=0, points=points)

    low, high = point(5, 0.2, 0.02), point(9, 0.001, 0.5)
    assert curve(0, low, high).fewest(0.3) == 5
    assert curve(0, low, high).fewest(0.01) is None
    assert [curve(0, low, high).fewest(level) for level in (0.02, 0.0199)] == [5, None], (
        "a level is reached at it"
    )
    rows = standings([curve(0, low), curve(1, high), curve(2, low)], levels=(0.3, 1.0))
    assert [(s.level, s.median, s.by_seed) for s in rows] == [(0.3, 5, (5, None, 5)), (1.0, 5, (5, 9, 5))]
    assert standings([curve(0, low), curve(1, high)], levels=(0.3,))[0].median == math.inf


def test_an_empty_circuit_is_the_smallest_and_a_large_one_keeps_its_digits():
    def curve(seed, *fewest):
        points = (Point(setting="", n_edges=n, train_kl=0.0, held_out_kl=0.01) for n in fewest)
        return Curve(method="m", seed=seed, candidates=1, seconds=1.0, peak_mib=1, points=tuple(points))

    asked = {
        "task": "t",
        "model": "m",
        "ablation": "zero",
        "methods": ["m"],
        "seeds": [0, 1, 2],
        "prompts": 2,
    }
    for fewest, seed in (((0, 5, 7), 1), ((7, 0, 5), 2), ((0, 0, 5), 1), ((None, 0, 1_234_567), 2)):
        curves = tuple(curve(n, *([] if edges is None else [edges])) for n, edges in enumerate(fewest))
        results = comparing.CompareResults(path=Path(), run={"asked": asked}, curves=curves)
        middle = fewest[seed]
        drawn = [(middle, 0.01)] if middle else []  # no logarithm of 0
        assert report.plot(results).curves["m"] == drawn
        (row,) = report._table(results).rows
        assert row[3].split()[0] == str(middle)


# The command -------------------------------------------------------------------------------------------


def test_methods_are_compared_printed_drawn_and_written(call, here):
    words = [*CALL, "eap,random", "--json", "out.json", "--plot", "p.svg", "--html", "out.html"]
    words += ["--md", "out.md", "--junit", "out.xml"]
    shown = finished(call(*words), 0).stdout
    assert "eap" in shown
    assert "random" in shown
    document = json.loads(Path("out.json").read_text())
    assert comparing.COMPARE.problems(document) == []
    assert [(c["method"], c["seed"]) for c in document["curves"]] == [
        ("eap", 0), ("random", 0), ("eap", 1), ("random", 1),
    ]  # fmt: skip
    assert not Path("out.json.part").exists()
    titles = [t.text for t in ElementTree.parse("p.svg").getroot().iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["greater_than in english, resample ablation", "eap", "random"]
    assert "Methods compared on greater_than" in Path("out.html").read_text()
    assert Path("out.md").read_text().startswith("### ✓ tracrcheck compare: 4 of 4 curves were made\n")
    named = [(c.get("classname"), c.get("name")) for c in ElementTree.parse("out.xml").iter("testcase")]
    assert named == [("eap", "seed 0"), ("eap", "seed 1"), ("random", "seed 0"), ("random", "seed 1")]
    page = finished(call("report", "out.json"), 0).stdout
    results = read_any(Path("out.json"))
    (table, _) = report.document(results).sections[1].blocks
    assert len(table.rows) == 2
    assert all(f"| {' | '.join(map(str, row))} |" in page for row in table.rows)
    assert "1,004 edges" in page
    for text in (shown, page, Path("out.html").read_text()):
        assert all(column in text for column in ("CPR", "CMD exact"))
    medians = sorted(c["mib"]["cpr"] for c in document["curves"] if c["method"] == "eap")
    assert f"{sum(medians) / 2:.3f}" in shown
    older = replace(results, curves=tuple(replace(c, mib=None) for c in results.curves))
    assert "CPR" not in str(report.document(older))
    document["curves"][0]["mib"]["cpr"] += 0.5
    assert comparing.COMPARE.problems(document) == [
        "curves: CPR and CMD of eap, seed 0, are not those of its faithfulness"
    ]


def test_a_comparison_that_was_stopped_is_resumed(call, here, monkeypatch):
    made = pareto.curve

    def stopped(asked):
        if asked.seed:
            raise KeyboardInterrupt
        return made(asked)

    monkeypatch.setattr(comparing, "curve_elsewhere", stopped)
    finished(call(*CALL, "random", "--json", "out.json"), 130)
    assert len(json.loads(Path("out.json").read_text())["curves"]) == 1
    monkeypatch.setattr(comparing, "curve_elsewhere", made)
    assert (
        "1 of 2 curves were finished before"
        in finished(call(*CALL, "random", "--json", "out.json", "--resume"), 0).stderr
    )
    whole = json.loads(Path("out.json").read_text())
    assert whole["run"]["finished"]
    assert len(whole["curves"]) == 2
    again = finished(call(*CALL, "random", "--json", "out.json", "--resume"), 0)
    assert "nothing to resume" in again.stderr


def test_a_method_that_fails_is_reported_and_exits_with_1(call, here, monkeypatch):
    def fault_of(asked):
        try:
            return pareto.curve(asked)
        except CheckError as error:
            return pareto.failed(asked, str(error))

    monkeypatch.setattr(comparing, "curve_elsewhere", fault_of)
    result = finished(call(*CALL, METHODS + "nothing", "--json", "out.json"), 1)
    assert "the method gave no circuit" in result.output


def test_one_method_that_fails_and_one_that_does_not_exit_with_1(call, here, monkeypatch):
    def made(asked):
        return pareto.failed(asked, "no") if asked.method == "acdc" else pareto.failed(asked, None)

    monkeypatch.setattr(comparing, "curve_elsewhere", made)
    finished(call(*CALL, "random,acdc", "--json", "out.json"), 1)
    finished(call(*CALL, "random", "--json", "other.json"), 0)


def test_a_method_without_scores_or_a_sweep_contributes_its_circuit_without_dangling_edges(call, here):
    made = pareto.curve(job(METHODS + "with_a_dangling_edge"))
    assert [(p.setting, p.n_edges) for p in made.points] == [("its circuit", 3)]


def test_a_method_of_the_users_is_swept_where_it_has_a_sweep():
    made = pareto.curve(job(METHODS + "Twice"))
    assert made.candidates == 2
    assert made.points[0].setting == "few"
    assert made.points[0].n_edges == 3, "without the dangling edge"


def test_a_process_of_its_own_gives_the_same_curve_and_reports_its_fault():
    here, there = pareto.curve(job("eap")), pareto.curve_elsewhere(job("eap"))
    assert (here.points, here.candidates, here.fault) == (there.points, there.candidates, there.fault)
    assert there.peak_mib > 100
    wrong = pareto.curve_elsewhere(job(METHODS + "nothing"))
    assert "TC187 --methods the method gave no circuit to compare" in wrong.fault
    assert wrong.points == ()


def test_a_process_of_its_own_that_exceeds_a_limit_is_stopped_and_says_which():
    late = pareto.curve_elsewhere(job(METHODS + "never_ends", timeout=0.5))
    assert (late.fault, late.points) == ("timeout: no curve within 0.5 s", ())
    full = pareto.curve_elsewhere(job("random", memory=50))
    assert full.fault
    assert full.points == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--timeout", "0"], "TC117"),
        (["--methods", "eep"], "TC113 no method 'eep'"),
        (["--methods", "eap,eap"], "TC117 a method named twice"),
        (["--methods", ","], "TC117 no method to compare"),
        (["--ablation", "none"], "TC117 no ablation 'none' of prompts"),
        (["--task", "oi"], "TC171 no task 'oi'"),
        (["--plot", "no/such/folder.svg"], "TC115"),
        (["--resume"], "TC117 nothing to resume from"),
        (["--model", "nosuch"], ""),
    ],
)
def test_a_wrong_call_is_reported_with_exit_code_2(call, here, change, message):
    result = finished(call(*CALL, "random", *change), 2)
    code, _, what = message.partition(" ")
    assert result.stderr.startswith(code)
    assert what in result.stderr.splitlines()[0]


# Checked again -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def text(tmp_path_factory, cache) -> str:
    """The text of a results file: two methods, two seeds."""
    path = tmp_path_factory.mktemp("compared") / "out.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACRCHECK_CACHE", str(cache))
        patch.setattr(comparing, "curve_elsewhere", pareto.curve)
        finished(CliRunner().invoke(app, [*CALL, "eap,random", "--json", str(path)]), 0)
    return path.read_text()


@pytest.fixture
def compared(text, here):
    Path("out.json").write_text(text)
    return read_any(Path("out.json"))


def test_curves_that_are_made_again_are_the_same_and_a_changed_one_is_seen(compared, call):
    assert recheck.standing(compared, Library.here([])) == recheck.Standing()
    assert finished(call("recheck", "out.json", "--share", "1"), 0).stdout.endswith(
        "4 the same, 0 different\n"
    )
    document = json.loads(Path("out.json").read_text())
    for level in LEVELS:
        assert any(p["held_out_kl"] <= level for p in document["curves"][0]["points"])
    for point in document["curves"][0]["points"]:
        point["held_out_kl"] = max(point["held_out_kl"], 0.02)
    Path("out.json").write_text(json.dumps(document))
    shown = finished(call("recheck", "out.json", "--share", "1"), 1).stdout
    assert "DIFFERENT curve of eap, seed 0" in shown


def test_a_comparison_of_other_sources_is_stale(compared, call):
    document = json.loads(Path("out.json").read_text())
    document["run"]["sources"] = dict.fromkeys(document["run"]["sources"], "0" * 64)
    Path("out.json").write_text(json.dumps(document))
    assert finished(call("recheck", "out.json"), 0).stdout.startswith("STALE out.json")


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("curves: one appears twice", lambda d: d["curves"].append(d["curves"][0])),
        ("curves: missing, though the run is finished: random 1", lambda d: d["curves"].pop()),
        ("curves: not requested: eap 7", lambda d: d["curves"][0].update(seed=7)),
        ("is no frontier", lambda d: d["curves"][0]["points"].reverse()),
        ("curves[0].points[0].n_edges: not there", lambda d: d["curves"][0]["points"][0].pop("n_edges")),
        ("run.asked.prompts: not there", lambda d: d["run"]["asked"].pop("prompts")),
    ],
)
def test_a_file_that_is_not_sound_is_refused(compared, call, message, change):
    document = json.loads(Path("out.json").read_text())
    change(document)
    Path("out.json").write_text(json.dumps(document))
    assert message in finished(call("recheck", "out.json"), 2).stderr


def test_an_unknown_method_is_reported_with_the_nearest():
    with pytest.raises(CheckError, match="edge_pruning"):
        pareto.sweep_of("edge_prunin")


def test_a_comparison_on_a_model_that_is_not_here_is_not_made_again(call, here, monkeypatch):
    monkeypatch.setattr("tracrcheck.trained.fetched.is_here", lambda name: False)
    path = Path(__file__).parents[3] / "ci" / "results" / "compare-smollm2-ioi.json"
    output = finished(call("recheck", path), 0).output
    assert "smollm2 is not on this machine: tracrcheck models get smollm2" in output
    assert "nothing of it was run again" in output
