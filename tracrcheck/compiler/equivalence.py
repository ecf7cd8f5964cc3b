"""Does the compiled model compute the program? Compares model, interpreter and reference on the whole domain.

Tracr miscompiles some programs silently (docs/compiler-faults.md), so this check comes before any ground truth. An
output of None means "no value here": the compiled model may write anything there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from edgeprune_core import engine
from edgeprune_core.criterion import decode
from edgeprune_core.errors import CheckError
from tracrcheck.compiler.compile import Compiled
from tracrcheck.compiler.diagnosis import Diagnosis, diagnose, diagnose_raising, has_large_numbers
from tracrcheck.compiler.tracr_bugs import tracr_bug
from tracrcheck.error_codes import user_error
from tracrcheck.rasp.domain import Total
from tracrcheck.rasp.expressions import describe

# Relative to a numerical output's range: the tolerance of the criterion `value`.
TOLERANCE = 0.01
# Between interpreter and reference, both float64: the order of summation may differ.
ROUNDING = 1e-9
# Inputs per forward pass.
BATCH = 512


@dataclass(frozen=True)
class Faithfulness:
    """What was compared: inputs, positions with a value, and positions without one.

    sampled: how many inputs there are in all if the domain is a sample, else None.
    """

    n_inputs: int
    n_positions: int
    n_without_value: int
    sampled: Total | None


def check_compiled(compiled: Compiled) -> Faithfulness:
    """What was compared. Errors: the first problem that `compare` finds."""
    report, found = compare(compiled)
    if found:
        raise found[0]
    return report


def compare(compiled: Compiled) -> tuple[Faithfulness, list[CheckError]]:
    """All disagreements, one per kind, each with its smallest witness.

    TC108: the interpreter raises. TC107: the compiled model differs from it. TC110: the reference differs from it.
    A known Tracr bug has its own code (docs/compiler-faults.md) instead of TC107 or TC108.
    """
    inputs = compiled.domain.inputs
    try:
        said = [_interpret(compiled, tokens) for tokens in inputs]
    except CheckError as error:
        return Faithfulness(0, 0, 0, compiled.domain.sampled), [error]
    values = [v for outputs in said for v in outputs]
    without = sum(v is None for v in values)
    report = Faithfulness(len(inputs), len(values) - without, without, compiled.domain.sampled)
    found = [_miscompiled(compiled, said), _misreferenced(compiled, said)]
    return report, [error for error in found if error]


def _interpret(compiled: Compiled, tokens: tuple[Any, ...]) -> list[Any]:
    name = compiled.program.name
    try:
        outputs = compiled.interpret(tokens)
    except Exception as error:
        got = f"{type(error).__name__}: {error}, at input {list(tokens)}"
        if (found := diagnose_raising(compiled, tokens)) is None:
            raise user_error("TC108.raises", got=got, program=name) from error
        wanted = "a value, or None, at every position"
        what = f"the RASP interpreter raises on '{name}'"
        raise tracr_bug(found.code, what, describe(found.expression), got=got, wanted=wanted) from error
    if len(outputs) != len(tokens):
        raise user_error(
            "TC108.length",
            got=f"{len(outputs)} outputs at input {list(tokens)}",
            wanted=len(tokens),
            program=name,
        )
    return outputs


# The compiled model ------------------------------------------------------------------------------------


def _miscompiled(compiled: Compiled, said: list[list[Any]]) -> CheckError | None:
    if (differs := _first_difference(compiled, said)) is not None:
        return _wrong(compiled, *differs)
    if compiled.program.by_hand is None and has_large_numbers(compiled):
        single = replace(compiled, model=compiled.model.to(torch.float32))
        if (differs := _first_difference(single, said)) is not None:
            return _wrong(compiled, *differs, named=Diagnosis("TC318", compiled.sop))
    return None


def _first_difference(compiled: Compiled, said: list[list[Any]]) -> tuple[Any, int, list[Any], Any] | None:
    """The first input that differs, the position (from 1), the wanted outputs, and the value there."""
    agree = _agreement(compiled, said)
    for tokens, want, got in zip(compiled.domain.inputs, said, outputs(compiled), strict=True):
        for place, (w, g) in enumerate(zip(want, got, strict=True), start=1):
            if w is not None and not agree(w, g):
                return tokens, place, want, g
    return None


def _wrong(
    compiled: Compiled, tokens: Any, place: int, want: list[Any], got: Any, *, named: Diagnosis | None = None
) -> CheckError:
    """The error, with the bug's own code if it is a known one."""
    name, by_hand = compiled.program.name, compiled.program.by_hand is not None
    model = f"the {'' if by_hand else 'compiled '}model{' in float32' if named else ''}"
    found_here = f"{_show(got)} from {model} at position {place} of input {list(tokens)}"
    wanted = f"{_show(want[place - 1])}, as the RASP interpreter says ({_show_all(want)})"
    if not by_hand and (found := named or diagnose(compiled, tokens)) is not None:
        what = f"Tracr compiles '{name}' wrongly"
        return tracr_bug(found.code, what, describe(found.expression), got=found_here, wanted=wanted)
    row = "TC107.by_hand" if by_hand else "TC107.compiled"
    return user_error(row, got=found_here, wanted=wanted, program=name, definition=describe(compiled.sop))


