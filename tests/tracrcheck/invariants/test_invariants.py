"""Every invariant holds over several seeds, and a broken core turns it red."""

from __future__ import annotations

import ast
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.tracrcheck.invariants.breaks import BREAKS, UNTOUCHED
from tests.tracrcheck.invariants.breaks.judging import margins_rounded_apart
from tracrcheck.invariants import INVARIANTS
from tracrcheck.invariants import forward as by_hand
from tracrcheck.invariants.runner import check_all, check_one, chosen
from tracrcheck.invariants.subjects import KINDS, Subject, of_program, program_subjects, small, subjects
from tracrcheck.strategies import compiled_programs

# These train: seconds over all subjects.
DEAR = ("determinism", "reported_circuit", "permuted_pruning")
LAWS = [i.name for i in INVARIANTS if i.law]


@cache
def known(kind: str, seed: int) -> Subject:
    return next(program_subjects(seed, 1)) if kind == "program" else small(kind, seed)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", [n for n in LAWS if n not in DEAR])
def test_it_holds(name, seed):
    (invariant,) = chosen([name])
    about = [s for s in (known(kind, seed) for kind in (*KINDS, "program")) if invariant.applies(s)]
    for subject in about:
        assert check_one(invariant, subject, seed).violation is None
    assert about or name == "exact_on_linear"


@pytest.mark.parametrize("kind", ["llama", "program"])
@pytest.mark.parametrize("name", DEAR)
def test_it_holds_where_something_is_trained(name, kind):
    (invariant,) = chosen([name])
    if invariant.applies(subject := known(kind, 1)):
        assert check_one(invariant, subject, 1).violation is None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_all_hold_over_more_seeds(seed):
    assert [c for c in check_all(INVARIANTS, [seed], programs=2) if c.red] == []


@given(compiled_programs(max_operations=3))
@settings(max_examples=3)
def test_those_of_programs_hold_on_programs_that_hypothesis_draws(compiled):
    subject = of_program(compiled)
    for invariant in INVARIANTS:
        if invariant.law and invariant.name not in DEAR and invariant.applies(subject):
            assert check_one(invariant, subject, 0).violation is None, invariant.name


def test_every_law_has_a_break_that_shows_it():
    assert sorted(BREAKS) == sorted(LAWS)


@pytest.mark.parametrize(
    ("name", "number"), [(name, i) for name, breaks in BREAKS.items() for i in range(len(breaks))]
)
def test_a_broken_core_turns_it_red(name, number, monkeypatch):
    broken, kind, seed = BREAKS[name][number]
    (invariant,) = chosen([name])
    if kind == "program":  # a broken core would have it refused before anything is checked
        whole = known(kind, seed)
        subject = replace(whole, tasks={ablation: replace(task) for ablation, task in whole.tasks.items()})
        broken(monkeypatch)
    else:
        broken(monkeypatch)
        subject = small(kind, seed)
    assert invariant.applies(subject)
    found = check_one(invariant, subject, seed)
    assert found.red, f"{broken.__name__} goes unnoticed by {name}"
    for other in UNTOUCHED.get(broken.__name__, ()):
        (invariant,) = chosen([other])
        if invariant.applies(subject):
            assert check_one(invariant, subject, seed).violation is None, other


def test_margins_apart_by_rounding_are_no_violation(monkeypatch):
    """The break `rounding_is_a_difference` brings such margins along; only what it makes of them is wrong."""
    margins_rounded_apart(monkeypatch)
    (invariant,) = chosen(["normalised"])
    assert check_one(invariant, small("gpt2", 1), 1).violation is None


def test_nothing_of_the_engine_is_in_the_forward_by_hand():
    tree = ast.parse(Path(by_hand.__file__).read_text(encoding="utf-8"))
    froms = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert froms == {"__future__", "collections.abc", "dataclasses", "edgeprune_core.spec"}
    assert plain == {"math", "numpy"}


@pytest.mark.parametrize("seed", range(6))
def test_small_models_have_what_compiled_ones_lack(seed):
    for subject in subjects(seed, programs=0):
        spec = subject.spec
        assert spec.n_heads != spec.n_layers
        assert spec.n_heads * spec.d_head != spec.d_model
        assert all(
            t.abs().sum() > 0 for name, t in subject.model.weights.tensors().items() if name.startswith("b_")
        )
        assert len(set(subject.tasks["zero"].valid.sum(1).tolist())) == 3
    kinds = {kind: small(kind, seed).spec for kind in KINDS}
    assert kinds["gpt2"].norm == "layernorm"
    assert kinds["gpt2"].causal
    assert kinds["llama"].norm == "rmsnorm"
    assert kinds["llama"].n_kv_heads < kinds["llama"].n_heads
    assert kinds["plain"].norm == "none"


def test_the_same_seed_gives_the_same_subjects():
    once, again, other = ([s.model.digest() for s in subjects(seed)] for seed in (3, 3, 4))
    assert once == again
    assert not set(once) & set(other)
