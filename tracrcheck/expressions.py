"""What Tracr cannot express, found on the expressions before anything is compiled.

Tracr's own validator keeps its list of visited expressions by *name*, so the second of two unnamed
aggregates is never looked at; here they are told apart by identity.
"""

from __future__ import annotations

from collections.abc import Iterator

from tracr.compiler import validating
from tracr.rasp import rasp

from edgeprune_core.errors import CheckError
from tracrcheck.program import Program


def expressions(sop: rasp.RASPExpr) -> Iterator[rasp.RASPExpr]:
    """Every expression of a program once, the last one first."""
    seen: set[int] = set()
    queue: list[rasp.RASPExpr] = [sop]
    while queue:
        expr = queue.pop(0)
        if id(expr) not in seen:
            seen.add(id(expr))
            yield expr
            queue += expr.children


def check_expressions(program: Program, sop: rasp.SOp) -> None:
    """Raises TC106 on a program that Tracr does not support, naming every expression at fault."""
    if isinstance(sop, (rasp.TokensType, rasp.IndicesType)):
        raise CheckError(
            "TC106",
            f"Tracr refuses '{program.name}': its output is a bare input",
            got=f"rasp.{sop.label}",
            wanted="at least one operation",
            do="wrap it, such as rasp.Map(lambda x: x, rasp.tokens)",
        )
    if not any(isinstance(e, rasp.TokensType) for e in expressions(sop)):
        raise CheckError(
            "TC106",
            f"Tracr refuses '{program.name}': it does not read its tokens",
            got="no rasp.tokens in the program",
            wanted="rasp.tokens, at least as the key of a select-all",
            do="read rasp.tokens somewhere",
        )
    # `_static_validate_expr` is the validator's own check of one expression.
    found = [bad for e in expressions(sop) if (bad := validating._static_validate_expr(e))]
    if found:
        raise CheckError(
            "TC106",
            f"Tracr refuses '{program.name}'",
            got="; ".join(f"{bad.expr.name}: {bad.reason}" for bad in found),
            wanted="a program that Tracr compiles",
            do="see docs/compiler-faults.md for what Tracr does not support",
        )
