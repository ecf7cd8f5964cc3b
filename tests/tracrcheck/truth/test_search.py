"""Certificates against an independent search of every circuit."""

from __future__ import annotations

from functools import cache

import pytest

from edgeprune_core.circuit import Circuit
from edgeprune_core.criterion import decode
from edgeprune_core.engine import trace
from edgeprune_core.errors import CheckError
from tests import zoo
from tests.tracrcheck.truth import bruteforce as brute
from tests.tracrcheck.truth.random_programs import random_program
from tracrcheck.compiler.compile import compile_program
from tracrcheck.truth.certify import certify
from tracrcheck.truth.permitted import permitted
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

MOST = 14  # permitted edges: 2^14 circuits
ABLATIONS, CRITERIA = ("zero", "mean", "resample"), ("value", "decoded")
# One of each kind: a token map, numbers, a wide MLP chain, two heads, redundant or unequal paths, causal.
BY_DEFAULT = (
    *("negate_bit", "mean_of_bits", "hist", "shift_by_two", "xproportion", "at_least_half"),
    *("sort_bits", "follow_pointer", "sort_unique", "forward_fill", "last_a", "nesting_level"),
)


@cache
def allowed(name) -> Circuit:
    ours = zoo.compiled(name)
    return permitted(ours.model, ours.encode(ours.domain.inputs)[0])


SMALL = [name for name in zoo.NAMES if zoo.made_by_tracr(name) and len(allowed(name)) <= MOST]


def agree(ours, ablation, criterion, *, allowed=None) -> str:
    """What the two say differently; empty where they agree."""
    setting = Setting(ablation=ablation, criterion=criterion)
    got = certify(task_of(ours, setting), setting, allowed=allowed)
    want = brute.truth(ours.program, ablation, criterion)
    faults = []
    if frozenset(got.required.texts) not in want.smallest:
        faults.append(f"required: {got.required.texts}, not one of {[sorted(c) for c in want.smallest]}")
    if "smallest" not in got.proved:
        faults.append(f"smallest: {got.says('smallest')}")
    if ("unique" in got.proved) != want.unique:
        faults.append(f"unique: {got.says('unique')}, {len(want.smallest)} smallest")
    if got.other is not None and (
        got.other == got.required or frozenset(got.other.texts) not in want.smallest
    ):
        faults.append(f"other: {got.other.texts}")
    if got.vacuous != want.vacuous:
        faults.append(f"vacuous: {got.vacuous}, {want.vacuous}")
    if (got.sampled or got.n_items) != want.n_rows:
        faults.append(f"items: {got.sampled or got.n_items}, {want.n_rows}")
    return "; ".join(faults)


@pytest.mark.parametrize(
    "name", [n if n in BY_DEFAULT else pytest.param(n, marks=pytest.mark.slow) for n in SMALL]
)
def test_required_smallest_and_unique_are_what_trying_every_circuit_finds(name):
    ours = zoo.compiled(name)
    assert set(allowed(name).texts) == set(brute.truth(ours.program, "zero").permitted)
    for ablation in ABLATIONS:
        for criterion in CRITERIA:
            assert not (fault := agree(ours, ablation, criterion)), f"{ablation}, {criterion}: {fault}"


def test_most_of_the_programs_are_small_enough_to_be_compared():
    assert set(SMALL) >= set(BY_DEFAULT)
    assert len(SMALL) >= 50


# ---------------------------------------------------------------- random programs


def _faulty(ours) -> bool:
    """Whether Tracr compiled it into something else than RASP says (or RASP itself fails on some input)."""
    try:
        said = [ours.interpret(x) for x in ours.domain.inputs]
    except Exception:
        return True
    tokens, valid = ours.encode(ours.domain.inputs)
    rows = decode(trace(ours.model, tokens, valid=valid).outputs).tolist()
    return any(
        value is not None and ours.output_values[got] != value
        for values, row in zip(said, rows, strict=True)
        for value, got in zip(values, row[1:], strict=False)
    )


@cache
def random_programs(how_many):
    """The first so many that compile rightly and have few permitted edges, and how many were left out."""
    kept, refused, faulty, large, seed = [], 0, 0, 0, 0
    while len(kept) < how_many:
        seed += 1
        try:
            ours = compile_program(random_program(seed))
        except CheckError as error:
            if error.code != "TC106":
                raise
            refused += 1
            continue
        if _faulty(ours):
            faulty += 1
        elif len(permitted(ours.model, ours.encode(ours.domain.inputs)[0])) > MOST:
            large += 1
        else:
            kept.append(ours)
    return kept, {"refused": refused, "faulty": faulty, "large": large}


def _compare(programs):
    faults = [
        f"{ours.program.name}, {ablation}, {criterion}: {fault}"
        for ours in programs
        for ablation in ABLATIONS
        for criterion in CRITERIA
        if (fault := agree(ours, ablation, criterion))
    ]
    assert not faults, "\n".join(faults)


def test_six_random_programs_have_the_truths_that_trying_every_circuit_finds():
    _compare(random_programs(6)[0])


@pytest.mark.slow
def test_thirty_random_programs_have_the_truths_that_trying_every_circuit_finds():
    kept, left_out = random_programs(30)
    assert left_out == {"refused": 0, "faulty": 1, "large": 3}  # the seeds are fixed, so is what they make
    _compare(kept)


def test_random_programs_are_the_same_each_time():
    for seed in range(1, 5):
        one, other = random_program(seed), random_program(seed)
        assert (one.vocab, one.max_seq_len, one.causal) == (other.vocab, other.max_seq_len, other.causal)


# ---------------------------------------------------------------- the comparison can fail


@pytest.mark.parametrize("name", ["xproportion", "sort_unique", "hist"])
def test_a_permitted_list_without_one_required_edge_turns_the_comparison_red(name):
    ours = zoo.compiled(name)
    required = certify(task_of(ours, Setting()), Setting()).required
    for edge in required:
        try:
            fault = agree(ours, "zero", "value", allowed=allowed(name).without(edge))
        except CheckError as refusal:
            fault = str(refusal)
            wanted = "are not faithful together"
        else:
            wanted = "required: "
        assert wanted in fault, f"{edge} was not missed: {fault}"
