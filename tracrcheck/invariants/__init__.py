"""Invariants of the engine, the gates, the methods and the truth, cheapest first.

They are checked on drawn programs and on small random models (`subjects.py`), against a forward by hand where one is
needed (`forward.py`). `runner.py` runs them.
"""

from tracrcheck.invariants.addback import ADDING_BACK
from tracrcheck.invariants.attribution import COMPLETENESS, EXACT_ON_LINEAR
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.batching import BATCHING, REPEATED_REFERENCES
from tracrcheck.invariants.causality import CAUSALITY
from tracrcheck.invariants.determinism import DETERMINISM
from tracrcheck.invariants.discretisation import LEGAL_EDGES, MASKS_AND_CIRCUITS, REPORTED_CIRCUIT
from tracrcheck.invariants.ends import ALL_KEPT, NONE_KEPT
from tracrcheck.invariants.faithful import NORMALISED
from tracrcheck.invariants.gates import CLOSED_FORMS, SAMPLED_GATES
from tracrcheck.invariants.gradients import MASK_GRADIENT
from tracrcheck.invariants.patching import ANY_CIRCUIT, ANY_SHARE, ONE_EDGE_CUT
from tracrcheck.invariants.precision import PRECISION
from tracrcheck.invariants.rotation import ROTATION
from tracrcheck.invariants.serialisation import CERTIFICATE, CIRCUIT_AND_MODEL
from tracrcheck.invariants.symmetry import (
    PERMUTED_GRADIENTS,
    PERMUTED_OUTPUTS,
    PERMUTED_PRUNING,
    PERMUTED_TRUTH,
)
from tracrcheck.invariants.unneeded import DANGLING, OUTSIDE_PERMITTED

INVARIANTS: tuple[Invariant, ...] = (
    LEGAL_EDGES,
    CLOSED_FORMS,
    MASKS_AND_CIRCUITS,
    CIRCUIT_AND_MODEL,
    REPEATED_REFERENCES,
    CAUSALITY,
    SAMPLED_GATES,
    NONE_KEPT,
    ONE_EDGE_CUT,
    ANY_CIRCUIT,
    ANY_SHARE,
    OUTSIDE_PERMITTED,
    DANGLING,
    ALL_KEPT,
    ROTATION,
    PRECISION,
    BATCHING,
    PERMUTED_OUTPUTS,
    PERMUTED_GRADIENTS,
    EXACT_ON_LINEAR,
    MASK_GRADIENT,
    COMPLETENESS,
    NORMALISED,
    CERTIFICATE,
    PERMUTED_TRUTH,
    ADDING_BACK,
    PERMUTED_PRUNING,
    DETERMINISM,
    REPORTED_CIRCUIT,
)

__all__ = ["INVARIANTS", "Invariant", "Violation"]
