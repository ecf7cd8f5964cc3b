"""The RASP interpreter: Tracr's own evaluator, with every expression evaluated once per input.

Tracr's evaluator re-evaluates an expression for every path that reaches it, which is exponential in programs that
share expressions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tracr.rasp import rasp

from tracrcheck.program import Token


class Evaluator(rasp.DefaultRASPEvaluator):
    """The values of expressions on one input. `causal`: a position selects no later position."""

    def __init__(self, tokens: Sequence[Token], *, causal: bool) -> None:
        super().__init__()
        self._tokens, self._causal = list(tokens), causal
        self._values: dict[int, Any] = {}

    def __call__(self, expr: rasp.RASPExpr) -> Any:
        """A list of values; for a selector, a row of booleans per query."""
        return self.evaluate(expr, self._tokens)

    def evaluate(self, expr: rasp.RASPExpr, xs: Sequence[Token]) -> Any:
        if id(expr) not in self._values:
            out = super().evaluate(expr, xs)
            if self._causal and isinstance(expr, rasp.Selector):
                out = np.tril(np.array(out, dtype=bool)).tolist()
            self._values[id(expr)] = out
        return self._values[id(expr)]
