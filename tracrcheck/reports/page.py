"""The page of Markdown of a results file, whichever kind it is."""

from __future__ import annotations

from tracrcheck.baseline import Comparison
from tracrcheck.false_alarm_results import FalseAlarmResults
from tracrcheck.fuzz_results import FuzzResults
from tracrcheck.invariant_results import InvariantResults
from tracrcheck.mutant_results import MutantResults
from tracrcheck.reports.false_alarms import false_alarms_page
from tracrcheck.reports.fuzz_page import fuzz_page
from tracrcheck.reports.invariants import invariants_page
from tracrcheck.reports.markdown import results_page
from tracrcheck.reports.mutants import mutants_page
from tracrcheck.results import AnyResults


def page_of(results: AnyResults, compared: Comparison | None = None) -> str:
    """compared: a run of the gate with another version's."""
    if isinstance(results, FuzzResults):
        return fuzz_page(results)
    if isinstance(results, InvariantResults):
        return invariants_page(results)
    if isinstance(results, MutantResults):
        return mutants_page(results)
    if isinstance(results, FalseAlarmResults):
        return false_alarms_page(results)
    return results_page(results, compared)
