"""A program is refused where the compiled model, the interpreter or the reference disagree; with the witness."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tracr.rasp import rasp

from edgeprune_core.errors import CheckError
from edgeprune_core.weights import Model
from tracrcheck import Program
from tracrcheck.compiler import equivalence
from tracrcheck.compiler.compile import compile_program
from tracrcheck.compiler.equivalence import check_compiled, compare


def compiled(build, *, vocab=(0, 1), max_seq_len=2, **rest):
    return compile_program(Program(name="p", build=build, vocab=vocab, max_seq_len=max_seq_len, **rest))


def error_of(made) -> str:
    with pytest.raises(CheckError) as caught:
        check_compiled(made)
    return str(caught.value)


def flip():
    return rasp.Map(lambda t: 1 - t, rasp.tokens).named("flip")


def categorical_mean():
    everything = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE)
    return rasp.Aggregate(everything, rasp.tokens).named("mean")


def test_a_right_program_is_counted():
    report = check_compiled(compiled(flip, reference=lambda tokens: [1 - t for t in tokens]))
    assert (report.n_inputs, report.n_positions, report.n_without_value, report.sampled) == (6, 10, 0, None)


def test_positions_without_a_value_are_counted_and_not_compared():
    def shifted():
        left = rasp.Select(rasp.indices, rasp.indices, lambda key, query: key == query - 1)
        return rasp.Aggregate(left, rasp.tokens).named("left")

    report = check_compiled(compiled(shifted, reference=lambda tokens: [None, *tokens[:-1]]))
    assert (report.n_positions, report.n_without_value) == (4, 6)


def test_a_program_that_tracr_compiles_wrongly_is_refused_with_the_smallest_input():
    assert error_of(compiled(categorical_mean)) == (
        "TC303 Tracr compiles 'p' wrongly, categorical mean: mean = aggregate(select(tokens, tokens, True), tokens)\n"
        "    got     0 from the compiled model at position 1 of input [0, 1]\n"
        "    wanted  0.5, as the RASP interpreter says ([0.5, 0.5])\n"
        "    do      narrow the selector to one value, or average a numerical 0/1 encoding"
    )


def test_a_numerical_output_may_be_off_by_a_hundredth_of_its_range():
    def negative():  # Tracr turns negative numbers into 0
        return rasp.numerical(rasp.Map(lambda t: t - 1, rasp.tokens)).named("less_one")

    assert "0 from the compiled model at position 1 of input [0]" in error_of(compiled(negative)).replace(
        "-0", "0"
    )


@pytest.mark.parametrize("least", [0, 100])
def test_the_tolerance_is_a_hundredth_of_the_range_and_not_of_the_size(least):
    made = compiled(lambda: rasp.numerical(rasp.Map(lambda t: t + least, rasp.tokens)).named("p"))

    def off_by(change):
        weights = made.model.weights
        return replace(
            made, model=Model(made.model.spec, replace(weights, unembed=weights.unembed * (1 + change)))
        )

    check_compiled(off_by(0.005 / (least + 1)))
    assert "from the compiled model at position 1 of input" in error_of(off_by(0.02 / (least + 0.5)))


def test_a_reference_may_be_off_by_rounding_alone():
    def build():
        return rasp.numerical(rasp.Map(lambda t: t + 1, rasp.tokens)).named("p")

    check_compiled(compiled(build, reference=lambda tokens: [(t + 1) * (1 + 1e-12) for t in tokens]))
    assert error_of(
        compiled(build, reference=lambda tokens: [(t + 1) * (1 + 1e-6) for t in tokens])
    ).startswith("TC110")


def test_the_last_of_many_inputs_is_compared(monkeypatch):
    made = compiled(flip, max_seq_len=11)
    last = made.domain.inputs[-1]
    assert len(made.domain.inputs) > 4000
    wrong = replace(made.program, reference=lambda tokens: [1 - t for t in tokens if tuple(tokens) != last])
    assert f"at input {list(last)}" in error_of(replace(made, program=wrong))
    *others, values = equivalence.outputs(made)
    monkeypatch.setattr(equivalence, "outputs", lambda compiled: [*others, [*values[:-1], 1]])
    assert f"at position 11 of input {list(last)}" in error_of(made)


def test_a_reference_that_says_otherwise_is_reported():
    made = compiled(flip, reference=lambda tokens: [t if len(tokens) > 1 else 1 - t for t in tokens])
    assert error_of(made) == (
        "TC110 the program 'p' differs from its reference: flip = map(tokens)\n"
        "    got     [0, 0] from `reference` at position 1 of input [0, 0]\n"
        "    wanted  [1, 1], as the RASP interpreter says\n"
        "    do      one of the two is wrong: fix `build` or `reference`"
    )


def test_a_reference_of_another_length_is_reported():
    assert "got     [1, 7] from `reference` at input [0]" in error_of(
        compiled(flip, reference=lambda tokens: [1, 7])
    )


def test_a_reference_that_raises_is_reported():
    text = error_of(compiled(flip, reference=lambda tokens: [1 / t for t in tokens]))
    assert text.startswith(
        "TC110 the reference of 'p' raises\n    got     ZeroDivisionError: division by zero, at input [0]"
    )


def test_a_reference_that_gives_a_value_where_the_program_gives_none_is_reported():
    def shifted():
        left = rasp.Select(rasp.indices, rasp.indices, lambda key, query: key == query - 1)
        return rasp.Aggregate(left, rasp.tokens).named("left")

    assert error_of(compiled(shifted, reference=lambda tokens: [0, *tokens[:-1]])) == (
        "TC110 the reference of 'p' gives a value where the program gives none: left = aggregate(select(indices, indices), tokens)\n"
        "    got     [0] from `reference` at position 1 of input [0]\n"
        "    wanted  [None], as the RASP interpreter says: None means that there is no value\n"
        "    do      return None there in `reference`, or change `build` so that something is selected everywhere"
    )


def test_an_interpreter_that_raises_is_reported_with_the_input():
    def two_symbols():
        everything = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE)
        return rasp.Aggregate(everything, rasp.tokens).named("mean")

    text = error_of(compiled(two_symbols, vocab=("a", "b")))
    assert text.startswith("TC304 the RASP interpreter raises on 'p', mean of symbols: mean = ")
    assert "at input ['a', 'a']" in text


def test_every_kind_of_disagreement_is_found_at_once():
    _, found = compare(compiled(categorical_mean, reference=lambda tokens: tokens))
    assert [error.code for error in found] == ["TC303", "TC110"]
