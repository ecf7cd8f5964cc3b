"""The seeded faults by name."""

from tracrcheck.mutants.ablations import ABLATIONS
from tracrcheck.mutants.base import Mutant
from tracrcheck.mutants.blind import BLIND
from tracrcheck.mutants.blocks import BLOCKS
from tracrcheck.mutants.engine import ENGINE
from tracrcheck.mutants.fused import FUSED
from tracrcheck.mutants.gates import GATES
from tracrcheck.mutants.masks import MASKS
from tracrcheck.mutants.metrics import METRICS
from tracrcheck.mutants.scores import SCORES
from tracrcheck.mutants.tasks import TASKS
from tracrcheck.mutants.training import TRAINING

MUTANTS: dict[str, Mutant] = {
    mutant.name: mutant
    for table in (MASKS, ENGINE, FUSED, BLOCKS, ABLATIONS, GATES, TRAINING, METRICS, SCORES, TASKS, BLIND)
    for mutant in table
}

__all__ = ["MUTANTS", "Mutant"]
