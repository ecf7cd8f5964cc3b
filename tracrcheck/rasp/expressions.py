"""The expressions of a RASP program: each of them once, and a description in words."""

from __future__ import annotations

from collections.abc import Iterator

from tracr.rasp import rasp


def expressions(sop: rasp.RASPExpr) -> Iterator[rasp.RASPExpr]:
    """Every expression of a program once, starting at the output."""
    seen: set[int] = set()
    queue: list[rasp.RASPExpr] = [sop]
    while queue:
        expr = queue.pop(0)
        if id(expr) not in seen:
            seen.add(id(expr))
            yield expr
            queue += expr.children


def post_order(sop: rasp.RASPExpr) -> Iterator[rasp.RASPExpr]:
    """Every expression of a program once, children before parents."""
    seen: set[int] = set()
    stack: list[tuple[rasp.RASPExpr, bool]] = [(sop, False)]
    while stack:
        expr, done = stack.pop()
        if done:
            yield expr
        elif id(expr) not in seen:
            seen.add(id(expr))
            stack.append((expr, True))
            stack += [(child, False) for child in reversed(expr.children)]


def describe(expr: rasp.RASPExpr, depth: int = 2) -> str:
    """`reverse = aggregate(select(indices, opp_idx-1), tokens)`: its name and its definition."""
    if not expr.children:
        return expr.name
    text = _definition(expr, depth)
    return text if expr.name == _kind(expr) else f"{expr.name} = {text}"


def _kind(expr: rasp.RASPExpr) -> str:
    return rasp.default_name(expr)


def _definition(expr: rasp.RASPExpr, depth: int) -> str:
    inner = ", ".join(_short(child, depth - 1) for child in expr.children)
    if isinstance(expr, rasp.Select) and isinstance(expr.predicate, rasp.Comparison):
        return f"select({inner}, {expr.predicate.value})"
    if isinstance(expr, rasp.LinearSequenceMap):
        return (
            f"{expr.fst_fac} * {_short(expr.fst, depth - 1)} + {expr.snd_fac} * {_short(expr.snd, depth - 1)}"
        )
    return f"{_kind(expr)}({inner})"


def _short(expr: rasp.RASPExpr, depth: int) -> str:
    if not expr.children or expr.name != _kind(expr):
        return expr.name
    return _definition(expr, depth) if depth > 0 else f"{_kind(expr)}(...)"
