"""Detects SOps used as booleans while a program is built: `0 < tokens < 3`, `and`, `or`, `not`, `if`.

Python reads `0 < tokens < 3` as `(0 < tokens) and (tokens < 3)`. A SOp has no truth value of its own and counts as
true, so the first half is silently dropped. We detect this at run time, not in the source: the same expressions are
correct inside a function that is applied to values.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tracr
from tracr.rasp import rasp

from edgeprune_core.errors import CheckError
from tracrcheck.compiler.tracr_bugs import tracr_bug
from tracrcheck.program import Program

_TRACR = str(Path(tracr.__path__[0]))  # uses SOps as booleans itself, correctly


def boolean_uses(program: Program) -> list[CheckError]:
    """TC351, once per line that does so. A `build` that raises is reported elsewhere."""
    lines: dict[str, None] = {}

    def noted(sop: rasp.SOp) -> bool:
        frame = sys._getframe(1)
        if not frame.f_code.co_filename.startswith(_TRACR):
            lines[f"{frame.f_code.co_filename}:{frame.f_lineno}"] = None
        return True

    rasp.SOp.__bool__ = noted
    try:
        program.build()
    except Exception:
        return []
    finally:
        del rasp.SOp.__bool__
    what = f"'{program.name}' uses an expression as a boolean"
    got = "a chained comparison, `and`, `or`, `not` or `if` on a SOp, which always counts as true"
    return [
        tracr_bug("TC351", what, where=line, got=got, wanted="an operation on its values") for line in lines
    ]
