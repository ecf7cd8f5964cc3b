"""Every option of the commands that judge changes what they do: an option that is read and then forgotten shows here."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.tracrcheck.conftest import GOOD
from tracrcheck.cli import app

ROOT = Path(__file__).parents[3]
METHODS = "tests.tracrcheck.pruners:"
NOTHING, RIGHT = METHODS + "nothing_kept", METHODS + "knows_the_answer"
HERE = "tests/tracrcheck/commands/"
# Options whose effect is more than another result have tests of their own.
ELSEWHERE = {
    ("gate", "--timeout"): HERE + "test_gate.py::test_a_method_that_hangs_is_stopped_after_the_time_given",
    ("gate", "--memory"): "tests/tracrcheck/grading/test_method_process.py::test_a_method_that_allocates_more_than_its_limit_fails",
    ("gate", "--model"): HERE
    + "test_plant_gpt2.py::test_the_gate_judges_a_method_on_the_folder_under_the_ablations_whose_truth_is_known",
    ("gate", "--in-process"): "tests/tracrcheck/grading/test_method_process.py::test_in_process_is_said_wherever_a_verdict_is_shown",
    ("gate", "--allow-unknown"): HERE + "test_gate.py::test_unknown_verdicts_can_be_allowed_and_it_says_so",
    ("gate", "--slower"): "tests/tracrcheck/runs/test_baseline.py::test_what_got_slower_by_more_than_the_factor_fails_though_all_is_right",
    ("gate", "--jobs"): "tests/tracrcheck/runs/test_gate.py::test_two_jobs_write_and_print_what_one_does",
    ("gate", "--cluster"): "tests/tracrcheck/executors/dask/test_commands.py",
    ("gate", "--resume"): HERE + "test_resume.py::test_a_finished_run_that_is_resumed_stays_red_and_writes_its_reports",
    ("grade", "--allow-unknown"): HERE + "test_grade.py::test_unknown_verdicts_can_be_allowed",
    ("grade", "--rest"): HERE + "test_grade.py",
    ("certify", "--inputs"): HERE + "test_program.py::test_how_many_inputs_a_list_holds_is_an_option",
    ("certify", "--require-whole"): HERE + "test_program.py::test_a_sample_is_said_to_be_one_and_how_it_was_found",
    ("certify", "--all"): HERE + "test_json.py::pinned",
    ("certify", "--write"): HERE + "test_json.py::pinned",
    ("programs", "--programs-dir"): HERE + "test_certify.py::test_a_broken_file_among_the_programs_is_reported_after_the_list",
    ("programs", "--pins"): HERE + "test_json.py::test_the_page_of_programs_is_up_to_date",
    ("show", "--out"): HERE + "test_program.py::test_a_drawing_has_every_edge_and_every_expression",
    ("export", "--out"): HERE + "test_export.py::test_our_own_weights_are_read_back",
    ("plant", "--out"): HERE + "test_plant.py::test_it_says_what_it_made_and_what_was_measured_and_proved",
    ("plant", "--weights"): HERE + "test_plant.py::test_the_file_makes_the_same_model_each_time_and_the_weights_are_those",
    ("fuzz", "--save"): "tests/tracrcheck/runs/test_fuzz.py::test_failures_are_reported_saved_and_replayed",
    ("fuzz", "--size"): "tests/tracrcheck/runs/test_fuzz.py::test_large_programs_are_examined_and_replayed_as_such",
    ("fuzz", "--replay"): "tests/tracrcheck/runs/test_fuzz.py::test_failures_are_reported_saved_and_replayed",
    **{
        ("discover", f"--{name}"): "tests/tracrcheck/reports/test_outputs.py::test_a_circuit_of_a_trained_model_is_the_same_page_when_saved"
        for name in ("json", "html", "junit", "md")
    },
    ("discover", "--distributed"): "tests/edgeprune_core/distributed/test_edge_pruning.py::test_a_method_that_cannot_be_shared_is_refused",
    ("compare", "--plot"): HERE + "test_compare.py::test_methods_are_compared_printed_drawn_and_written",
    ("compare", "--device"): HERE + "test_device.py::test_curves_are_made_on_the_device_that_is_named",
    ("faithfulness", "--json"): HERE + "test_discover.py::test_the_documented_fields_are_written",
    ("overlap", "--out"): "tests/tracrcheck/trained/test_overlap.py::test_the_picture_has_each_edge_in_the_colour_of_whose_it_is",
    ("overlap", "--json"): "tests/tracrcheck/trained/test_overlap.py::test_edges_alone_are_compared_without_a_model",
    ("overlap", "--html"): "tests/tracrcheck/trained/test_overlap.py::test_the_page_is_the_same_from_the_file",
    ("tasks", "--json"): HERE + "test_tasks.py::test_every_task_is_listed_with_how_well_the_model_does_it",
    ("report", "--compact"): "tests/tracrcheck/runs/test_compact.py::compacted",
    ("plan", "--json"): "tests/tracrcheck/trained/test_memory_plan.py::test_the_documented_fields_are_written",
    ("doctor", "--json"): HERE + "test_doctor.py::test_the_command_prints_and_writes_what_was_found",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """words: a call. more: what is added to it. The first option in `more` is tried; the others make its effect visible."""

    words: str
    more: str

    @property
    def key(self) -> tuple[str, str]:
        return self.words.split()[0], self.more.split()[0]


GATE = f"gate hist --ablation resample --method {NOTHING}"
CASES = [
    Case(f"gate flip --method {RIGHT}", "--programs-dir mine"),
    Case("gate flip --programs-dir mine --ablation zero --method random", f"--method {RIGHT}"),
    Case(f"gate hist --method {RIGHT}", "--profile quick"),
    Case(f"gate hist --method {RIGHT}", "--ablation zero"),
    Case(f"gate reverse --ablation zero --method {NOTHING}", "--criterion decoded"),
    Case(GATE, "--lengths 3-4"),
    Case(f"gate xproportion --ablation zero --method {RIGHT}", "--score-bos"),
    Case(GATE, "--inputs 20"),
    Case(GATE, "--halves"),
    Case(f"gate checked_copy --ablation mean --method {RIGHT}", "--robust"),
    Case(GATE, "--seed 3"),
    Case(GATE, "--seeds 2"),
    Case(f"gate hist --ablation zero --method {METHODS}as_discovery", "--judge ranking"),
    Case(f"gate hist --ablation zero --method {METHODS}as_discovery", "--select top_n:2"),
    *(Case(GATE, f"--{name} out.{name}") for name in ("json", "html", "junit", "md")),
    Case(GATE, "--baseline main.json"),
    Case(f"{GATE} --baseline main.json", "--allow-known"),
    Case("report main.json", "--short"),
    *(Case("report main.json", f"--{name} out.{name}") for name in ("html", "junit", "md")),
    Case("report mine.json --html out.html", "--programs-dir mine"),
    Case("report now.json", "--baseline main.json"),
    Case("report now.json --baseline main.json", "--slower 3"),
    Case("recheck main.json --seed 1", "--share 1"),
    Case("recheck main.json --seed 1 --share 1", "--most-seconds 1.5"),
    Case("recheck main.json --seed 1", "--seed 2"),
    Case("recheck mine.json --seed 1", "--programs-dir mine"),
    Case("certify reverse", "--ablation zero"),
    Case("certify reverse --ablation zero", "--criterion decoded"),
    Case("certify reverse --ablation resample", "--lengths 4-4"),
    Case("certify xproportion --ablation zero", "--score-bos"),
    Case("certify checked_copy --ablation mean", "--robust"),
    Case("certify flip", "--programs-dir mine"),
    *(Case("certify hist --ablation zero", f"--{name} out.{name}") for name in ("json", "html", "junit", "md")),
    Case("certify hist --ablation zero", f"--check {ROOT / 'ci' / 'certificates.json'}"),
    Case("grade circuit.json --program hist", "--program reverse"),
    Case("grade circuit.json --program flip", "--programs-dir mine"),
    Case("grade circuit.json --program hist", "--ablation mean"),
    Case("grade empty.json --program reverse", "--criterion decoded"),
    Case("grade empty.json --program reverse", "--lengths 3-4"),
    Case("grade circuit.json --program xproportion", "--score-bos"),
    Case("grade circuit.json --program hist --ablation resample", "--inputs 20"),
    Case("grade circuit.json --program hist", "--format acdc"),
    Case("grade circuit.json --program hist", "--threshold 0.5"),
    Case("grade circuit.json --program hist", "--json out.json"),
]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a program of one's own, results of two versions, and circuits."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make()
    return folder


def make_program():
    Path("mine").mkdir()
    build = "rasp.Map(lambda t: 1 - t, rasp.tokens)"
    text = GOOD.format(name="flip", build=build, vocab="{0, 1}", max_seq_len=2, rest="")
    Path("mine", "flip.py").write_text(textwrap.dedent(text))


def make():
    make_program()
    words = f"gate flip --programs-dir mine --ablation zero --method {RIGHT} --json mine.json"
    assert CliRunner().invoke(app, words.split()).exit_code == 0
    assert CliRunner().invoke(app, f"{GATE} --seeds 3 --json main.json".split()).exit_code == 1
    found = json.loads(Path("main.json").read_text())
    for name, seconds in (("main", 1.0), ("now", 2.5)):
        for row in found["verdicts"]:
            row["seconds"] = seconds
        Path(f"{name}.json").write_text(json.dumps(found))
    for name, edges in (("circuit", ["tok -> m0"]), ("empty", [])):
        Path(f"{name}.json").write_text(json.dumps(edges))


@pytest.fixture
def files(made, here):
    shutil.copytree(made, here, dirs_exist_ok=True)


def seen(call, words: str):
    """The exit code, what was printed but for times and replays, and the files that were written."""
    for path in Path().glob("out.*"):
        path.unlink()
    done = call(*words.split())
    lines = [line for line in done.output.splitlines() if "replay" not in line and "tracrcheck " not in line]
    text = "\n".join(re.sub(r"\d+\.\d+( s\b|$)", "", line.rstrip()) for line in lines)
    pages = [path.read_text() for path in Path().glob("out.html")]
    return done.exit_code, text, sorted(p.name for p in Path().glob("out.*")), [len(page) for page in pages]


@pytest.fixture(scope="module")
def seen_before():
    """What calls without the option did."""
    return {}


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case.key))
def test_an_option_changes_what_the_command_does(case, call, files, seen_before):
    if case.words not in seen_before:
        seen_before[case.words] = seen(call, case.words)
    assert seen_before[case.words] != seen(call, f"{case.words} {case.more}")


def test_the_same_call_is_seen_to_do_the_same(call, files, seen_before):
    for words in {case.words for case in CASES if case.key[0] != "recheck"}:
        assert seen(call, words) == (seen_before.get(words) or seen(call, words))
