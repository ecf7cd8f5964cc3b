"""The domain: which token lists there are, in which order, and what is sampled."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tracr.rasp import rasp

from edgeprune_core.errors import CheckError
from tracrcheck import Program
from tracrcheck.rasp.domain import domain_of, token_order

PROGRAM = Program(name="p", build=lambda: rasp.tokens, vocab={"b", "a"}, max_seq_len=2)
WHOLE = 20_000  # as docs/limits.md says


def test_the_domain_is_every_list_shortest_first_in_the_order_of_the_tokens():
    domain = domain_of(PROGRAM)
    assert domain.inputs == (("a",), ("b",), ("a", "a"), ("a", "b"), ("b", "a"), ("b", "b"))
    assert domain.sampled is None


def test_tokens_that_do_not_compare_are_ordered_by_kind_and_text():
    assert token_order(["b", 2, "a", 1]) == [1, 2, "a", "b"]
    assert token_order([10, 9]) == [9, 10]


def test_a_predicate_leaves_only_legal_lists_and_is_given_a_list():
    kinds = []
    program = replace(PROGRAM, domain=lambda tokens: kinds.append(type(tokens)) or tokens[0] == "a")
    assert domain_of(program).inputs == (("a",), ("a", "a"), ("a", "b"))
    assert set(kinds) == {list}


def test_lengths_choose_among_the_inputs():
    assert domain_of(PROGRAM).of_lengths(2, 2).inputs == domain_of(PROGRAM).inputs[2:]
    assert domain_of(PROGRAM).of_lengths(3, 9).inputs == ()


def test_an_empty_domain_is_refused():
    with pytest.raises(CheckError) as caught:
        domain_of(replace(PROGRAM, domain=lambda tokens: False))
    assert str(caught.value) == (
        "TC105 the domain of 'p' is empty\n    got     no token list of length 1-2 over ['a', 'b'] is legal\n"
        "    wanted  at least one\n    do      change `domain`, `vocab` or `max_seq_len`"
    )


def test_a_predicate_that_raises_is_named_with_the_list_it_raised_on():
    with pytest.raises(CheckError) as caught:
        domain_of(replace(PROGRAM, domain=lambda tokens: tokens[1] == "a"))
    assert caught.value.code == "TC105"
    assert caught.value.got == "['a']: list index out of range"


def test_above_the_limit_the_domain_is_a_sample_that_is_always_the_same():
    program = replace(PROGRAM, vocab={"a", "b", "c"}, max_seq_len=10)
    domain = domain_of(program)
    total = sum(3**n for n in range(1, 11))
    assert total > WHOLE >= len(domain.inputs)
    assert domain.sampled == domain.of_lengths(2, 9).sampled == total
    assert domain == domain_of(program)
    assert len(set(domain.inputs)) == len(domain.inputs) > WHOLE / 2
    assert [len(x) for x in domain.inputs] == sorted(len(x) for x in domain.inputs)
    assert len(domain.of_lengths(1, 5).inputs) == sum(3**n for n in range(1, 6))  # short lists are whole


def test_at_the_limit_the_domain_is_whole():
    program = replace(PROGRAM, vocab=set(range(WHOLE)), max_seq_len=1)
    assert domain_of(program).sampled is None
    assert len(domain_of(program).inputs) == WHOLE


def test_a_sample_of_a_length_is_drawn_from_all_of_it():
    """Not its first lists: every token stands at every place about equally often."""
    domain = domain_of(replace(PROGRAM, vocab={"a", "b", "c"}, max_seq_len=10))
    longest = [tokens for tokens in domain.inputs if len(tokens) == 10]
    assert 1000 < len(longest) < 3**10
    for place in range(10):
        for token in "abc":
            share = sum(tokens[place] == token for tokens in longest) / len(longest)
            assert abs(share - 1 / 3) < 0.05  # the standard deviation is below 0.015
