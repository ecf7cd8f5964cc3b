"""The expressions of a RASP program, each once."""

from __future__ import annotations

from collections.abc import Iterator

from tracr.rasp import rasp


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


def post_order(sop: rasp.RASPExpr) -> Iterator[rasp.RASPExpr]:
    """Every expression of a program once, after all that it is made of."""
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
