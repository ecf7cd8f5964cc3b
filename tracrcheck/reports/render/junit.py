"""A document as JUnit XML, which CI systems show as tests."""

from __future__ import annotations

from itertools import chain

from tracrcheck.reports.document import Document
from tracrcheck.reports.findings import block
from tracrcheck.reports.render.templates import templates


def junit(document: Document) -> str:
    every = list(chain.from_iterable(document.suites.values()))
    template = templates().get_template("junit.xml")
    return template.render(document=document, suites=document.suites, every=every, block=block)
