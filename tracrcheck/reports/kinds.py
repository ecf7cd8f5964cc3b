"""The table of reports: the type of results -> the function that makes its `Document`; and the formats of a `Document`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracrcheck.reports import (
    certify,
    compare,
    discovery,
    false_alarms,
    fuzz,
    gate,
    invariants,
    mutants,
    overlap,
    peers,
    plants,
)
from tracrcheck.reports.context import Context
from tracrcheck.reports.document import Document
from tracrcheck.reports.render import junit, markdown
from tracrcheck.reports.render.html import page as html
from tracrcheck.reports.saved import CertificatesFile, DiscoveryFile, OverlapFile, Shown
from tracrcheck.runs.compare import CompareResults
from tracrcheck.runs.false_alarms import FalseAlarmResults
from tracrcheck.runs.fuzz import FuzzResults
from tracrcheck.runs.gate import Results
from tracrcheck.runs.invariants import InvariantResults
from tracrcheck.runs.mutants import MutantResults
from tracrcheck.runs.peers import PeersResults
from tracrcheck.runs.plants import PlantsResults

REPORTS: dict[type, Callable[[Any, Context], Document]] = {
    Results: gate.document,
    FuzzResults: lambda results, _: fuzz.document(results),
    InvariantResults: lambda results, _: invariants.document(results),
    MutantResults: lambda results, _: mutants.document(results),
    FalseAlarmResults: lambda results, _: false_alarms.document(results),
    PeersResults: lambda results, _: peers.document(results),
    PlantsResults: lambda results, _: plants.document(results),
    CompareResults: lambda results, _: compare.document(results),
    DiscoveryFile: lambda results, _: discovery.document(results),
    OverlapFile: lambda results, _: overlap.document(results),
    CertificatesFile: certify.document,
}


def document_of(results: Shown, context: Context | None = None) -> Document:
    return REPORTS[type(results)](results, context or Context())


def _form(render: Callable[[Document], str]) -> Callable[..., str]:
    def made(results: Shown, context: Context | None = None) -> str:
        return render(document_of(results, context))

    return made


page_of = _form(markdown.page)  # a page of Markdown
comment_of = _form(markdown.comment)  # short Markdown, what is wrong first
junit_of = _form(junit.junit)  # JUnit XML
html_of = _form(html.page)  # a page for a browser
