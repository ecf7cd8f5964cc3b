"""Every class of fault is refused by its own code, with the smallest witness; and nothing that decodes right is."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from tracr.rasp import rasp

from edgeprune_core.errors import CheckError
from tests import zoo
from tests.tracrcheck.compiler.tracr_bugs.cases import CASES, FaultCase, _diamonds
from tests.tracrcheck.compiler.tracr_bugs.observe import domain, observe
from tracrcheck.compiler.compile import compile_program
from tracrcheck.compiler.equivalence import check_compiled, compare
from tracrcheck.compiler.tracr_bugs import FAULT_CLASSES
from tracrcheck.compiler.truthiness import boolean_uses
from tracrcheck.compiler.unsupported import MOST_STEPS, steps_of
from tracrcheck.rasp.interpreter import Evaluator

HARMLESS_HERE = "TC317"  # labels are counted anew, so no two expressions share one


def of_kind(*kinds):
    chosen = [c for c in CASES if c.kind in kinds and c.code != HARMLESS_HERE]
    return pytest.mark.parametrize("case", chosen, ids=lambda c: c.slug)


def refused(program) -> CheckError:
    with pytest.raises(CheckError) as caught:
        check_compiled(compile_program(program))
    return caught.value


def shown(value):
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


@of_kind("wrong")
def test_a_program_that_decodes_wrongly_is_refused_with_the_witness_that_tracr_itself_gives(case: FaultCase):
    error, program = refused(case.program), case.program
    if case.varies:  # which value is decoded hangs on the order of a set: on both routes, and in each process
        (token,) = [t for t in program.vocab if error.got.endswith(f" of input {[t]}")]
        assert error.code == case.code
        assert not error.got.startswith(f"{token!r} from")
        assert error.wanted == f"{token!r}, as the RASP interpreter says ([{token!r}])"
        return
    witness = observe(program).witness
    assert error.code == case.code
    assert f"wrongly, {FAULT_CLASSES[case.code].words}: " in error.what
    assert error.do == case.do
    assert error.got.endswith(f"of input {witness.given}")
    place = int(error.got.split(" at position ")[1].split()[0])
    assert error.wanted == (
        f"{shown(witness.interpreted[place - 1])}, as the RASP interpreter says "
        f"([{', '.join(map(shown, witness.interpreted))}])"
    )
    got = error.got.split(" from the compiled model")[0]
    decoded = witness.decoded[place - 1]
    if isinstance(decoded, float):
        assert float(got) == pytest.approx(decoded, abs=1e-4)  # JAX computes in float32
    else:
        assert got == repr(decoded)


def _raised(sop, given) -> str:
    try:
        rasp.evaluate(sop, given)
    except Exception as error:
        return f"{type(error).__name__}: {error}, at input {given}"
    return ""


@of_kind("undefined")
def test_a_program_on_which_the_interpreter_raises_is_refused_with_the_first_such_input(case: FaultCase):
    error, sop = refused(case.program), case.program.build()
    raised = next(found for given in domain(case.program) if (found := _raised(sop, given)))
    assert error.got == raised
    assert (error.code, error.do) == (case.code, case.do)


@of_kind("crash", "refused")
def test_a_program_that_tracr_cannot_compile_is_refused_by_its_class(case: FaultCase):
    error = refused(case.program)
    assert (error.code, error.do) == (case.code, case.do)
    assert f", {FAULT_CLASSES[case.code].words}: " in error.what
    assert error.got
    assert error.wanted


def test_expressions_that_would_share_a_label_in_tracr_do_not_here():
    (case,) = [c for c in CASES if c.code == HARMLESS_HERE]
    assert observe(case.program).n_different
    check_compiled(compile_program(case.program))


@of_kind("slow")
def test_a_program_with_too_many_paths_is_refused_at_once(case: FaultCase):
    check_compiled(compile_program(case.program))  # small enough: it decodes right
    started = time.monotonic()
    error = refused(replace(case.program, build=lambda: _diamonds(200)))
    assert time.monotonic() - started < 5
    assert (error.code, error.do) == (case.code, case.do)
    assert error.wanted == f"at most {MOST_STEPS:,}"


def test_the_steps_are_those_of_tracrs_two_walks():
    from tracr.compiler import craft_graph_to_model, nodes, rasp_to_graph

    for depth in (1, 3, 5):
        extracted = rasp_to_graph.extract_rasp_graph(_diamonds(depth))
        steps = 0

        class Counted:
            def __init__(self, graph):
                self.graph, self.nodes = graph, graph.nodes

            def successors(self, node):
                nonlocal steps
                steps += 1
                return self.graph.successors(node)

        counted = Counted(extracted.graph)
        craft_graph_to_model.compute_computational_depth(counted, [s[nodes.ID] for s in extracted.sources])
        visits = sum(2 * 2**level for level in range(depth)) + 2**depth
        assert steps_of(_diamonds(depth)) == steps + visits


@of_kind("author")
def test_a_chained_comparison_is_told_with_its_line(case: FaultCase):
    (error,) = boolean_uses(case.program)
    assert error.code == case.code
    assert "cases.py:" in error.where
    check_compiled(compile_program(replace(case.program, reference=None)))


def test_every_code_has_a_case():
    assert {case.code for case in CASES} == set(FAULT_CLASSES)


# What decodes right is not refused -----------------------------------------------------------------------


@pytest.mark.parametrize("name", zoo.NAMES)
def test_no_program_of_the_zoo_is_refused(name):
    assert compare(zoo.compiled(name))[1] == []
    assert boolean_uses(zoo.program(name)) == []


@pytest.mark.parametrize("name", ["reverse", "frac_prevs", "shuffle_dyck2", "induction", "copy_indices"])
def test_the_walk_says_what_tracrs_evaluator_says(name):
    from tracr.rasp import causal_eval

    ours = zoo.compiled(name)
    evaluate = causal_eval.evaluate if ours.program.causal else rasp.evaluate
    for tokens in ours.domain.inputs[:: max(1, len(ours.domain.inputs) // 50)]:
        assert Evaluator(tokens, causal=ours.program.causal)(ours.sop) == evaluate(ours.sop, list(tokens))
