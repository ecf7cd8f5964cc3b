"""JUnit XML: of a schema that pytest's own files pass too, with counts that are right, whatever text it holds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema

from tests.tracrcheck.reports.hostile import MARK, NASTY, RUN, hostile, results, verdict
from tests.tracrcheck.reports.test_pull_request import certificate, discovery
from tracrcheck.reports.kinds import junit_of
from tracrcheck.reports.saved import CertificatesFile
from tracrcheck.runs.compare import CompareResults
from tracrcheck.runs.mutants import Found, MutantResults
from tracrcheck.trained.curve import Curve


@pytest.fixture(scope="module")
def schema():
    return xmlschema.XMLSchema(str(Path(__file__).with_name("junit.xsd")))


def test_what_pytest_itself_writes_is_of_the_schema(schema, pytester):
    pytester.makepyfile(
        "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\ndef test_c(): pytest.skip('no')"
    )
    pytester.runpytest_subprocess("--junitxml=out.xml", "-p", "no:cacheprovider")
    schema.validate(str(pytester.path / "out.xml"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('tests="', 'test="'),
        ('failures="', 'failures="x'),
        ("<testcase ", "<case "),
        ('time="', 'time="-1'),
        ("2026-11", "2026-13"),
    ],
)
def test_a_file_that_is_not_junit_is_noticed(schema, old, new):
    text = junit_of(results([verdict()]))
    assert old in text
    changed = text.replace(old, new).replace("</testcase>", "</case>" if "<case" in new else "</testcase>")
    assert not schema.is_valid(changed)


def test_a_gate_is_a_suite_for_each_program_and_a_case_for_each_verdict(schema, made):
    text = (made / "out.xml").read_text()
    schema.validate(text)
    root = ElementTree.fromstring(text)
    verdicts = json.loads((made / "out.json").read_text())["verdicts"]
    cases = root.findall("testsuite/testcase")
    assert len(cases) == len(verdicts) == 27
    assert [suite.get("name") for suite in root] == ["hist", "length", "reverse"]
    wrong = {
        (v["program"], f"{v['ablation']}, {v['criterion']}, seed {v['seed']}")
        for v in verdicts
        if v["verdict"] == "FAILS"
    }
    assert {(c.get("classname"), c.get("name")) for c in cases if c.find("failure") is not None} == wrong
    assert root.get("failures") == str(len(wrong)) == str(sum(int(suite.get("failures")) for suite in root))
    assert "replay  tracrcheck gate hist --ablation" in root.find("testsuite/testcase/failure").text


def test_a_truth_that_is_not_proved_is_an_error_and_no_failure(schema):
    text = junit_of(
        results(
            [verdict(verdict="UNKNOWN", reason="a narrow gap"), verdict(seed=1, verdict="HOLDS", reason=None)]
        )
    )
    schema.validate(text)
    suite = ElementTree.fromstring(text)[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "0", "1")
    assert suite.find("testcase/error").get("type") == "UNKNOWN"


def test_hostile_text_stays_text(schema):
    text = junit_of(hostile())
    schema.validate(text)
    case = ElementTree.fromstring(text).find("testsuite/testcase")
    assert case.get("classname").startswith(f"{MARK}<script>")
    assert MARK in case.find("failure").text
    text.encode("utf-8")


def test_a_seeded_fault_that_survives_is_a_failure(schema):
    statuses = ("killed", "survived", "error")
    rows = [
        {
            "name": s,
            "why": "w",
            "status": s,
            "killed_by": None if s == "survived" else "x: y",
            "seconds": 1.0,
            "blind": False,
        }
        for s in statuses
    ]
    text = junit_of(MutantResults(path=Path(), run=hostile().run, found=tuple(Found(**row) for row in rows)))
    schema.validate(text)
    suite = ElementTree.fromstring(text)[0]
    assert [[child.tag for child in case] for case in suite.findall("testcase")] == [
        [],
        ["failure"],
        ["error"],
    ]


def test_fuzzing_is_a_case_for_each_program_and_setting(schema, call, tmp_path):
    words = [
        "--programs",
        "2",
        "--seed",
        "3",
        "--ablation",
        "zero",
        "--method",
        "random",
        "--junit",
        tmp_path / "f.xml",
    ]
    assert call("fuzz", *words).exit_code in (0, 1)
    schema.validate(str(tmp_path / "f.xml"))
    assert len(ElementTree.parse(tmp_path / "f.xml").getroot().findall("testsuite/testcase")) == 2


def test_a_truth_a_circuit_and_a_curve_that_are_not_there_are_reported(schema):
    unsure = certificate(proved=[], unknown={"sufficient": NASTY})
    point = Curve(method="eap", seed=1, candidates=0, seconds=1, peak_mib=0, points=(), fault=NASTY)
    asked = {
        "task": "ioi",
        "model": "english",
        "ablation": "resample",
        "seeds": [0],
        "methods": [],
        "prompts": 10,
    }
    of = {
        "UNKNOWN": CertificatesFile(certificates=(certificate(), unsure)),
        "timeout": discovery(circuit=None, fault="timeout", faithfulness=None),
        "fault": CompareResults(
            path=Path(), run={**RUN, "asked": asked}, curves=(point, replace(point, fault=None))
        ),
    }
    for kind, results_ in of.items():
        text = junit_of(results_)
        schema.validate(text)
        wrong = [w for case in ElementTree.fromstring(text).iter("testcase") for w in case]
        assert [w.get("type") for w in wrong] == [kind]
        assert [w.tag for w in wrong] == ["failure" if kind == "timeout" else "error"]
