"""Finds which Tracr bug made a program compile wrongly, from one input that shows the error.

Tracr never overwrites, so the final residual stream holds the model's value of every expression. The first
expression, children before parents, on which model and interpreter differ is the one that went wrong; its kind and
its inputs identify the bug. One input suffices, however large the domain is.

Whether a program is wrong is decided elsewhere, by comparing outputs; this module only names the bug.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tracr.rasp import rasp

from edgeprune_core.engine import trace
from tracrcheck.compiler.compile import Compiled
from tracrcheck.compiler.craft import Place, places
from tracrcheck.program import Token
from tracrcheck.rasp.expressions import post_order
from tracrcheck.rasp.interpreter import Evaluator

# How far a coordinate is off, relative to the value or to 1. Coarse first, so that the small leak of every softmax
# (2e-5 in Tracr's library) is not mistaken for the bug.
OFF = (1e-2, 1e-3, 1e-4)
# Tracr's constant (craft/chamber/categorical_attn.py): the distance in logits from BOS, which means "nothing
# selected", to a selected key and to an unselected one.
TO_BOS = 50.0
# A softmax leak that can change an output: a tenth of the tolerance of 0.01.
LEAK = 1e-3


@dataclass(frozen=True)
class Diagnosis:
    """A bug's code (docs/compiler-faults.md) and the expression that went wrong."""

    code: str
    expression: rasp.RASPExpr


def diagnose(compiled: Compiled, tokens: Sequence[Token]) -> Diagnosis | None:
    """Why the compiled model is wrong on this input; None if it is no known bug."""
    seen = _Seen(compiled, tokens)
    for off in OFF:
        for expr in post_order(compiled.sop):
            if (position := seen.parts(expr, off)) is not None:
                code = seen.attention(expr, position) if _attends(expr) else seen.function(expr, position)
                code = code or seen.anywhere(expr)
                return Diagnosis(code, expr) if code else None
    return None


def diagnose_raising(compiled: Compiled, tokens: Sequence[Token]) -> Diagnosis | None:
    """Why the interpreter raises on this input; None if it is no known bug."""
    evaluate = Evaluator(tokens, causal=compiled.program.causal)
    for expr in post_order(compiled.sop):
        try:
            evaluate(expr)
        except Exception:
            if isinstance(expr, rasp.Select) and None in [*evaluate(expr.keys), *evaluate(expr.queries)]:
                compares = isinstance(expr.predicate, rasp.Comparison)
                return Diagnosis("TC302" if compares else "TC301", expr)
            if isinstance(expr, rasp.Aggregate):
                values = evaluate(expr.sop)
                rows = [[v for s, v in zip(row, values, strict=True) if s] for row in evaluate(expr.selector)]
                if any(len(row) > 1 and not all(isinstance(v, (int, float)) for v in row) for row in rows):
                    return Diagnosis("TC304", expr)
            return None
    return None


def _attends(expr: rasp.RASPExpr) -> bool:
    return isinstance(expr, (rasp.Aggregate, rasp.SelectorWidth))


