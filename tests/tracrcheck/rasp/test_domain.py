"""The domain: which token lists there are, in which order, and what is sampled."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from tracr.rasp import rasp

from edgeprune_core.errors import CheckError
from tracrcheck import Program
from tracrcheck.rasp import domain as domain_module
from tracrcheck.rasp import legal_lists
from tracrcheck.rasp.domain import domain_of, token_order
from tracrcheck.rasp.legal_lists import search

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
    assert domain.sampled == domain.of_lengths(2, 9).sampled + 3 + 3**10 == total
    assert domain == domain_of(program)
    assert len(set(domain.inputs)) == len(domain.inputs) > WHOLE / 2
    assert [len(x) for x in domain.inputs] == sorted(len(x) for x in domain.inputs)
    assert len(domain.of_lengths(1, 5).inputs) == sum(3**n for n in range(1, 6))  # short lists are whole


def test_at_the_limit_the_domain_is_whole():
    program = replace(PROGRAM, vocab=set(range(WHOLE)), max_seq_len=1)
    assert domain_of(program).sampled is None
    assert len(domain_of(program).inputs) == WHOLE


# Inputs that fit the program -------------------------------------------------------------------------------


def balanced(tokens):
    """Every kind of bracket is closed as often as it is opened, and never before."""
    for opening, closing in ("()", "[]", "{}"):
        depth = 0
        for token in tokens:
            depth += (token == opening) - (token == closing)
            if depth < 0:
                return False
        if depth:
            return False
    return True


def sum_begins(tokens):
    """A beginning of "a+b=c", the digits of c right."""
    text = "".join(tokens)
    left, plus, rest = text.partition("+")
    right, equals, total = rest.partition("=")
    if not all(part == "" or (part.isdigit() and len(part) == 1) for part in (left, right)):
        return False
    if (plus and not left) or (equals and not right):
        return False
    return not equals or f"{int(left) + int(right):02d}".startswith(total)


SUMS = replace(PROGRAM, vocab=set("0123456789+="), max_seq_len=8, domain=sum_begins)


def test_legal_lists_that_are_beginnings_of_legal_lists_are_all_found_and_counted():
    domain = domain_of(SUMS)
    complete = [x for x in domain.inputs if len(x) == 6]
    assert len(complete) == 100
    assert ("7", "+", "8", "=", "1", "5") in complete
    # digit, +, digit, =, and two digits of the sum
    assert len(domain.inputs) == 10 + 10 + 100 + 100 + 100 + 100
    assert domain.sampled is None


def test_legal_lists_with_illegal_beginnings_are_drawn_and_their_number_is_unknown(monkeypatch):
    program = replace(PROGRAM, vocab=set("()[]{}"), max_seq_len=10, domain=balanced)
    monkeypatch.setattr(legal_lists, "TRIES", 5000)
    domain = domain_of(program)
    assert {len(x) for x in domain.inputs} == {2, 4, 6, 8, 10}
    assert all(balanced(x) for x in domain.inputs)
    assert domain.sampled == "unknown"
    assert domain.totals[4] == 24
    assert domain.totals[10] is None
    assert domain.of_lengths(1, 4).sampled is None
    assert domain == domain_of(program)
    assert "random lists of length 6-10" in domain.found


@pytest.mark.parametrize(
    "domain",
    [
        lambda x: x[-1] == "?" and "?" not in x[:-1],
        lambda x: len(x) % 3 == 0,
        lambda x: len(x) < 8 or x.count("?") == 3,
    ],
    ids=["a token at the end", "some lengths", "long lists only"],
)
def test_a_domain_that_is_not_prefix_closed_is_never_counted_as_whole(domain, monkeypatch):
    monkeypatch.setattr(legal_lists, "TRIES", 5000)
    program = replace(PROGRAM, vocab=set("()[]?"), max_seq_len=12, domain=domain)
    assert domain_of(program).sampled == "unknown"


@pytest.mark.parametrize("gap", [None, *range(1, 8)])
def test_the_number_of_legal_lists_of_a_length_is_exact_or_unknown_and_no_length_is_lost(gap, monkeypatch):
    """Also where only a part of the lists is extended, and where no list of one length is legal."""
    limits = {"SHORT": 14, "EXTENDED": 60, "PART": 5, "TRIES": 200, "TRIES_CLOSED": 20}
    for name, limit in limits.items():
        monkeypatch.setattr(legal_lists, name, limit)

    def legal(tokens):
        return tokens[0] == "a" and len(tokens) != gap

    found = legal_lists.search(legal, "ab", 8, 100)
    for n in range(1, 9):
        every = {x for x in itertools.product("ab", repeat=n) if legal(x)}
        assert set(found.lists[n]) <= every
        assert bool(found.lists[n]) == bool(every)
        assert found.totals[n] in (len(every), None)
        assert len(found.lists[n]) == len(every) or found.totals[n] is None
    assert found.totals[3] == (0 if gap == 3 else 4)  # short lists are always counted


def test_where_no_legal_list_is_found_the_author_is_asked_to_supply_some(monkeypatch):
    monkeypatch.setattr(legal_lists, "ALL_TRIES", 4700)
    program = replace(PROGRAM, max_seq_len=60, domain=lambda x: len(x) > 50 and len(set(x)) == 1)
    with pytest.raises(CheckError) as caught:
        domain_of(program)
    assert str(caught.value) == (
        "TC105 no legal input of 'p' was found\n"
        "    got     of 4,700 random lists of length 14-60, 0 different ones are legal\n"
        "    wanted  at least one\n    do      give the legal lists as `Program(inputs=...)`"
    )


def test_inputs_that_the_program_gives_are_the_domain():
    given = [["b", "a"], ("a",), ["b", "a"]]
    for inputs in (given, (x for x in given)):
        program = replace(PROGRAM, inputs=inputs)
        assert domain_of(program).inputs == (("a",), ("b", "a")) == domain_of(program).inputs
        assert domain_of(program).sampled is None


def test_too_many_given_inputs_are_sampled_by_length_and_counted():
    program = replace(PROGRAM, max_seq_len=12, inputs=itertools.product("ab", repeat=12))
    domain = domain_of(replace(program, inputs=[*program.inputs, ["a"]]), 100)
    assert [len(x) for x in domain.inputs] == [1] + [12] * 99
    assert domain.sampled == 2**12 + 1
    assert domain_of(program, None).sampled is None


def test_a_callable_draws_inputs_from_a_seeded_generator():
    def drawn(rng):
        while True:
            yield rng.choices("ab", k=rng.randint(1, 30))

    program = replace(PROGRAM, max_seq_len=30, inputs=drawn)
    domain = domain_of(program, 600)
    assert domain == domain_of(program, 600)
    assert len(domain.inputs) == 600
    assert domain.sampled == "unknown"
    assert domain.found == "600 different lists in 674 that `inputs` drew"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("ab", "token lists"),
        (7, "token lists"),
        ([], "a length of 1-2"),
        (["a", "b", "a"], "a length of 1-2"),
        (["c"], "tokens of the vocabulary, unlike 'c'"),
        ([["a"]], "tokens of the vocabulary, unlike ['a']"),
        (["b"], "lists that `domain` accepts"),
    ],
)
def test_a_given_input_that_does_not_fit_is_named(given, wanted):
    with pytest.raises(CheckError) as caught:
        domain_of(replace(PROGRAM, inputs=[["a"], given], domain=lambda x: x[0] == "a"))
    assert (caught.value.code, caught.value.wanted) == ("TC105", wanted)


def raising(rng):
    yield ["a"]
    raise ValueError("no more")


@pytest.mark.parametrize(
    ("inputs", "what", "got"),
    [
        (raising, "`inputs` of 'p' raised ValueError", "no more, after 1 token list"),
        (raising(None), "`inputs` of 'p' raised ValueError", "no more, after 1 token list"),
        (
            lambda rng: 1 / 0,
            "`inputs` of 'p' raised ZeroDivisionError",
            "division by zero, after 0 token lists",
        ),
        (lambda: [["a"]], "`inputs` of 'p' raised TypeError", "takes 0 positional arguments but 1 was given"),
        (lambda rng: None, "`inputs` of 'p' gives what is no input", "None from the function"),
        (lambda rng: 5, "`inputs` of 'p' gives what is no input", "5 from the function"),
        (5, "`inputs` of 'p' gives what is no input", "5"),
        ([], "the domain of 'p' is empty", "`inputs` gives no token list"),
        (iter([]), "the domain of 'p' is empty", "`inputs` gives no token list"),
        (lambda rng: [], "the domain of 'p' is empty", "`inputs` gives no token list"),
    ],
)
def test_inputs_that_give_no_lists_are_the_authors_error(inputs, what, got):
    program = replace(PROGRAM, inputs=inputs)
    for _ in range(2):  # a generator that raised is not taken for one that ended
        with pytest.raises(CheckError) as caught:
            domain_of(program)
        error = caught.value
        assert (error.code, error.what) == ("TC105", what)
        assert got in error.got
        assert error.wanted
        assert "`inputs`" in error.do


def test_inputs_without_an_end_are_read_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(domain_module, "MOST_HELD", 50)
    program = replace(PROGRAM, inputs=itertools.repeat(["a"]))
    for most in (WHOLE, None):
        with pytest.raises(CheckError) as caught:
            domain_of(program, most)
        assert str(caught.value) == (
            "TC105 `inputs` of 'p' has no end, or is too long\n    got     more than 50 lists\n"
            "    wanted  a list, or a generator of at most 50\n"
            "    do      give fewer lists, or a function that draws some: `def inputs(rng): ...`"
        )
    assert domain_of(replace(program, inputs=itertools.repeat(["a"], 50))).inputs == (("a",),)
    assert domain_of(replace(program, inputs=[["a"]] * 51)).inputs == (("a",),)
    assert domain_of(replace(program, inputs=lambda rng: itertools.repeat(["a"])), 30).inputs == (("a",),)


def test_a_generator_that_changes_one_list_yields_what_it_was_each_time():
    def growing():
        tokens = []
        for token in "ab":
            tokens.append(token)
            yield tokens

    program = replace(PROGRAM, inputs=growing())
    assert domain_of(program).inputs == (("a",), ("a", "b")) == domain_of(program).inputs


def test_all_inputs_are_refused_where_they_do_not_fit():
    with pytest.raises(CheckError) as caught:
        domain_of(replace(PROGRAM, max_seq_len=40), None)
    assert str(caught.value) == (
        "TC105 too many inputs of 'p'\n    got     2,199,023,255,550\n    wanted  at most 2,000,000\n"
        "    do      give a number: --inputs N"
    )


def test_the_limit_decides_which_domain_is_whole():
    program = replace(PROGRAM, max_seq_len=14)
    assert domain_of(program).sampled == 2**15 - 2
    assert domain_of(program, 2**15 - 2).sampled is None
    assert len(domain_of(program, None).inputs) == 2**15 - 2


def test_a_sample_of_a_length_is_drawn_from_all_of_it():
    """Not the first lists of the length: every token is at every position about equally often."""
    domain = domain_of(replace(PROGRAM, vocab={"a", "b", "c"}, max_seq_len=10))
    longest = [tokens for tokens in domain.inputs if len(tokens) == 10]
    assert 1000 < len(longest) < 3**10
    for place in range(10):
        for token in "abc":
            share = sum(tokens[place] == token for tokens in longest) / len(longest)
            assert abs(share - 1 / 3) < 0.05  # the standard deviation is below 0.015


def test_where_every_list_was_tried_no_random_ones_are_counted():
    """Lists of three tokens are illegal, so the domain is not prefix-closed; all 30 lists of up to 4 are tried."""
    found = search(lambda x: len(x) != 3, ["a", "b"], 4, 20)
    assert (found.how, found.totals) == (
        "of all 30 lists of length 1-4, 22 are legal",
        {1: 2, 2: 4, 3: 0, 4: 16},
    )
