"""Recognises programs that Tracr cannot compile, before compiling or from the exception that Tracr raises.

Tracr's own validator tracks visited expressions by *name*, so it never looks at the second of two unnamed
aggregates. We track them by identity.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from tracr.compiler import nodes, validating
from tracr.rasp import rasp

from edgeprune_core.errors import CheckError
from tracrcheck.compiler.tracr_bugs import tracr_bug
from tracrcheck.error_codes import user_error
from tracrcheck.program import Program
from tracrcheck.rasp.expressions import describe, expressions, post_order

# Limit on the steps of Tracr's two walks over paths: a few seconds.
MOST_STEPS = 3_000_000
# Arguments on which a function is tried, to find those that make Tracr crash.
MOST_TRIES = 100_000

_UNSUPPORTED = (rasp.LengthType, rasp.Full, rasp.ConstantSOp, rasp.ConstantSelector)


def check_expressions(program: Program, sop: rasp.SOp) -> None:
    """Raises if Tracr is known not to compile the program, naming every expression at fault."""
    if (steps := steps_of(sop)) > MOST_STEPS:
        raise refusal("TC341", program, sop, f"{steps:.3g} steps along all paths", f"at most {MOST_STEPS:,}")
    if isinstance(sop, (rasp.TokensType, rasp.IndicesType)):
        raise refusal("TC321", program, sop, f"a bare input: rasp.{sop.label}", "at least one operation")
    # `_static_validate_expr` is the validator's own check of one expression.
    bad = [found for e in expressions(sop) if (found := validating._static_validate_expr(e))]
    if bad:
        raise _invalid(program, bad)
    for expr in expressions(sop):
        if isinstance(expr, _UNSUPPORTED):
            raise refusal(
                "TC332", program, expr, f"rasp.{type(expr).__name__}", "a primitive that Tracr compiles"
            )
        if isinstance(expr, (rasp.SelectorWidth, rasp.Aggregate)) and not isinstance(
            expr.selector, rasp.Select
        ):
            code = "TC333" if isinstance(expr, rasp.Aggregate) else "TC323"
            raise refusal(code, program, expr, type(expr.selector).__name__, "one Select")
    if not any(isinstance(e, rasp.TokensType) for e in expressions(sop)):
        raise refusal(
            "TC331",
            program,
            sop,
            "no rasp.tokens in the program",
            "rasp.tokens, at least as a select-all's key",
        )


def check_values(program: Program, sop: rasp.SOp, graph: Any) -> None:
    """Raises if an expression has no value for any input. graph: Tracr's, with inferred values."""
    for expr in post_order(sop):
        if (
            isinstance(expr, (rasp.Map, rasp.SequenceMap))
            and rasp.is_categorical(expr)
            and not _values(graph, expr)
        ):
            raise user_error("TC106.empty", got=describe(expr), program=program.name)


def refusal(code: str, program: Program, expr: rasp.RASPExpr, got: Any, wanted: str) -> CheckError:
    """The error for a known limit of Tracr, with the expression at fault."""
    what = f"Tracr cannot compile '{program.name}'"
    return tracr_bug(code, what, describe(expr), got=got, wanted=wanted)


def _invalid(program: Program, bad: list[Any]) -> CheckError:
    codes = {_code_of_reason(found) for found in bad}
    code = codes.pop() if len(codes) == 1 else "TC106"
    got = "; ".join(f"{found.expr.name}: {found.reason}" for found in bad)
    if code == "TC106":
        return unrecognised(program, got)
    return refusal(code, program, bad[0].expr, got, "expressions that Tracr supports")


def _code_of_reason(found: Any) -> str:
    if isinstance(found.expr, (rasp.TokensType, rasp.IndicesType)):
        return "TC327"
    return "TC335" if "default value" in found.reason else "TC106"


def unrecognised(program: Program, got: Any) -> CheckError:
    return user_error("TC106.tracr", got=got, program=program.name)


