"""A method runs apart from the truth and from the process that judges it, and can be stopped whatever it does."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from edgeprune_core.ablations import ABLATIONS
from edgeprune_core.errors import CheckError
from tests import zoo
from tests.tracrcheck import pruners
from tests.tracrcheck.calls import finished
from tracrcheck.grading import method_process
from tracrcheck.grading.method_process import MethodProcess, examinee_of
from tracrcheck.grading.run_method import plain, read_plain
from tracrcheck.processes import process as process_module
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

ROOT = Path(__file__).parents[3]
HOSTILE = "tests.tracrcheck.grading.hostile:"


def gate(call, *words):
    return call("gate", "hist", "--ablation", "zero", *words[1:], "--method", HOSTILE + words[0])


@pytest.fixture(scope="module")
def task():
    return task_of(zoo.compiled("hist"), Setting())


def asked(task, method, *, timeout=30.0, **settings):
    """The answer, and the process that gave it."""
    process = MethodProcess(method if callable(method) else HOSTILE + method, **settings)
    return process.ask(task, seed=0, timeout=timeout), process


# The truth ---------------------------------------------------------------------------------------------


def test_a_method_that_patches_the_core_poisons_no_truth(call, tmp_path, monkeypatch):
    """The next program's certificate is right, in this run and in later ones."""
    monkeypatch.setenv("TRACRCHECK_CACHE", str(tmp_path / "cache"))
    words = ["sort", "--ablation", "zero", "--method", HOSTILE + "makes_every_circuit_right"]
    result = finished(call("gate", "hist", *words), 1)
    assert "0 hold, 2 fail" in result.stdout
    later = subprocess.run(
        [sys.executable, "-m", "tracrcheck.cli", "certify", "sort", "--ablation", "zero"],
        cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "required  13 of" in later.stdout


@pytest.mark.parametrize(
    ("cheat", "jobs"),
    [
        ("asks_for_the_certificate", "1"),
        ("reads_the_frames_above", "1"),
        ("reads_the_frames_above", "2"),
        ("reads_the_memory", "1"),
    ],
)
def test_a_method_that_looks_for_the_truth_finds_none(call, cheat, jobs):
    result = finished(gate(call, cheat, "--jobs", jobs), 1)
    assert "0 hold, 1 fail" in result.stdout


def test_what_a_method_cannot_import_says_so(task):
    answer, _ = asked(task, "asks_for_the_certificate")
    assert answer.detail == (
        "ImportError: a method cannot import tracrcheck.truth.cache: it is run apart from the truth (docs/gate.md). What "
        "needs it belongs in another module than the method's"
    )


def test_a_method_gets_no_folder_of_certificates_and_none_of_our_settings(task, monkeypatch):
    monkeypatch.setenv("TRACRCHECK_DEBUG", "1")
    answer, _ = asked(task, "looks_for_our_settings")
    assert answer.detail == f"ValueError: settings {{'TRACRCHECK_CACHE': '{os.devnull}'}}"


# What it does to its process ---------------------------------------------------------------------------


def test_what_a_method_does_to_its_process_stays_there(call, here):
    before = (os.getcwd(), torch.get_default_dtype(), torch.is_grad_enabled(), sys.stdout)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    for name in ("changes_folder", "spoils_what_is_global", "closes_standard_output"):
        result = finished(gate(call, name, "--seeds", "2", "--json", "out.json"), 0)
        assert "2 hold" in result.stdout
        assert json.loads((here / "out.json").read_text())["run"]["finished"]
    assert before == (os.getcwd(), torch.get_default_dtype(), torch.is_grad_enabled(), sys.stdout)
    assert states == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


def test_what_a_method_prints_goes_to_standard_error_with_its_name(call):
    result = finished(gate(call, "prints"), 0)
    lines = [f"{HOSTILE}prints: {text}" for text in ("in Python, and below it", "an error")]
    assert result.stderr.splitlines() == lines
    assert "in Python" not in result.stdout


def test_every_generator_starts_from_the_seed(task):
    process = MethodProcess(HOSTILE + "draws")
    found = [process.ask(task, seed=seed, timeout=30).detail for seed in (3, 4, 3)]
    assert found[0] == found[2] != found[1]
    random.seed(3)
    np.random.seed(3)
    torch.manual_seed(3)
    assert found[0] == (
        f"ValueError: {random.random():.6f} {np.random.rand():.6f} {torch.rand(()).item():.6f}"
    )


def test_a_method_finds_nothing_of_what_it_left_behind(task):
    process = MethodProcess(HOSTILE + "tells_and_spoils_its_state")
    found = [process.ask(task, seed=5, timeout=30).detail for _ in range(2)]
    assert found[0] == found[1]
    assert found[0].startswith(f"ValueError: ['{os.getcwd()}', torch.float32, device(type='cpu'), True, ")


def test_one_process_serves_a_method_for_all_its_tasks(task):
    process = MethodProcess(HOSTILE + "knows_its_process")
    found = {process.ask(task, seed=seed, timeout=30).detail for seed in range(3)}
    assert len(found) == 1
    assert found != {f"ValueError: {os.getpid()}"}


def test_a_process_that_has_ended_is_gone(task):
    answer, process = asked(task, "knows_its_process")
    pid = int(answer.detail.rpartition(" ")[2])
    os.kill(pid, 0)
    process.end()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


# What stops it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hangs_in_c", "swallows_everything"])
def test_a_time_limit_stops_anything(call, name):
    started = time.monotonic()
    result = finished(gate(call, name, "--timeout", "0.5"), 1)
    assert "seed 0: timeout\n    detail  no answer within 0.5 s\n" in result.stdout
    assert time.monotonic() - started < 50


def test_a_thread_that_is_left_behind_delays_nothing(call):
    started = time.monotonic()
    assert "1 hold" in finished(gate(call, "leaves_a_thread_at_work"), 0).stdout
    assert time.monotonic() - started < 50


def test_a_method_that_allocates_more_than_its_limit_fails(call):
    result = finished(gate(call, "hoards_memory", "--memory", "1024"), 1)
    assert "seed 0: raised\n    detail  MemoryError" in result.stdout
    assert "--memory 1024" in result.stdout  # in the replay
    answer = finished(gate(call, "hoards_memory"), 1)
    assert "seed 0: no_result" in answer.stdout  # there is memory enough, and it is no circuit


def test_a_method_that_is_killed_fails_alone_with_the_reason(call):
    result = finished(gate(call, "dies_of_a_signal", "--seeds", "2"), 1)
    assert "seeds 0, 1: raised\n    detail  its process was killed by SIGSEGV\n" in result.stdout


def test_after_it_was_killed_the_next_task_has_a_new_process(task):
    process = MethodProcess(pruners.leaves_at_seed_one)
    faults = [process.ask(task, seed=seed, timeout=30).fault for seed in (0, 1, 2)]
    assert faults == [None, "raised", None]


def ended(pid, within=5.0):
    """Whether the process ends, or is a zombie that nobody waits for."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(("seed", "fault"), [(0, None), (1, "raised")])
def test_what_it_started_ends_with_it_whatever_session_that_is_in(task, here, seed, fault):
    process = MethodProcess(HOSTILE + "leaves_a_process_in_a_session_of_its_own")
    assert process.ask(task, seed=seed, timeout=30).fault == fault
    process.end()
    assert ended((here / "left").read_text())


def test_what_dies_with_one_method_leaves_the_processes_of_another_alone(task, here):
    other = MethodProcess(HOSTILE + "leaves_a_process_in_a_session_of_its_own")
    other.ask(task, seed=0, timeout=30)
    left = (here / "left").read_text()
    dies = MethodProcess(HOSTILE + "leaves_a_process_in_a_session_of_its_own")
    assert dies.ask(task, seed=1, timeout=30).fault == "raised"
    assert ended((here / "left").read_text())
    assert not ended(left, within=0.1)
    other.end()
    assert ended(left)


def test_a_loop_that_prints_fills_no_disk(task, monkeypatch, capsys):
    monkeypatch.setattr(process_module, "MOST_PRINTED", 5_000)
    answer, _ = asked(task, "prints_without_end", timeout=0.5)
    assert answer.fault == "timeout"
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert lines[-1].startswith(f"{HOSTILE}prints_without_end: it printed more than ")


def test_a_module_that_never_finishes_to_load_is_refused(here, monkeypatch):
    monkeypatch.setattr(method_process, "FINDING", 0.3)
    (here / "endless_module.py").write_text("import time\ntime.sleep(60)\n")
    with pytest.raises(CheckError, match="TC113") as error:
        _ = examinee_of("endless_module:f").many
    assert error.value.got == "its module is not imported within 0.3 s"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("kills_the_fork_server", "killed by SIGKILL"),
        ("raises_what_has_no_text", "Silent: its text cannot be read"),
    ],
)
def test_whatever_else_it_does_is_a_fault_and_the_next_method_is_asked(task, name, said):
    answer, _ = asked(task, name)
    assert answer.fault == "raised"
    assert said in str(answer.detail)
    assert len(asked(task, pruners.everything)[0].circuit) == task.graph.n_edges


# What comes back ---------------------------------------------------------------------------------------


def test_nonsense_in_its_pipe_is_no_answer_and_executes_nothing(task):
    answer, _ = asked(task, "sends_nonsense")
    assert (answer.fault, answer.detail) == ("raised", "it sent something that is no answer")


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        {},
        {"edges": None},
        {"edges": [1]},
        {"edges": [], "scores": "many"},
        {"edges": [], "scores": [[0.0]]},
        {"edges": [], "scores": ["0"]},
        {"problem": 3},
        {"alone": True},
        {"edges": [], "selector": 3},
        {"refused": {"code": 3, "what": ""}},
        {"refused": {"code": "TC193", "what": "", "more": ""}},
    ],
)
def test_anything_else_that_is_sent_is_no_result(task, said):
    answer = read_plain(said, task.graph)
    assert (answer.fault, answer.detail) == ("no_result", "its process sent something that is no answer")


@pytest.mark.parametrize("name", ["as_discovery", "as_texts", "as_generator", "foreign", "other_graph"])
def test_an_answer_is_the_same_here_and_from_a_process(task, name):
    method = getattr(pruners, name)
    there, _ = asked(task, method)
    here = read_plain(json.loads(json.dumps(plain(method(task), task.graph))), task.graph)
    assert there.circuit == here.circuit
    assert (there.fault, there.detail, there.foreign) == (here.fault, here.detail, here.foreign)
    assert (there.scores is None) == (here.scores is None)


# Methods that are objects ------------------------------------------------------------------------------


def test_a_closure_and_a_lambda_run_there_too(task):
    kept = [str(edge) for edge in task.graph.edges][:3]
    answer, _ = asked(task, lambda task: kept)
    assert len(answer.circuit) == 3


def test_an_object_that_cannot_be_sent_is_refused_with_the_reason(task):
    lock = threading.Lock()
    with pytest.raises(CheckError, match="TC113") as error:
        _ = MethodProcess(lambda task: lock, name="mine").many
    assert "cannot pickle" in error.value.got
    assert "'mine'" in error.value.what


def test_a_method_whose_module_fails_is_refused_with_the_reason(here):
    (here / "broken_module.py").write_text("1 / 0\n")
    with pytest.raises(CheckError, match="TC113") as error:
        _ = examinee_of("broken_module:f").many
    assert error.value.got == "ZeroDivisionError: division by zero"
    assert "broken_module" not in sys.modules


# Ablations of somebody's own -----------------------------------------------------------------------------

OWN = """
from dataclasses import dataclass

from edgeprune_core import Ablation, trace
{imports}

@dataclass(frozen=True)
class Halved(Ablation):
    name: str = "halved"
    paired: bool = True

    def background(self, model, corrupted, valid):
        {uses}
        return trace(model, corrupted, valid=valid).writers * HALF

HALF = 0.5
"""


@pytest.fixture
def halved(here, monkeypatch):
    """`halved(imports, uses)`: an ablation of a module of these parts, and a task under it."""
    monkeypatch.syspath_prepend(here)

    def made(imports, uses="pass"):
        (here / "own_ablation.py").write_text(OWN.format(imports=imports, uses=uses))
        ablation = importlib.import_module("own_ablation").Halved()
        monkeypatch.setitem(ABLATIONS, "halved", ablation)
        return task_of(zoo.compiled("hist"), Setting(ablation="halved"))

    return made


@pytest.mark.parametrize("imports", ["", "from tracrcheck import certify", "import tracrcheck.truth.cache"])
def test_an_ablation_reaches_the_process_whatever_else_its_module_imports(halved, imports):
    task = halved(imports)
    answer, process = asked(task, pruners.knows_the_answer)
    assert (answer.fault, answer.circuit) == (None, pruners.knows_the_answer(task))
    assert process.ask(task, seed=1, timeout=30).fault is None


def test_an_ablation_that_computes_with_the_truth_is_refused_with_the_reason(halved):
    task = halved("from tracrcheck import certify", "certify")
    with pytest.raises(CheckError) as error:
        asked(task, pruners.everything)
    assert (error.value.code, error.value.where) == ("TC124", "own_ablation.Halved")
    assert error.value.what == "the ablation 'halved' cannot be sent to the process of a method"
    assert error.value.got.startswith("ImportError: a method cannot import tracrcheck.truth.")


def test_an_ablation_that_cannot_be_pickled_is_refused_with_the_reason(halved):
    task = halved("import threading", "pass")
    task = dataclasses.replace(task, ablation=dataclasses.replace(task.ablation, name=threading.Lock()))
    with pytest.raises(CheckError, match="TC124") as error:
        asked(task, pruners.everything)
    assert "cannot pickle" in error.value.got


# In this process, for debugging ------------------------------------------------------------------------


def test_in_process_is_said_wherever_a_verdict_is_shown(call, here):
    files = {option: f"out.{option}" for option in ("json", "html", "junit", "md")}
    words = [word for option, name in files.items() for word in (f"--{option}", name)]
    result = finished(gate(call, "everything", "--in-process", *words), 1)
    assert "in process: the method ran where it is judged" in result.stdout
    assert " --in-process\n" in result.stdout  # in the replay
    assert json.loads((here / "out.json").read_text())["run"]["asked"]["in_process"] is True
    for name in ("out.html", "out.junit", "out.md"):
        assert "in process" in (here / name).read_text(), name
    assert "in process" in finished(call("report", "out.json"), 0).stdout
    other = finished(gate(call, "everything", "--json", "other.json"), 1)
    assert "in process" not in other.stdout
    assert "in_process" not in json.loads((here / "other.json").read_text())["run"]["asked"]
