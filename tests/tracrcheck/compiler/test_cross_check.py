"""The second opinion is asked about inputs without padding, which Tracr's forward pass does not mask."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from tracr.rasp import rasp

from tracrcheck import Program, compile_program
from tracrcheck.compiler import cross_check
from tracrcheck.compiler.cross_check import _batches, compare_routes
from tracrcheck.compiler.equivalence import compare


def counted(predicate):
    """How many positions this predicate selects by their indices: those past the end of the input would count too."""

    def build():
        n = rasp.SelectorWidth(rasp.Select(rasp.indices, rasp.indices, predicate))
        return rasp.SequenceMap(lambda n, token: n, n, rasp.tokens).named("counted")

    return Program(name="counted", build=build, vocab={"a", "b"}, max_seq_len=3)


@pytest.mark.parametrize("name", ["TRUE", "GT", "NEQ"])
def test_selectors_that_are_true_past_the_end_of_the_input_agree(name):
    assert compare_routes(compile_program(counted(getattr(rasp.Comparison, name)))) == []


def test_sort_agrees(compiled):
    assert compare_routes(compiled("sort")) == []


def test_every_input_is_in_one_batch_and_no_batch_is_padded(compiled):
    batches = list(_batches(compiled("reverse")))
    assert all(len({len(tokens) for tokens in batch}) == 1 for batch in batches)
    assert sorted(t for batch in batches for t in batch) == sorted(compiled("reverse").domain.inputs)


def test_activations_that_differ_at_one_length_only_are_noticed(compiled, monkeypatch):
    program = compiled("reverse")
    real = type(program).encode

    def other(self, inputs):
        ids, valid = real(self, inputs)
        if len(inputs[0]) == 1:
            valid[:, 1] = False
        return ids, valid

    monkeypatch.setattr(type(program), "encode", other)
    (error,) = compare_routes(program)
    assert error.code == "TC121"


MANY = 2**12  # inputs, in more than one batch of either comparison


@cache
def echo():
    """The tokens as they are, on 4,096 inputs of one length."""
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


def test_jax_is_asked_about_the_last_input(monkeypatch):
    """Our own run writes something else on it, and on no other."""
    real = cross_check._residuals

    def other(model, tokens, valid):
        last = tokens[:, 1:].sum(1) == echo().encode([("b",) * 12])[0][0, 1:].sum()
        for stream in real(model, tokens, valid):
            yield stream + last[:, None, None]

    monkeypatch.setattr(cross_check, "_residuals", other)
    (error,) = compare_routes(echo())
    assert error.code == "TC121"
    assert f"input {['b'] * 12}" in error.got
