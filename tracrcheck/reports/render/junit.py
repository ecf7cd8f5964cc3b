"""Results as JUnit XML, which CI systems show as tests: a case for each verdict, a suite for each program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from xml.etree import ElementTree as ET

from tracrcheck.grading.verdict import Verdict
from tracrcheck.reports.fuzz import failure
from tracrcheck.reports.render.sanitize import shown
from tracrcheck.reports.saved import CertificatesFile, DiscoveryFile, setting_words, usable
from tracrcheck.reports.text import verdict_story
from tracrcheck.runs.compare import CompareResults
from tracrcheck.runs.fuzz import FuzzResults
from tracrcheck.runs.gate import Results
from tracrcheck.runs.mutants import MutantResults

Outcome = Literal["passed", "failure", "error"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """kind: of what went wrong, a word. text: the whole of it."""

    name: str
    seconds: float
    outcome: Outcome = "passed"
    kind: str = ""
    message: str = ""
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Suite:
    name: str
    cases: tuple[Case, ...]


def gate_junit(results: Results, replay: Callable[[Verdict], str]) -> str:
    """FAILS is a failure, UNKNOWN an error: the truth is not proved, so that nothing was judged."""
    by_program: dict[str, list[Case]] = {}
    for v in results.verdicts:
        block = "" if v.verdict == "HOLDS" else verdict_story(v, replay(v))
        by_program.setdefault(v.program, []).append(
            _case(v, f"{v.ablation}, {v.criterion}, seed {v.seed}", block)
        )
    suites = [Suite(name=name, cases=tuple(cases)) for name, cases in by_program.items()]
    return _document("tracrcheck gate", suites, results.run)


def fuzz_junit(results: FuzzResults) -> str:
    """A case for each program and setting; one that is vacuous passes."""
    seed = results.run["asked"]["seed"]
    by_program: dict[str, list[Case]] = {}
    for row in results.rows:
        block = "" if row.holds else failure(row, seed)
        by_program.setdefault(row.verdict.program, []).append(_case(row.verdict, row.ablation, block))
    suites = [Suite(name=name, cases=tuple(cases)) for name, cases in by_program.items()]
    return _document("tracrcheck fuzz", suites, results.run)


def mutants_junit(results: MutantResults) -> str:
    """A fault that survives is a failure."""
    outcomes: dict[str, Outcome] = {"killed": "passed", "survived": "failure", "error": "error"}
    cases = [
        Case(
            name=row["name"],
            seconds=row["seconds"],
            outcome=outcomes[row["status"]],
            kind=row["status"],
            message=row["why"],
            text="" if row["status"] == "killed" else row["killed_by"] or "every check is green",
        )
        for row in results.document["mutants"]
    ]
    return _document(
        "tracrcheck mutants", [Suite(name="seeded faults", cases=tuple(cases))], results.document["run"]
    )


def compare_junit(results: CompareResults) -> str:
    """A suite for each method, a case for each seed; a method that failed is an error."""
    by_method: dict[str, list[Case]] = {}
    for c in results.curves:
        case = Case(name=f"seed {c.seed}", seconds=c.seconds)
        if c.fault:
            case = replace(case, outcome="error", kind="fault", message=c.fault, text=c.fault)
        by_method.setdefault(c.method, []).append(case)
    suites = [Suite(name=name, cases=tuple(cases)) for name, cases in by_method.items()]
    return _document("tracrcheck compare", suites, results.run)


def discovery_junit(saved: DiscoveryFile) -> str:
    """One case: whether a circuit came back. How faithful it is, is no matter of yes or no."""
    d, asked = saved.document, saved.document["asked"]
    case = Case(name=f"{asked['method']}, {asked['ablation']}", seconds=d["seconds"])
    if d["circuit"] is None:
        fault = d["fault"] or "no_result"
        case = replace(case, outcome="failure", kind=fault, message=fault, text="no circuit came back")
    suite = Suite(name=f"{asked['task']} in {asked['model']}", cases=(case,))
    return _document("tracrcheck discover", [suite], saved.run)


def certify_junit(saved: CertificatesFile) -> str:
    """A suite for each program, a case for each setting; what is not proved is an error, as in a gate."""
    by_program: dict[str, list[Case]] = {}
    for c in saved.certificates:
        case = Case(name=setting_words(c), seconds=0.0)
        if not usable(c):
            why = "\n".join(f"{name}: {reason}" for name, reason in c["unknown"].items())
            case = replace(case, outcome="error", kind="UNKNOWN", message=why.split("\n")[0], text=why)
        by_program.setdefault(c["program"], []).append(case)
    suites = [Suite(name=name, cases=tuple(cases)) for name, cases in by_program.items()]
    return _document("tracrcheck certify", suites, saved.run)


def _case(v: Verdict, name: str, block: str) -> Case:
    outcome: Outcome = "passed" if v.verdict == "HOLDS" else "failure" if v.verdict == "FAILS" else "error"
    kind = "" if outcome == "passed" else "UNKNOWN" if outcome == "error" else v.reason or "FAILS"
    return Case(
        name=name, seconds=v.seconds, outcome=outcome, kind=kind, message=block.split("\n")[0], text=block
    )


# XML ---------------------------------------------------------------------------------------------------


def _document(name: str, suites: Sequence[Suite], run: Mapping[str, Any] | None) -> str:
    """run: None where results do not say what they were made on."""
    root = ET.Element("testsuites", name=name)
    _count(root, [case for suite in suites for case in suite.cases])
    for number, suite in enumerate(suites):
        node = ET.SubElement(root, "testsuite", name=shown(suite.name))
        if run is not None:
            node.set("timestamp", run["started"].split("+")[0])
        _count(node, suite.cases)
        if not number and run is not None:
            _properties(node, run)
        for case in suite.cases:
            _add(node, suite, case)
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


def _add(node: ET.Element, suite: Suite, case: Case) -> None:
    one = ET.SubElement(
        node, "testcase", classname=shown(suite.name), name=shown(case.name), time=f"{case.seconds:.3f}"
    )
    if case.outcome != "passed":
        why = ET.SubElement(one, case.outcome, type=shown(case.kind), message=shown(case.message))
        why.text = shown(case.text)
