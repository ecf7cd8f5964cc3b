"""tracrcheck: proves what a circuit-discovery method must find, and fails the build when it does not.

Import what you need from here, from `tracrcheck.testing` and from `tracrcheck.strategies`; deeper modules may move.
A name loads its module when it is first used: `import tracrcheck` alone loads the standard library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeprune_core.lazy import exports
from tracrcheck._version import __version__
from tracrcheck.program import ByHand, Program

if TYPE_CHECKING:
    from tracrcheck.compiler.compile import Compiled, compile_program
    from tracrcheck.grading.by_name import find_method
    from tracrcheck.grading.verdict import Verdict
    from tracrcheck.importers import IMPORTERS, Imported, Importer
    from tracrcheck.invariants import INVARIANTS, Invariant, Violation
    from tracrcheck.planted.planting import Planted, plant
    from tracrcheck.rasp.library import Entry, Library
    from tracrcheck.runs.gate_units import Plan, gate
    from tracrcheck.testing import Case, cases
    from tracrcheck.truth.certificate import Certificate
    from tracrcheck.truth.certify import certify
    from tracrcheck.truth.permitted import permitted
    from tracrcheck.truth.setting import Setting
    from tracrcheck.truth.task import task_of

_HOMES = {
    "compiler.compile": ("Compiled", "compile_program"),
    "grading.by_name": ("find_method",),
    "grading.verdict": ("Verdict",),
    "importers": ("IMPORTERS", "Imported", "Importer"),
    "invariants": ("INVARIANTS", "Invariant", "Violation"),
    "planted.planting": ("Planted", "plant"),
    "rasp.library": ("Entry", "Library"),
    "runs.gate_units": ("Plan", "gate"),
    "testing": ("Case", "cases"),
    "truth.certificate": ("Certificate",),
    "truth.certify": ("certify",),
    "truth.permitted": ("permitted",),
    "truth.setting": ("Setting",),
    "truth.task": ("task_of",),
}

__all__ = [
    "IMPORTERS",
    "INVARIANTS",
    "ByHand",
    "Case",
    "Certificate",
    "Compiled",
    "Entry",
    "Imported",
    "Importer",
    "Invariant",
    "Library",
    "Plan",
    "Planted",
    "Program",
    "Setting",
    "Verdict",
    "Violation",
    "__version__",
    "cases",
    "certify",
    "compile_program",
    "find_method",
    "gate",
    "permitted",
    "plant",
    "task_of",
]


__getattr__ = exports(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
