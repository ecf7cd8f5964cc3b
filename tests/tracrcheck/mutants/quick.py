"""A quick hunt, for tests of what surrounds a hunt: one check of milliseconds, or none."""

from __future__ import annotations

from tests.tracrcheck.mutants.test_hunt import ONE
from tracrcheck.runs import mutants as runner


def job_of(programs, ablations, **more):
    """Replaces the runner's `job_of`: one invariant and no program."""
    return ONE


def killed(mutant, battery):
    """Replaces the runner's `hunt`."""
    return runner.Found(name=mutant.name, why="", status="killed", killed_by="this", seconds=0.0)
