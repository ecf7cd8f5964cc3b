"""The seeded faults by name."""

from tracrcheck.mutants.base import Mutant
from tracrcheck.mutants.blind import BLIND

__all__ = ["BLIND", "Mutant"]
