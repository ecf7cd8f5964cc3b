"""A document as JUnit XML, which CI systems show as tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from tracrcheck.reports.document import Case, Document
from tracrcheck.reports.findings import block
from tracrcheck.reports.render.sanitize import shown


def junit(document: Document) -> str:
    suites = document.suites
    root = ET.Element("testsuites", name=f"tracrcheck {document.command}")
    _count(root, [case for cases in suites.values() for case in cases])
    for number, (name, cases) in enumerate(suites.items()):
        node = ET.SubElement(root, "testsuite", name=shown(name))
        if document.run is not None:
            node.set("timestamp", document.run["started"].split("+")[0])
        _count(node, cases)
        if not number and document.run is not None:
            _properties(node, document.run)
        for case in cases:
            _add(node, name, case)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _properties(node: ET.Element, run: Mapping[str, Any]) -> None:
    properties = ET.SubElement(node, "properties")
    for key in ("command", "commit"):
        ET.SubElement(properties, "property", name=key, value=shown(str(run[key])))


def _count(node: ET.Element, cases: Sequence[Case]) -> None:
    node.set("tests", str(len(cases)))
    node.set("failures", str(sum(case.outcome == "failure" for case in cases)))
    node.set("errors", str(sum(case.outcome == "error" for case in cases)))
    if node.tag == "testsuite":
        node.set("skipped", "0")
    node.set("time", f"{sum(case.seconds for case in cases):.3f}")


def _add(node: ET.Element, suite: str, case: Case) -> None:
    one = ET.SubElement(
        node, "testcase", classname=shown(suite), name=shown(case.name), time=f"{case.seconds:.3f}"
    )
    if (found := case.finding) is not None and case.outcome != "passed":
        text = shown(block(found))
        kind = shown(found.kind or found.word)
        ET.SubElement(one, case.outcome, type=kind, message=text.split("\n")[0]).text = text