def outputs(compiled: Compiled) -> Iterator[list[Any]]:
    """The compiled model's decoded outputs on every input of the domain, without BOS."""
    inputs = compiled.domain.inputs
    for start in range(0, len(inputs), BATCH):
        part = inputs[start : start + BATCH]
        tokens, valid = compiled.encode(part)
        found = engine.outputs(compiled.model, tokens, valid=valid)
        rows = (decode(found) if compiled.categorical else found[..., 0]).tolist()
        for row, given in zip(rows, part, strict=True):
            values = row[1 : len(given) + 1]
            yield (
                [compiled.output_values[v] for v in values] if compiled.output_values is not None else values
            )


def _agreement(compiled: Compiled, said: list[list[Any]]):
    if compiled.categorical:
        return lambda want, got: want == got
    numbers = [float(v) for values in said for v in values if v is not None]
    spread = max(numbers, default=0.0) - min(numbers, default=0.0)
    scale = spread or max([1.0, *(abs(v) for v in numbers[:1])])
    return lambda want, got: abs(float(want) - got) <= TOLERANCE * scale


# The reference -----------------------------------------------------------------------------------------


def _misreferenced(compiled: Compiled, said: list[list[Any]]) -> CheckError | None:
    program = compiled.program
    if program.reference is None:
        return None
    for tokens, want in zip(compiled.domain.inputs, said, strict=True):
        try:
            got = list(program.reference(list(tokens)))
        except Exception as error:
            return user_error(
                "TC110.raises",
                got=f"{type(error).__name__}: {error}, at input {list(tokens)}",
                program=program.name,
                want=_show_all(want),
            )
        if len(got) != len(want) or not all(map(_same, want, got)):
            row = "TC110.no_value" if _no_value(want, got) else "TC110.differs"
            return user_error(
                row,
                got=f"{_show_all(got)} from `reference` at {_place(want, got)}input {list(tokens)}",
                program=program.name,
                definition=describe(compiled.sop),
                want=_show_all(want),
            )
    return None


def _place(want: list[Any], got: list[Any]) -> str:
    if len(want) != len(got):
        return ""
    return f"position {next(i for i, (w, g) in enumerate(zip(want, got, strict=True), 1) if not _same(w, g))} of "


def _no_value(want: list[Any], got: list[Any]) -> bool:
    """Whether the first difference is a value of the reference where the interpreter gives none."""
    if len(want) != len(got):
        return False
    first = next((w, g) for w, g in zip(want, got, strict=True) if not _same(w, g))
    return first[0] is None


def _same(want: Any, got: Any) -> bool:
    if isinstance(want, (int, float)) and isinstance(got, (int, float)):
        return math.isclose(want, got, rel_tol=ROUNDING, abs_tol=ROUNDING)
    return bool(want == got)


def _show(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


def _show_all(values: list[Any]) -> str:
    return "[" + ", ".join(_show(v) for v in values) + "]"
