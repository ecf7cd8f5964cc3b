"""Tracr still fails where the table says it does: a change upstream shows here first."""

import re

import jax
import pytest
from tracr.compiler import rasp_to_graph
from tracr.rasp import rasp

from tests.tracrcheck.compiler.tracr_bugs.cases import CASES, FaultCase
from tests.tracrcheck.compiler.tracr_bugs.document import HEAD, MESSAGES, PAGE, messages, row
from tests.tracrcheck.compiler.tracr_bugs.observe import compile_program, domain, observe


def of_kind(*kinds):
    return pytest.mark.parametrize("case", [c for c in CASES if c.kind in kinds], ids=lambda c: c.slug)


@pytest.fixture(autouse=True, scope="module")
def _xla_compiles_quickly():
    """These models run a few times each: compiling them well costs more than it saves."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@of_kind("wrong")
def test_the_compiled_model_differs_from_the_interpreter_and_the_page_shows_where(case: FaultCase):
    seen = observe(case.program)
    assert seen.witness, f"{case.code} {case.slug}: equal on all {seen.n_inputs} inputs"
    assert row(case, seen) in PAGE.read_text(), (
        "run `python -m tests.tracrcheck.compiler.tracr_bugs.document`"
    )


@of_kind("undefined")
def test_it_compiles_but_the_interpreter_raises(case: FaultCase):
    compile_program(case.program)
    sop = case.program.build()
    with pytest.raises(case.raises, match=re.escape(case.says)):
        list(map(sop, domain(case.program)))


@of_kind("crash", "refused")
def test_compiling_raises(case: FaultCase):
    with pytest.raises(case.raises, match=re.escape(case.says)):
        compile_program(case.program)


@of_kind("slow")
def test_tracr_visits_a_shared_expression_once_for_every_path_to_it(case: FaultCase):
    extracted = rasp_to_graph.extract_rasp_graph(case.program.build())
    n_levels = sum(isinstance(node["EXPR"], rasp.SequenceMap) for _, node in extracted.graph.nodes.items())
    assert len(extracted.sources) == 2**n_levels


@of_kind("author")
def test_the_compiled_model_agrees_with_the_interpreter_but_not_with_what_was_meant(case: FaultCase):
    assert observe(case.program).n_different == 0
    sop = case.program.build()
    assert any(rasp.evaluate(sop, given) != case.program.reference(given) for given in domain(case.program))


def test_the_page_has_one_row_for_every_case_in_order():
    text = PAGE.read_text()
    assert text.startswith(HEAD)
    rows = text.removeprefix(HEAD).partition(MESSAGES)[0].splitlines(keepends=True)
    assert [line.split()[1] for line in rows] == [case.code for case in CASES]
    for case, line in zip(CASES, rows, strict=True):
        assert case.kind == "wrong" or line == row(case)


def test_the_page_shows_what_a_user_reads():
    assert PAGE.read_text().endswith(messages()), (
        "run `python -m tests.tracrcheck.compiler.tracr_bugs.document`"
    )


def test_codes_and_slugs_are_unique():
    for names in ([case.code for case in CASES], [case.slug for case in CASES]):
        assert len(set(names)) == len(names)
