"""docs/compiler-faults.md, made from the table: `python -m tests.faults.document` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.faults.cases import CASES, FaultCase
from tests.faults.observe import Observation, observe

PAGE = Path(__file__).parents[2] / "docs" / "compiler-faults.md"

HEAD = """\
# Where Tracr's compiler goes wrong

Measured with tracr-pypi 1.0.0. One row per class of fault; the smallest program of each stands under its code
in `tests/faults/cases.py`, and a test shows that Tracr still does what the row says. `input -> a, not b`: the
interpreter gives a, the compiled model decodes b, and no input before it shows a difference.

This page is written by `python -m tests.faults.document`; a test fails when it is out of date.

* **wrong**: compiles, and decodes differently from the interpreter.
* **undefined**: compiles, but the interpreter raises, so there is nothing to agree with.
* **crash**: raises an exception that does not say why. **refused**: raises one that does.
* **slow**: compiling takes time exponential in the program's size.
* **author**: compiles rightly, but is not what was meant.

| code | what happens | why | what to do |
|---|---|---|---|
"""


def values(sequence: list[Any]) -> str:
    short = [round(value, 3) if isinstance(value, float) else value for value in sequence]
    return repr([value + 0.0 if isinstance(value, float) else value for value in short])


def what_happens(case: FaultCase, seen: Observation | None) -> str:
    if case.raises:
        return f"`{case.raises.__name__}: ... {case.says} ...`"
    if case.varies:
        return "which inputs differ changes from one Python process to the next"
    if seen and seen.witness:
        w = seen.witness
        return f"`{values(w.given)} -> {values(w.interpreted)}, not {values(w.decoded)}`"
    return ""


def row(case: FaultCase, seen: Observation | None = None) -> str:
    cells = (
        f"{case.code} {case.slug}",
        f"**{case.kind}** {what_happens(case, seen)}".strip(),
        case.why,
        case.do,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def main() -> None:
    rows = [row(case, observe(case.program) if case.kind == "wrong" else None) for case in CASES]
    PAGE.write_text(HEAD + "".join(rows))


if __name__ == "__main__":
    main()
