"""Every sample is right in this setting, except the bare ones: `reverse`, zero ablation, lengths 2-3."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edgeprune_core.errors import CheckError
from tests import zoo
from tracrcheck.grading.grade_imported import grade_imported
from tracrcheck.importers import IMPORTERS
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

SAMPLES = Path(__file__).parent / "samples"


def sample(name: str):
    return json.loads((SAMPLES / f"{name}.json").read_text())


class Paper:
    """A program in a setting, certified: reads documents of its graph and grades them."""

    def __init__(self, program: str, **setting):
        self.compiled = zoo.compiled(program)
        self.graph = self.compiled.graph
        self.setting = Setting(**setting)
        self.task = task_of(self.compiled, self.setting)
        self.certificate = certify(self.task, self.setting)

    def read(self, format, document, threshold=None):
        return IMPORTERS[format].read(document, self.graph, threshold=threshold)

    def grade(self, imported, certificate=None):
        return grade_imported(
            self.compiled, self.task, certificate or self.certificate, imported, name="x.json"
        )


def refused(code, words):
    return pytest.raises(CheckError, match=f"^{code} .*{re.escape(words)}")


@pytest.fixture(scope="session")
def reverse():
    return Paper("reverse", lengths=(2, 3))


@pytest.fixture(scope="session")
def xproportion():
    return Paper("xproportion", ablation="resample", lengths=(4, 4))
