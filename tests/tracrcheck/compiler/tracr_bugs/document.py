"""docs/compiler-faults.md, made from the table: `python -m tests.tracrcheck.compiler.tracr_bugs.document` writes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeprune_core.errors import CheckError
from tests.tracrcheck.compiler.tracr_bugs.cases import CASES, FaultCase
from tests.tracrcheck.compiler.tracr_bugs.expressions import diamonds
from tests.tracrcheck.compiler.tracr_bugs.observe import Observation, observe
from tracrcheck.compiler.author_errors import author_errors
from tracrcheck.compiler.compile import compile_program
from tracrcheck.compiler.equivalence import check_compiled

PAGE = Path(__file__).parents[4] / "docs" / "compiler-faults.md"

HEAD = """\
# Where Tracr's compiler goes wrong

Measured with tracr-pypi 1.0.0. One row per class of bug; the smallest program that shows it is listed under its code
in `tests/tracrcheck/compiler/tracr_bugs/cases.py`, and a test shows that Tracr still does what the row says. `input -> a, not b`: the
interpreter gives a, the compiled model decodes b, and no input before it shows a difference.

This page is written by `python -m tests.tracrcheck.compiler.tracr_bugs.document`; a test fails when it is out of date.

* **wrong**: compiles, and decodes differently from the interpreter.
* **undefined**: compiles, but the interpreter raises, so there is nothing to agree with.
* **crash**: raises an exception that does not say why. **refused**: raises one that does.
* **slow**: compiling takes time exponential in the program's size.
* **author**: compiles correctly, but is not what its author meant.

`tracrcheck` refuses each of them before it certifies anything, with the code in the first column and the smallest input
that shows the bug; the messages for the smallest programs are below the table. TC316 and TC317 cannot happen here:
values of several types are put in one order, and expressions are relabelled before they are compiled, so that no two share a
label. TC318 happens in float32 only, which Tracr's own model uses. TC341 is refused by counting the steps in advance.
Whether a program decodes wrongly is decided by comparing outputs and by nothing else: a wrong program that fits no class is
refused as TC107, and one that decodes right is not refused.

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


MESSAGES = """
## The messages

"""


def message(case: FaultCase) -> str:
    """The block that a user sees; empty where our route has no such fault."""
    program = replace(case.program, build=lambda: diamonds(30)) if case.kind == "slow" else case.program
    found: list[Any] = list(author_errors(program))
    for error in found:
        error.where = "programs/fault.py:1"
    if not found:
        try:
            check_compiled(compile_program(program))
        except CheckError as error:
            found.append(error.at("programs/fault.py"))
    return "".join(f"```text\n{error}\n```\n" for error in found)


def messages() -> str:
    return MESSAGES + "\n".join(text for case in CASES if (text := message(case)))


def main() -> None:
    rows = [row(case, observe(case.program) if case.kind == "wrong" else None) for case in CASES]
    PAGE.write_text(HEAD + "".join(rows) + messages())


if __name__ == "__main__":
    main()
