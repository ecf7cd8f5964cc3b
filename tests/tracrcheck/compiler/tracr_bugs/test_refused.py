"""Every class of fault is refused by its own code, with the smallest witness; and nothing that decodes right is."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import pytest
from tracr.rasp import rasp

from edgeprune_core.errors import CheckError
from tests import zoo
from tests.tracrcheck.compiler.tracr_bugs.cases import CASES, FaultCase
from tests.tracrcheck.compiler.tracr_bugs.expressions import diamonds
from tests.tracrcheck.compiler.tracr_bugs.observe import domain, observe
from tracrcheck import Program
from tracrcheck.compiler.author_errors import author_errors
from tracrcheck.compiler.compile import compile_program
from tracrcheck.compiler.equivalence import check_compiled, compare
from tracrcheck.compiler.tracr_bugs import FAULT_CLASSES
from tracrcheck.compiler.unsupported import MOST_STEPS, steps_of
from tracrcheck.rasp.interpreter import Evaluator
from tracrcheck.rasp.library import Entry
from tracrcheck.truth.program_check import prepare

# Values of several types are put in one order; each build numbers its labels from the start, so no two expressions share one.
HARMLESS_HERE = ("TC316", "TC317")


def of_kind(*kinds):
    chosen = [c for c in CASES if c.kind in kinds and c.code not in HARMLESS_HERE]
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


@pytest.mark.parametrize("code", HARMLESS_HERE)
def test_what_tracr_alone_compiles_wrongly_is_right_here(code):
    (case,) = [c for c in CASES if c.code == code]
    assert observe(case.program).n_different
    check_compiled(compile_program(case.program))


@of_kind("slow")
def test_a_program_with_too_many_paths_is_refused_at_once(case: FaultCase):
    check_compiled(compile_program(case.program))  # small enough: it decodes right
    started = time.monotonic()
    error = refused(replace(case.program, build=lambda: diamonds(200)))
    assert time.monotonic() - started < 5
    assert (error.code, error.do) == (case.code, case.do)
    assert error.wanted == f"at most {MOST_STEPS:,}"


def test_the_steps_are_those_of_tracrs_two_walks():
    from tracr.compiler import craft_graph_to_model, nodes, rasp_to_graph

    for depth in (1, 3, 5):
        extracted = rasp_to_graph.extract_rasp_graph(diamonds(depth))
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
        assert steps_of(diamonds(depth)) == steps + visits


@of_kind("author")
def test_what_its_author_did_not_mean_is_reported_with_its_line(case: FaultCase):
    (error,) = author_errors(case.program)
    assert error.code == case.code
    assert "expressions.py:" in error.where
    check_compiled(compile_program(replace(case.program, reference=None)))


def _late(made):
    """A program of three digits, each by a function from `made`, that are added up."""

    def build():
        parts = made()
        both = rasp.SequenceMap(lambda a, b: a + b, parts[0], parts[1])
        return rasp.SequenceMap(lambda a, b: a + b, both, parts[2])

    return Program(name="digits", build=build, vocab={1, 23, 456}, max_seq_len=1)


def _in_a_list():
    return [rasp.Map(lambda x: x // 10**d, rasp.tokens) for d in range(3)]  # noqa: B023


def _named():
    parts = []
    for d in range(3):
        parts.append(rasp.Map(lambda x: x // 10**d, rasp.tokens).named(f"digit{d}"))  # noqa: B023
    return parts


def _within_another():
    return [rasp.Map((lambda f: lambda x: f(x))(lambda x: x // 10**d), rasp.tokens) for d in range(3)]  # noqa: B023


def _partial():
    return [rasp.Map(partial(lambda x, y: x // 10**d, y=0), rasp.tokens) for d in range(3)]  # noqa: B023


def _in_sequence_maps():
    return [rasp.SequenceMap(lambda x, i: x // 10**d, rasp.tokens, rasp.indices) for d in range(3)]  # noqa: B023


def _in_selectors():
    return [
        rasp.SelectorWidth(rasp.Select(rasp.tokens, rasp.tokens, lambda k, q: k == q + d))  # noqa: B023
        for d in range(3)
    ]


def _merged_maps():
    part = rasp.tokens
    for d in range(3):
        part = rasp.Map(lambda x: x // 10**d, part)  # noqa: B023
    return [part] * 3


@pytest.mark.parametrize(
    "made",
    [_in_a_list, _named, _within_another, _partial, _in_sequence_maps, _in_selectors, _merged_maps],
)
def test_functions_that_share_a_variable_that_changed_are_reported(made):
    (error,) = author_errors(_late(made))
    assert error.code == "TC352"
    assert error.got == "`d`, changed after the function was made"
    line = made.__code__.co_firstlineno
    assert line < int(error.where.rpartition(":")[2]) < line + 5


def _bound():
    return [rasp.Map(lambda x, d=d: x // 10**d, rasp.tokens) for d in range(3)]


def _digit(d):
    return rasp.Map(lambda x: x // 10**d, rasp.tokens)


def _one_variable_that_stays():
    base = 10
    return [rasp.Map(lambda x, d=d: x // base**d, rasp.tokens) for d in range(3)]


def _one_function():
    d = 1
    part = rasp.Map(lambda x: x // 10**d, rasp.tokens)
    d = 2
    return [part.named("a"), part.named("b"), part]


@pytest.mark.parametrize(
    "made", [_bound, lambda: [_digit(d) for d in range(3)], _one_variable_that_stays, _one_function]
)
def test_functions_that_see_what_was_meant_are_not_told(made):
    assert author_errors(_late(made)) == []


def test_the_gate_refuses_what_check_refuses(tmp_path):
    for case in (c for c in CASES if c.kind == "author"):
        entry = Entry(case.program, tmp_path / "fault.py", named_as="fault")
        ready, (error,) = prepare([entry])
        assert (ready, error.code) == ([], case.code)


def test_every_code_has_a_case():
    assert {case.code for case in CASES} == set(FAULT_CLASSES)


# What decodes right is not refused -----------------------------------------------------------------------


@pytest.mark.parametrize("name", zoo.NAMES)
def test_no_program_of_the_zoo_is_refused(name):
    assert compare(zoo.compiled(name))[1] == []
    assert author_errors(zoo.program(name)) == []


@pytest.mark.parametrize("name", ["reverse", "frac_prevs", "shuffle_dyck2", "induction", "copy_indices"])
def test_the_walk_says_what_tracrs_evaluator_says(name):
    from tracr.rasp import causal_eval

    ours = zoo.compiled(name)
    evaluate = causal_eval.evaluate if ours.program.causal else rasp.evaluate
    for tokens in ours.domain.inputs[:: max(1, len(ours.domain.inputs) // 50)]:
        assert Evaluator(tokens, causal=ours.program.causal)(ours.sop) == evaluate(ours.sop, list(tokens))
