"""The second opinion is asked about inputs without padding, which Tracr's forward pass does not mask."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from tracr.rasp import rasp

from edgeprune_core.weights import Model
from tracrcheck import Program, compile_program
from tracrcheck.compiler import cross_check
from tracrcheck.compiler.cross_check import _batches, compare_routes


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


def test_a_difference_of_a_thousandth_at_the_longest_inputs_alone_is_noticed(monkeypatch):
    program = compile_program(counted(rasp.Comparison.TRUE))
    longest, real = 1 + program.program.max_seq_len, cross_check.trace

    def other(model, tokens, **more):
        found = real(model, tokens, **more)
        return replace(found, writers=found.writers + 1e-3 * (tokens.shape[1] == longest))

    monkeypatch.setattr(cross_check, "trace", other)
    (error,) = compare_routes(program)
    assert error.code == "TC121"


def test_a_weight_of_ours_that_differs_in_its_last_digits_is_noticed(compiled, monkeypatch):
    program = compiled("reverse")
    weights = program.model.weights
    theirs = Model(program.model.spec, replace(weights, w_in=weights.w_in * (1 + 1e-6)))
    oracle = SimpleNamespace(model=theirs.to(weights.w_in.float().dtype))
    monkeypatch.setattr(cross_check, "compile_by_haiku", lambda program: oracle)
    (error,) = compare_routes(program)
    assert (error.code, error.got) == ("TC120", "w_in")
