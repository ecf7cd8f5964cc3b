"""Programs of published size: each agrees with its reference; slowly, its truth is proved; and what Tracr cannot compile."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from tracr.rasp import rasp

from edgeprune_core.ablations import ABLATIONS
from edgeprune_core.errors import CheckError
from tests import zoo
from tracrcheck import Program
from tracrcheck.compiler.author_errors import author_errors
from tracrcheck.compiler.compile import compile_program
from tracrcheck.compiler.equivalence import compare
from tracrcheck.rasp.library import Entry
from tracrcheck.truth.program_check import check
from tracrcheck.truth.setting import Setting

SECONDS = 60  # of CPU, for `check` of one program


@pytest.mark.parametrize("name", zoo.LARGE)
def test_the_model_the_interpreter_and_the_reference_agree_on_the_whole_list(name):
    program = zoo.program(name)
    assert program.reference is not None
    report, problems = compare(zoo.compiled(name))
    assert problems == []
    assert author_errors(program) == []
    assert (report.sampled, report.n_positions > 0) == (None, True)
    assert max(map(len, zoo.compiled(name).domain.inputs)) == program.max_seq_len >= 8


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.LARGE)
def test_the_truth_is_proved_within_a_minute(name, monkeypatch, tmp_path):
    monkeypatch.setenv("TRACRCHECK_CACHE", str(tmp_path))
    started = time.process_time()
    path = zoo.FOLDER / f"{name}.py"
    found = check(Entry(zoo.program(name), path, asked=name), [Setting(ablation=a) for a in ABLATIONS])
    assert found.proved
    assert time.process_time() - started < SECONDS


# Where Tracr cannot ------------------------------------------------------------------------------------------


def histogram():
    return rasp.SelectorWidth(rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ))


def last_token():
    left = rasp.Select(rasp.indices, rasp.indices, lambda key, query: key == query - 1)
    return rasp.Aggregate(left, rasp.tokens)


HUNDRED = Program(
    name="p",
    build=histogram,
    vocab=set(range(100)),
    max_seq_len=32,
    inputs=[[n // 4 % 8] * n for n in range(1, 33)],
    mlp_exactness=2200,
)


def refused(program: Program) -> str:
    with pytest.raises(CheckError) as caught:
        raise compare(compile_program(program))[1][0]
    return caught.value.code


def test_a_head_that_moves_a_hundred_tokens_to_33_positions_does_not_fit_in_tracr():
    assert refused(replace(HUNDRED, build=last_token)) == "TC324"


def test_widths_up_to_32_need_an_mlp_exactness_that_the_refusal_names():
    few = replace(HUNDRED, vocab=set(range(8)), mlp_exactness=100)
    assert refused(few) == "TC307"
    assert compare(compile_program(replace(few, mlp_exactness=2 * 32 * 33)))[1] == []