class _Seen:
    """One input: the value of every expression according to the interpreter, and in the model."""

    def __init__(self, compiled: Compiled, tokens: Sequence[Token]) -> None:
        self.compiled, self.exactness = compiled, compiled.program.mlp_exactness
        self.evaluate = Evaluator(tokens, causal=compiled.program.causal)
        self.places: dict[str, Place] = places(compiled.program, compiled.sop)
        ids, valid = compiled.encode([tokens])
        found = trace(compiled.model, ids, valid=valid).writers.sum(0)[0]
        self.stream = found + compiled.model.weights.b_o.sum(0)  # pos d_model, BOS first

    def parts(self, expr: rasp.RASPExpr, off: float) -> int | None:
        """The first position (not counting BOS) at which the model's value differs."""
        place = self.places.get(expr.label)
        if place is None or place.half_layer is None:
            return None
        for position, want in enumerate(self.evaluate(expr)):
            got = self.stream[position + 1, list(place.coordinates)].tolist()
            if want is not None and not _is(got, want, place.directions, off):
                return position
        return None

    # Attention ---------------------------------------------------------------------------------------

    def attention(self, expr: Any, position: int) -> str | None:
        select = expr.selector
        keys, queries, row = (
            self.evaluate(select.keys),
            self.evaluate(select.queries),
            self.evaluate(select)[position],
        )
        if None in keys or None in queries:
            return "TC301"
        if isinstance(expr, rasp.Aggregate):
            chosen = [v for s, v in zip(row, self.evaluate(expr.sop), strict=True) if s]
            if rasp.is_categorical(expr) and len(chosen) > 1:
                if any(v != chosen[0] for v in chosen):
                    return "TC303"
                if self.evaluate(expr)[position] != chosen[0]:
                    return "TC314"  # a mean of equal values, rounded
        if not all(_is_bool(select.predicate, key, query) for key in keys for query in queries):
            return "TC313"
        for given, sop in ((keys, select.keys), (queries, select.queries)):
            if any(self._retyped(v, sop) for v in given):
                return self._type_class(expr)
        if (source := self._dirty(select.keys)) is not None:
            return "TC310" if isinstance(source, rasp.SelectorWidth) else "TC308"
        if isinstance(expr, rasp.Aggregate):
            source = self._dirty(expr.sop)
            if source is not None and not any(row):
                return "TC310" if isinstance(source, rasp.SelectorWidth) else "TC309"
        elif self._too_close([1 / (w + 1) for w in self.places[expr.label].values]):
            return "TC307"
        return None

    def _dirty(self, sop: rasp.SOp) -> rasp.RASPExpr | None:
        """The first expression below this one with a nonzero value at BOS; None if this one is zero there."""
        if not self._at_bos(sop):
            return None
        return next(expr for expr in post_order(sop) if self._at_bos(expr))

    def _at_bos(self, expr: rasp.RASPExpr) -> bool:
        place = self.places.get(expr.label)
        return place is not None and bool(self.stream[0, list(place.coordinates)].abs().gt(OFF[0]).any())

    # Functions ---------------------------------------------------------------------------------------

    def function(self, expr: Any, position: int) -> str | None:
        want = self.evaluate(expr)[position]
        given = [expr.inner] if isinstance(expr, rasp.Map) else [expr.fst, expr.snd]
        if isinstance(expr, rasp.LinearSequenceMap):
            return None
        for sop in given:
            value = self.evaluate(sop)[position]
            if rasp.is_numerical(sop):
                values = self.places[sop.label].values
                if not any(math.isclose(value, known, abs_tol=1e-9) for known in values):
                    return self._outside(sop, position)
                if self._too_close(values):
                    return "TC307"
            elif self._retyped(value, sop):
                return self._type_class(expr)
        if rasp.is_numerical(expr) and rasp.is_categorical(given[0]) and want < 0:
            return "TC311"
        return None

    def _outside(self, sop: Any, position: int) -> str:
        """The code: does a value that Tracr did not infer come from a mean, or from a mean's default?"""
        for expr in post_order(sop):
            if isinstance(expr, rasp.Aggregate) and rasp.is_numerical(expr):
                known = self.places[expr.label].values
                value = self.evaluate(expr)[position]
                if not any(math.isclose(value, v, abs_tol=1e-9) for v in known):
                    return "TC305" if any(self.evaluate(expr.selector)[position]) else "TC306"
        return "TC305"

    def _too_close(self, values: Sequence[float]) -> bool:
        """Whether a value is closer than 1/mlp_exactness to the threshold half-way to its neighbour."""
        ordered = sorted(set(values))
        return any(b - a < 2 / self.exactness for a, b in itertools.pairwise(ordered))

    def _retyped(self, value: Any, sop: rasp.SOp) -> bool:
        known = self.places[sop.label].values
        return any(v == value and type(v) is not type(value) for v in known)

    def _type_class(self, expr: rasp.RASPExpr) -> str:
        """The code: a mean turns integers into floats; without a mean, the types were mixed from the start."""
        means = (e for e in post_order(expr) if isinstance(e, rasp.Aggregate) and rasp.is_categorical(e))
        return "TC314" if any(sum(row) > 1 for e in means for row in self.evaluate(e.selector)) else "TC315"

    # Any kind -----------------------------------------------------------------------------------------

    def anywhere(self, expr: rasp.RASPExpr) -> str | None:
        """Bugs that can affect any kind of head."""
        if not _attends(expr):
            return None
        if any(_unordered(self.places[e.label].values) for e in post_order(expr) if e.label in self.places):
            return "TC316"
        return "TC312" if self._leak > LEAK else None

    @cached_property
    def _leak(self) -> float:
        """The most that a head of this size reads from keys it should ignore."""
        return len(self.stream) * math.exp(-TO_BOS / math.sqrt(self.compiled.model.spec.d_head))


def _is(got: list[float], want: Any, directions: tuple[Any, ...] | None, off: float) -> bool:
    if directions is None:
        return abs(got[0] - want) <= off * max(1.0, abs(want))
    wanted = [float(value == want) for value in directions]
    return 1.0 in wanted and all(abs(g - w) <= off for g, w in zip(got, wanted, strict=True))


def _is_bool(predicate: Callable[[Any, Any], Any], key: Any, query: Any) -> bool:
    try:
        return predicate(key, query) in (0, 1)  # including True and False
    except Exception:
        return True


def _unordered(values: Sequence[Any]) -> bool:
    """Whether the values include types that do not compare, so that sorting them is undefined."""
    try:
        sorted(values)
    except TypeError:
        return True
    return False


# Large numbers -------------------------------------------------------------------------------------------

# float32 has 24 bits: near 2**16, a hidden unit is accurate to 2**-8, just under half of the tolerance of 0.01.
LARGE = 2.0**16


def has_large_numbers(compiled: Compiled) -> bool:
    """Whether float32, which Tracr's own model uses, may lose precision that matters."""
    return float(compiled.model.weights.w_in.abs().max()) >= LARGE
