"""Programs whose model is made by hand: what they require, and that a model that does not fit is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgeprune_core.errors import CheckError
from edgeprune_core.weights import Model
from tests import zoo
from tracrcheck.compiler.compile import compile_program
from tracrcheck.compiler.equivalence import check_compiled
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

NAMES = ("copy_indices", "copy_tokens")


def test_these_are_the_programs_made_by_hand():
    assert tuple(name for name in zoo.NAMES if not zoo.made_by_tracr(name)) == NAMES


@pytest.mark.parametrize("criterion", ["value", "decoded"])
@pytest.mark.parametrize(
    ("name", "ablation", "required"),
    [
        *(("copy_tokens", ablation, ["tok -> out"]) for ablation in ("zero", "mean", "resample")),
        ("copy_indices", "zero", ["pos -> out"]),
        *(("copy_indices", ablation, []) for ablation in ("mean", "resample")),
    ],
)
def test_the_output_reads_one_embedding_and_nothing_else(name, ablation, required, criterion):
    setting = Setting(ablation=ablation, criterion=criterion)
    got = certify(task_of(zoo.compiled(name), setting), setting)
    assert got.required.texts == required
    assert got.proved == ("sufficient", "minimal", "smallest", "unique")
    assert got.vacuous == (not required)
    assert len(got.permitted) > 1


def changed(**what):
    """copy_tokens, with other parts in what it makes by hand."""
    program = zoo.program("copy_tokens")
    return replace(program, by_hand=lambda: replace(program.by_hand(), **what))


def model() -> Model:
    return zoo.compiled("copy_tokens").model


def message_of(program) -> str:
    with pytest.raises(CheckError) as caught:
        check_compiled(compile_program(program))
    return str(caught.value)


def test_a_model_without_a_row_for_a_token_is_refused():
    tokens = ("a", "b", "d", "compiler_bos", "compiler_pad")
    assert message_of(changed(tokens=tokens)).startswith(
        "TC122 the model that 'copy_tokens' makes by hand does not fit the program: the tokens\n"
    )


@pytest.mark.parametrize(
    ("what", "program"),
    [
        ("the number of output coordinates", lambda: changed(output_values=("a", "b"))),
        ("`causal`", lambda: replace(zoo.program("copy_tokens"), causal=True)),
        ("a place for every token", lambda: replace(zoo.program("copy_tokens"), max_seq_len=5)),
        ("the dtype", lambda: changed(model=model().to(torch.float32))),
    ],
)
def test_a_model_that_does_not_fit_its_program_is_refused(what, program):
    text = message_of(program())
    assert text.startswith("TC122")
    assert what in text


def test_a_model_that_decodes_something_else_is_refused_with_the_input():
    assert message_of(changed(output_values=("b", "a", "c"))) == (
        "TC107 the model of 'copy_tokens' does not compute the program: tokens\n"
        "    got     'b' from the model at position 1 of input ['a']\n"
        "    wanted  'a', as the RASP interpreter says (['a'])\n"
        "    do      fix `by_hand` or `build`"
    )
