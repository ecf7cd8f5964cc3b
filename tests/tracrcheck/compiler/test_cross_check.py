"""JAX gives a second opinion on every input. Padding is masked there, which Tracr's forward pass leaves out."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import pytest
from tracr.rasp import rasp

from edgeprune_core.weights import Model
from tracrcheck import Program, compile_program
from tracrcheck.compiler import cross_check
from tracrcheck.compiler.cross_check import compare_routes
from tracrcheck.compiler.equivalence import compare
from tracrcheck.compiler.haiku import Oracle


def counted(predicate):
    """Counts the positions that this predicate selects by index. Padding past the end of the input would count too."""

    def build():
        n = rasp.SelectorWidth(rasp.Select(rasp.indices, rasp.indices, predicate))
        return rasp.SequenceMap(lambda n, token: n, n, rasp.tokens).named("counted")

    return Program(name="counted", build=build, vocab={"a", "b"}, max_seq_len=3)


def steep():
    """A steep step separates each width from the next: its slope multiplies a rounding difference by thousands."""

    def build():
        same = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ)
        width = rasp.SelectorWidth(same)
        as_frequent = rasp.Select(width, width, rasp.Comparison.GEQ)
        return rasp.SelectorWidth(as_frequent).named("as_frequent")

    inputs = [*itertools.product("abc", repeat=4), *itertools.islice(itertools.product("abc", repeat=8), 300)]
    return Program(
        name="as_frequent",
        build=build,
        vocab={"a", "b", "c"},
        max_seq_len=8,
        inputs=inputs,
        mlp_exactness=1e4,
    )


@pytest.mark.parametrize("name", ["TRUE", "GT", "NEQ"])
def test_selectors_that_are_true_past_the_end_of_the_input_agree(name):
    assert compare_routes(compile_program(counted(getattr(rasp.Comparison, name)))) == []


def test_sort_agrees(compiled):
    assert compare_routes(compiled("sort")) == []


@pytest.mark.parametrize("most", [7, 40, 2048])
def test_every_input_is_in_a_batch_and_all_batches_have_one_shape(compiled, monkeypatch, most):
    monkeypatch.setattr(cross_check, "BATCH", most)
    program = compiled("reverse")
    batches = list(cross_check._batches(program))
    assert len(batches) == math.ceil(len(program.domain.inputs) / most)
    assert {tokens for batch in batches for tokens in batch} == set(program.domain.inputs)
    assert len({program.encode(batch)[0].shape for batch in batches}) == 1


def test_activations_that_differ_at_one_length_only_are_noticed(monkeypatch):
    program = compile_program(counted(rasp.Comparison.TRUE))
    real = type(program).encode

    def other(self, inputs):
        ids, valid = real(self, inputs)
        for row, tokens in enumerate(inputs):
            if len(tokens) == 1:
                valid[row, 2] = True
        return ids, valid

    monkeypatch.setattr(type(program), "encode", other)
    (error,) = compare_routes(program)
    assert error.code == "TC121"


MANY = 2**12  # inputs, in more than one batch of either comparison


@cache
def echo():
    """Returns the tokens unchanged, on 4,096 inputs of one length."""
    return compile_program(
        Program(
            name="echo",
            build=lambda: rasp.Map(lambda token: token, rasp.tokens).named("echo"),
            vocab={"a", "b"},
            max_seq_len=12,
            domain=lambda tokens: len(tokens) == 12,
        )
    )


@pytest.fixture
def last_input_read_wrongly(monkeypatch):
    real = type(echo()).encode

    def encode(self, inputs):
        ids, valid = real(self, inputs)
        for row, tokens in enumerate(inputs):
            if tokens == self.domain.inputs[-1]:
                ids[row, -1] = ids[row, 1] = 0
        return ids, valid

    assert len(echo().domain.inputs) == MANY
    monkeypatch.setattr(type(echo()), "encode", encode)


def test_the_model_is_compared_with_the_interpreter_to_the_last_input(last_input_read_wrongly):
    (error,) = compare(echo())[1]
    assert error.code == "TC107"
    assert f"input {['b'] * 12}" in error.got


def test_the_reference_is_compared_to_the_last_input():
    program = echo().program
    wrong = replace(program, reference=lambda tokens: ["a"] * 12 if set(tokens) == {"b"} else tokens)
    (error,) = compare(replace(echo(), program=wrong))[1]
    assert error.code == "TC110"


def test_jax_runs_the_last_input(monkeypatch):
    """Our own run is changed on that input alone."""
    real = cross_check._residuals

    def other(model, tokens, valid):
        last = tokens[:, 1:].sum(1) == echo().encode([("b",) * 12])[0][0, 1:].sum()
        for stream in real(model, tokens, valid):
            yield stream + last[:, None, None]

    monkeypatch.setattr(cross_check, "_residuals", other)
    (error,) = compare_routes(echo())
    assert error.code == "TC121"
    assert f"input {['b'] * 12}" in error.got


def test_a_difference_of_a_thousandth_at_the_longest_inputs_alone_is_noticed(monkeypatch):
    program = compile_program(counted(rasp.Comparison.TRUE))
    longest, real = 1 + program.program.max_seq_len, cross_check.trace

    def other(model, tokens, *, valid):
        found = real(model, tokens, valid=valid)
        last = (valid.sum(1) == longest)[None, :, None, None]
        return replace(found, writers=found.writers + 1e-3 * last)

    monkeypatch.setattr(cross_check, "trace", other)
    monkeypatch.setattr(cross_check, "BATCH", 5)  # shorter inputs fill the first batch
    (error,) = compare_routes(program)
    assert error.code == "TC121"


def test_a_weight_of_ours_that_differs_in_its_last_digits_is_noticed(compiled, monkeypatch):
    program = compiled("reverse")
    weights = program.model.weights
    theirs = Model(program.model.spec, replace(weights, w_in=weights.w_in * (1 + 1e-12)))
    oracle = SimpleNamespace(model=theirs)
    monkeypatch.setattr(cross_check, "compile_by_haiku", lambda program: oracle)
    (error,) = compare_routes(program)
    assert (error.code, error.got) == ("TC120", "w_in")


def test_steep_steps_are_no_difference_of_the_two_passes():
    assert compare_routes(compile_program(steep())) == []


def test_a_difference_beyond_rounding_is_noticed(compiled, monkeypatch):
    """The bound grows with the slopes of the MLPs, but stays far below what any wrong weight does."""
    real = Oracle.residuals
    for made, size in ((compile_program(steep()), 1e-5), (compiled("reverse"), 1e-8)):
        monkeypatch.setattr(Oracle, "residuals", lambda self, t, off=size: [x + off for x in real(self, t)])
        assert [error.code for error in compare_routes(made)] == ["TC121"]
