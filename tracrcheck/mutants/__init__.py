"""The seeded faults by name."""

from tracrcheck.mutants.base import Mutant
from tracrcheck.mutants.faults.ablations import ABLATIONS
from tracrcheck.mutants.faults.blind import BLIND
from tracrcheck.mutants.faults.blocks import BLOCKS
from tracrcheck.mutants.faults.engine import ENGINE
from tracrcheck.mutants.faults.fused import FUSED
from tracrcheck.mutants.faults.gates import GATES
from tracrcheck.mutants.faults.masks import MASKS
from tracrcheck.mutants.faults.metrics import METRICS
from tracrcheck.mutants.faults.scores import SCORES
from tracrcheck.mutants.faults.tasks import TASKS
from tracrcheck.mutants.faults.training import TRAINING

MUTANTS: dict[str, Mutant] = {
    mutant.name: mutant
    for table in (MASKS, ENGINE, FUSED, BLOCKS, ABLATIONS, GATES, TRAINING, METRICS, SCORES, TASKS, BLIND)
    for mutant in table
}

__all__ = ["MUTANTS", "Mutant"]
