"""A hunt for tests of what surrounds it: one check of milliseconds, or none."""

from __future__ import annotations

from tests.tracrcheck.mutants.test_hunt import ONE
from tracrcheck.runs import mutants as runner


def job_of(programs, ablations, **more):
    """In the place of the runner's: one invariant and no program."""
    return ONE


def killed(mutant, battery):
    """In the place of the runner's hunt."""
    return runner.Found(name=mutant.name, why="", status="killed", killed_by="this", seconds=0.0)
