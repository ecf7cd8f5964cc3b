"""Invariants of the engine, the gates, the methods and the truth, cheapest first.

They are checked on drawn programs and small random models (`subjects.py`); where an independent result is needed, against
the hand-written forward pass of `forward.py`. `runner.py` runs them.
"""

from tracrcheck.invariants.acdc import ACDC
from tracrcheck.invariants.addback import ADDING_BACK
from tracrcheck.invariants.along_inputs import ALONG_INPUTS
from tracrcheck.invariants.attribution import COMPLETENESS, EXACT_ON_LINEAR
from tracrcheck.invariants.base import Invariant, Violation
from tracrcheck.invariants.batching import BATCHING, REPEATED_REFERENCES
from tracrcheck.invariants.by_score import HARD_ITEMS, SCORE_BY_HAND
from tracrcheck.invariants.candidates import CANDIDATES, ELITES_BY_HAND
from tracrcheck.invariants.causality import CAUSALITY
from tracrcheck.invariants.checkpoints import CHECKPOINTS
from tracrcheck.invariants.criterion import CRITERION
from tracrcheck.invariants.determinism import DETERMINISM
from tracrcheck.invariants.discretisation import LEGAL_EDGES, MASKS_AND_CIRCUITS, REPORTED_CIRCUIT
from tracrcheck.invariants.divergences import DIVERGENCES
from tracrcheck.invariants.ends import ALL_KEPT, NONE_KEPT
from tracrcheck.invariants.faithful import NORMALISED
from tracrcheck.invariants.folding import FOLDING
from tracrcheck.invariants.gates import CLOSED_FORMS, SAMPLED_GATES, STRATA_FILLED
from tracrcheck.invariants.gradients import MASK_GRADIENT
from tracrcheck.invariants.margins import MARGINS
from tracrcheck.invariants.matrix import MATRIX
from tracrcheck.invariants.patching import ANY_CIRCUIT, ANY_SHARE, ONE_EDGE_CUT
from tracrcheck.invariants.pathwise import PATHWISE_BY_HAND
from tracrcheck.invariants.pooling import POOLING
from tracrcheck.invariants.precision import PRECISION
from tracrcheck.invariants.prompts import PROMPTS
from tracrcheck.invariants.ranking import EXACT_SCORES, SHORTEST_HEAD
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
    CRITERION,
    HARD_ITEMS,
    MARGINS,
    CHECKPOINTS,
    POOLING,
    REPEATED_REFERENCES,
    CAUSALITY,
    SAMPLED_GATES,
    STRATA_FILLED,
    NONE_KEPT,
    ONE_EDGE_CUT,
    ANY_CIRCUIT,
    ANY_SHARE,
    OUTSIDE_PERMITTED,
    DANGLING,
    DIVERGENCES,
    PROMPTS,
    ALL_KEPT,
    ROTATION,
    FOLDING,
    PRECISION,
    BATCHING,
    PERMUTED_OUTPUTS,
    PERMUTED_GRADIENTS,
    EXACT_ON_LINEAR,
    MASK_GRADIENT,
    ALONG_INPUTS,
    PATHWISE_BY_HAND,
    SCORE_BY_HAND,
    ELITES_BY_HAND,
    CANDIDATES,
    EXACT_SCORES,
    SHORTEST_HEAD,
    MATRIX,
    ACDC,
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
