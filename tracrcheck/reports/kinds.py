"""Which report is made of which results: one table, from the kind of results to a page, a comment, JUnit and HTML."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgeprune_core.errors import CheckError
from tracrcheck.reports.compare import compare_page
from tracrcheck.reports.context import Beside
from tracrcheck.reports.false_alarms import false_alarms_page
from tracrcheck.reports.fuzz_page import fuzz_page
from tracrcheck.reports.invariants import invariants_page
from tracrcheck.reports.mutants import mutants_page
from tracrcheck.reports.render import junit, pull_request
from tracrcheck.reports.render.html import certify as html_certify
from tracrcheck.reports.render.html import compare as html_compare
from tracrcheck.reports.render.html import discovery as html_discovery
from tracrcheck.reports.render.html import fuzz as html_fuzz
from tracrcheck.reports.render.html import gate as html_gate
from tracrcheck.reports.render.html import invariants as html_invariants
from tracrcheck.reports.render.html import mutants as html_mutants
from tracrcheck.reports.render.html.page import Page
from tracrcheck.reports.render.markdown import results_page
from tracrcheck.reports.saved import CertificatesFile, DiscoveryFile, Shown
from tracrcheck.runs.compare import CompareResults
from tracrcheck.runs.false_alarms import FalseAlarmResults
from tracrcheck.runs.fuzz import FuzzResults
from tracrcheck.runs.gate import Results
from tracrcheck.runs.invariants import InvariantResults
from tracrcheck.runs.mutants import MutantResults

Text = Callable[[Any, Beside], str]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What can be made of one kind of results; None: nothing sensible."""

    name: str
    html: Callable[[Any, Beside], Page]
    markdown: Text | None = None
    comment: Text | None = None
    junit: Text | None = None


KINDS: dict[type, Kind] = {
    Results: Kind(
        name="the gate",
        html=html_gate.gate_page,
        markdown=lambda results, beside: results_page(results, beside.compared),
        comment=lambda results, beside: pull_request.gate_comment(results, beside.replay, beside.compared),
        junit=lambda results, beside: junit.gate_junit(results, beside.replay),
    ),
    FuzzResults: Kind(
        name="fuzzing",
        html=lambda results, _: html_fuzz.fuzz_page(results),
        markdown=lambda results, _: fuzz_page(results),
        comment=lambda results, _: pull_request.fuzz_comment(results),
        junit=lambda results, _: junit.fuzz_junit(results),
    ),
    InvariantResults: Kind(
        name="the invariants",
        html=lambda results, _: html_invariants.invariants_page(results),
        markdown=lambda results, _: invariants_page(results),
    ),
    MutantResults: Kind(
        name="seeded faults",
        html=lambda results, _: html_mutants.mutants_page(results.document),
        markdown=lambda results, _: mutants_page(results),
        comment=lambda results, _: pull_request.mutants_comment(results),
        junit=lambda results, _: junit.mutants_junit(results),
    ),
    FalseAlarmResults: Kind(
        name="the gauntlet without a fault",
        html=lambda results, _: html_mutants.false_alarms_page(results),
        markdown=lambda results, _: false_alarms_page(results),
    ),
    CompareResults: Kind(
        name="a comparison of methods",
        html=lambda results, _: html_compare.compare_page(results),
        markdown=lambda results, _: compare_page(results),
        comment=lambda results, _: pull_request.compare_comment(results),
        junit=lambda results, _: junit.compare_junit(results),
    ),
    DiscoveryFile: Kind(
        name="a circuit of a trained model",
        html=lambda results, _: html_discovery.discovery_page(results.document, results.run),
        markdown=lambda results, _: pull_request.discovery_comment(results),
        comment=lambda results, _: pull_request.discovery_comment(results),
        junit=lambda results, _: junit.discovery_junit(results),
    ),
    CertificatesFile: Kind(
        name="certificates",
        html=lambda results, beside: html_certify.certify_page(
            beside.evidence, results.run, absent=beside.absent
        ),
        markdown=lambda results, _: pull_request.certify_comment(results),
        comment=lambda results, _: pull_request.certify_comment(results),
        junit=lambda results, _: junit.certify_junit(results),
    ),
}


def page_of(results: Shown, beside: Beside | None = None) -> str:
    """The page of Markdown. Errors: TC117 where there is none."""
    return _made(results, beside, "markdown")


def comment_of(results: Shown, beside: Beside | None = None) -> str:
    """Short Markdown, what is wrong first. Errors: TC117 where there is none."""
    return _made(results, beside, "comment")


def junit_of(results: Shown, beside: Beside | None = None) -> str:
    """JUnit XML. Errors: TC117 where there is none."""
    return _made(results, beside, "junit")


def html_of(results: Shown, beside: Beside | None = None) -> str:
    """A page for a browser, in one text."""
    return KINDS[type(results)].html(results, beside or Beside()).text()


def _made(results: Shown, beside: Beside | None, what: str) -> str:
    kind = KINDS[type(results)]
    made: Text | None = getattr(kind, what)
    if made is None:
        there = ", ".join(name for name in ("html", "markdown", "comment", "junit") if getattr(kind, name))
        raise CheckError(
            "TC117",
            f"no {_NAMES[what]} of {kind.name}",
            got=_NAMES[what],
            wanted=there,
            do="give --html FILE",
        )
    return made(results, beside or Beside())


_NAMES = {"markdown": "page of Markdown", "comment": "comment", "junit": "JUnit XML"}
