"""The page of Markdown of a results file, whichever kind it is."""

from __future__ import annotations

from tracrcheck.fuzz_results import FuzzResults
from tracrcheck.reports.fuzz_page import fuzz_page
from tracrcheck.reports.markdown import results_page
from tracrcheck.results import Results


def page_of(results: Results | FuzzResults) -> str:
    return fuzz_page(results) if isinstance(results, FuzzResults) else results_page(results)