def steps_of(sop: rasp.RASPExpr) -> int:
    """How many steps Tracr's two walks over all paths would take, counted without walking them.

    `extract_rasp_graph` visits an expression once per path from the output, and records an input at each visit.
    `compute_computational_depth` then walks from every recorded input along every path to the output.
    """
    order = list(post_order(sop))
    parents: dict[int, list[rasp.RASPExpr]] = {id(e): [] for e in order}
    down: dict[int, int] = dict.fromkeys(parents, 0)  # paths from the output
    down[id(sop)] = 1
    for expr in reversed(order):
        for child in expr.children:
            down[id(child)] += down[id(expr)]
        for child in {id(c): c for c in expr.children}.values():
            parents[id(child)].append(expr)
    up: dict[int, int] = {}  # paths towards the output, of every length
    for expr in reversed(order):
        up[id(expr)] = 1 + sum(up[id(parent)] for parent in parents[id(expr)])
    return sum(down.values()) + sum(down[id(e)] * up[id(e)] for e in order if not e.children)


# From what Tracr raised -----------------------------------------------------------------------------------


def recognised(program: Program, sop: rasp.SOp, graph: Any, error: Exception) -> CheckError:
    """The error for an exception that Tracr raised; TC106 if it is no known limit. `graph`: as far as Tracr got."""
    got = f"{type(error).__name__}: {error}"
    if isinstance(error, NotImplementedError) and "only average binary variables" in str(error):
        averaged = next((e for e in post_order(sop) if _averages_others(e, graph)), sop)
        return refusal("TC334", program, averaged, got, "values v with int(v) 0 or 1")
    for expr in post_order(sop):
        found = _crashing(expr, graph, error)
        if found is not None:
            code, at = found
            return refusal(code, program, expr, f"{got}{at}", _WANTED[code])
    return unrecognised(program, got)


_WANTED = {
    "TC313": "True or False",
    "TC322": "a function that returns values",
    "TC325": "a function that is defined for every inferred value",
    "TC326": "a number for every value",
}


def _values(graph: Any, sop: rasp.RASPExpr) -> list[Any]:
    return list(graph.nodes.get(sop.label, {}).get(nodes.VALUE_SET, ())) if graph is not None else []


def _averages_others(expr: rasp.RASPExpr, graph: Any) -> bool:
    if not isinstance(expr, rasp.Aggregate) or not rasp.is_numerical(expr):
        return False
    return not {int(v) for v in _values(graph, expr.sop)} <= {0, 1}


def _crashing(expr: rasp.RASPExpr, graph: Any, error: Exception) -> tuple[str, str] | None:
    """What is wrong with this expression's own function: a code, and the values that show it."""
    function, arguments = _function(expr, graph)
    number = isinstance(expr, rasp.Map) and rasp.is_numerical(expr)
    for given in itertools.islice(arguments, MOST_TRIES):
        at = f", at {given[0]!r}" if len(given) == 1 else f", at {given!r}"
        try:
            value = function(*given)
        except Exception as raised:
            if type(raised) is type(error):
                return "TC325", at
            continue
        if isinstance(value, rasp.RASPExpr):
            return "TC322", f", {at.removeprefix(', ')} it returns a {type(value).__name__}"
        if number and not isinstance(value, (int, float)):
            return "TC326", f"{at} it returns {value!r}"
        if isinstance(expr, rasp.Select) and not isinstance(value, (int, float)):
            return "TC313", f"{at} it returns {value!r}"
    return None


def _function(expr: rasp.RASPExpr, graph: Any) -> tuple[Callable[..., Any], Iterable[tuple[Any, ...]]]:
    match expr:
        case rasp.Map():
            return expr.f, ((value,) for value in _values(graph, expr.inner))
        case rasp.SequenceMap():
            return expr.f, itertools.product(_values(graph, expr.fst), _values(graph, expr.snd))
        case rasp.Select():
            return expr.predicate, itertools.product(_values(graph, expr.keys), _values(graph, expr.queries))
    return lambda: None, ()
