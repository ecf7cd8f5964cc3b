"""The workflows fit GitHub's schema, run the targets of `make ci` and `make nightly`, and let no stranger in.

The schemas are those that check-jsonschema ships: no network is needed, and none is used.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
import yaml
from check_jsonschema import main as check_jsonschema
from typer.testing import CliRunner

from tracrcheck.cli import app

ROOT = Path(__file__).parents[2]
CI, NIGHTLY = (ROOT / ".github" / "workflows" / name for name in ("ci.yml", "nightly.yml"))
ACTION = ROOT / "ci" / "gate" / "action.yml"
SCRIPT = ROOT / "ci" / "gate" / "run"
MAKEFILE = (ROOT / "Makefile").read_text()
SCHEMAS = {CI: "github-workflows", NIGHTLY: "github-workflows", ACTION: "github-actions"}


def loaded(path: Path) -> dict:
    """`on` is a truth value to YAML 1.1; to GitHub it is a word."""
    found = yaml.safe_load(path.read_text())
    return {("on" if key is True else key): value for key, value in found.items()}


# The schema --------------------------------------------------------------------------------------------


def complaints(document: dict, kind: str, folder: Path) -> str:
    """What the schema reports about a workflow or an action: nothing if it is valid."""
    path = folder / "document.yml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    from click.testing import CliRunner as ClickRunner

    words = ["--builtin-schema", f"vendor.{kind}", "--output-format", "json", str(path)]
    result = ClickRunner().invoke(check_jsonschema, words)
    assert result.exit_code in (0, 1), result.output
    assert (json.loads(result.stdout)["status"] == "ok") == (result.exit_code == 0)
    return "" if result.exit_code == 0 else result.stdout


@pytest.fixture
def _no_network(monkeypatch):
    def refused(*args, **kwargs):
        raise AssertionError("the network is asked")

    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)


@pytest.mark.usefixtures("_no_network")
@pytest.mark.parametrize("path", SCHEMAS, ids=lambda p: p.name)
def test_a_workflow_is_one_by_githubs_schema(path, tmp_path):
    assert complaints(loaded(path), SCHEMAS[path], tmp_path) == ""


def steps_of(document: dict) -> list[dict]:
    jobs = document["jobs"].values() if "jobs" in document else [document["runs"]]
    return [step for job in jobs for step in job["steps"]]


BROKEN = {
    "no trigger": (CI, lambda d: d.pop("on")),
    "a job on no machine": (CI, lambda d: d["jobs"]["quick"].pop("runs-on")),
    "a misspelt key of a step": (CI, lambda d: steps_of(d)[0].update(wiht={})),
    "a step that does two things": (NIGHTLY, lambda d: steps_of(d)[0].update(run="true")),
    "a permission there is not": (NIGHTLY, lambda d: d["permissions"].update(contents="all")),
    "an event there is not": (NIGHTLY, lambda d: d["on"].update(pull_requests=None)),
    "an action without a description": (ACTION, lambda d: d.pop("description")),
    "a command without a shell": (ACTION, lambda d: steps_of(d)[1].pop("shell")),
    "an action that runs on nothing": (ACTION, lambda d: d["runs"].pop("using")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_workflow_is_noticed(name, tmp_path):
    path, change = BROKEN[name]
    document = copy.deepcopy(loaded(path))
    change(document)
    assert complaints(document, SCHEMAS[path], tmp_path)


# The same as make ----------------------------------------------------------------------------------------


def prerequisites(target: str) -> list[str]:
    (line,) = re.findall(rf"^{target}: (.*?) *##", MAKEFILE, re.MULTILINE)
    return [word for word in line.split() if not word.startswith("$(")]


def recipe(target: str) -> str:
    return re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)[1]


def made_by(document: dict) -> list[str]:
    """The make targets that a workflow runs. Our own action counts as `quick`."""
    targets = []
    for job in document["jobs"].values():
        for step in job["steps"]:
            if step.get("uses") == "./ci/gate":
                targets.append("quick")
            elif step.get("run") == 'make "$TARGET"':
                assert step["env"] == {"TARGET": "${{ matrix.target }}"}
                targets += job["strategy"]["matrix"]["target"]
            elif step.get("run") == "make pretrained":
                targets.append("pretrained")
            elif step.get("run") == "make versions":
                assert step["env"] == {"CONSTRAINTS": "${{ matrix.constraints }}"}
                targets.append("versions")
            else:
                beside = (None, "ci/browser.sh", 'make --silent pages >> "$GITHUB_STEP_SUMMARY"')
                assert step.get("run") in beside, step
    return targets


@pytest.mark.parametrize(("path", "target"), [(CI, "ci"), (NIGHTLY, "nightly")], ids=["ci", "nightly"])
def test_a_workflow_runs_what_make_runs(path, target):
    assert made_by(loaded(path)) == prerequisites(target)
    assert not re.search(rf"^{target}:.*\n\t", MAKEFILE, re.MULTILINE), "a recipe that GitHub would not run"


def test_a_target_that_is_forgotten_in_a_workflow_is_noticed():
    document = loaded(NIGHTLY)
    document["jobs"]["nightly"]["strategy"]["matrix"]["target"].remove("mutants")
    assert made_by(document) != prerequisites("nightly")


def test_the_action_and_make_run_the_same_script():
    assert os.access(SCRIPT, os.X_OK)
    (gate,) = [step for step in steps_of(loaded(ACTION)) if step.get("id") == "gate"]
    assert gate["run"] == '"$GITHUB_ACTION_PATH/run"'
    assert recipe("quick").split()[-1] == "ci/gate/run"
    read = set(re.findall(r"\$\{([A-Z_]+):-", SCRIPT.read_text()))
    assert read - {"GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"} == set(gate["env"])
    assert set(re.findall(r"\b([A-Z_]+)=", recipe("quick"))) - {"PATH"} <= set(gate["env"])


def test_make_calls_commands_that_exist():
    called = re.findall(r"\$\(BIN\)/tracrcheck (\w+)((?:[^\n;]|\\\n)*)", MAKEFILE)
    assert {"gate", "certify", "fuzz", "invariants", "recheck", "report", "mutants"} <= {
        name for name, _ in called
    }
    for name, words in called:
        shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output
        for option in re.findall(r"--[a-z-]+", words):
            assert option in shown, f"{name} {option}"


# The browser ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [CI, NIGHTLY], ids=lambda p: p.name)
def test_whatever_runs_the_default_tests_on_github_has_a_browser_first(path):
    job = next(job for job in loaded(path)["jobs"].values() if "strategy" in job)
    runs = [step.get("run") for step in job["steps"]]
    assert runs.index("ci/browser.sh") < runs.index('make "$TARGET"')
    (step,) = [step for step in job["steps"] if step.get("run") == "ci/browser.sh"]
    needing = {t for t in job["strategy"]["matrix"]["target"] if re.search(r"pytest(?! -m slow)", recipe(t))}
    assert set(re.findall(r"matrix.target == '(\w+)'", step["if"])) == needing != set()


def test_ci_has_a_browser_and_says_that_it_is_ci():
    lines = [line.split("  #")[0] for line in (ROOT / ".ci" / "run").read_text().splitlines()]
    assert lines.index("export CI=true") < lines.index("make test")
    assert lines.index("ci/browser.sh") < lines.index("make test")


def without_a_browser(folder: Path, *programs: str, **scripts: str) -> subprocess.CompletedProcess:
    """Runs the script with nothing on the path but these programs of this machine, and these scripts."""
    for name in ("bash", "env", *programs):
        (folder / name).symlink_to(shutil.which(name))
    for name, text in scripts.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!{shutil.which('bash')}\n{text}\n")
        path.chmod(0o755)
    return subprocess.run(
        [ROOT / "ci" / "browser.sh"], env={"PATH": str(folder)}, capture_output=True, text=True, check=False
    )


def test_without_a_browser_and_without_apt_it_is_said_what_to_do(tmp_path):
    done = without_a_browser(tmp_path)
    assert done.returncode == 1
    assert "no browser for the tests of reports, and no apt-get: install Chromium" in done.stderr


def test_a_browser_that_is_there_is_not_installed_again(tmp_path):
    done = without_a_browser(tmp_path, google_chrome="", chromedriver="", apt_get="exit 9")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_installation_that_brings_no_browser_is_reported(tmp_path):
    done = without_a_browser(tmp_path, apt_get="", sudo='shift; "$@"')
    assert done.returncode == 1
    assert "apt-get installed no browser" in done.stderr


# Strangers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda p: p.name)
def test_no_command_has_an_expression_pasted_into_it(path):
    """A pull request could put commands into its own name. Values go through the environment."""
    for step in steps_of(loaded(path)):
        assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("path", [CI, NIGHTLY], ids=lambda p: p.name)
def test_a_workflow_may_only_read(path):
    document = loaded(path)
    assert document["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in document["jobs"].values())
    assert "pull_request_target" not in document["on"]
    assert "secrets" not in path.read_text()


def test_actions_are_githubs_own_of_one_version_each():
    used = {step["uses"] for path in SCHEMAS for step in steps_of(loaded(path)) if "uses" in step}
    names = [word.partition("@")[0] for word in used - {"./ci/gate"}]
    assert len(names) == len(set(names))
    assert all(name.startswith("actions/") for name in names)


# The stored result ---------------------------------------------------------------------------------------


def test_what_is_stored_is_what_is_restored_and_only_main_stores():
    steps = steps_of(loaded(ACTION))
    (restore,) = [s["with"] for s in steps if s.get("uses", "").startswith("actions/cache/restore@")]
    (save,) = [s for s in steps if s.get("uses", "").startswith("actions/cache/save@")]
    (store,) = [s for s in steps if s.get("id") == "store"]
    (gate,) = [s for s in steps if s.get("id") == "gate"]
    assert save["with"] == {name: restore[name] for name in ("path", "key")}
    assert restore["key"].startswith(restore["restore-keys"])
    assert restore["path"] == gate["env"]["BASELINE"]
    assert store["run"] == f"cp {gate['env']['RESULT']} {gate['env']['BASELINE']}"
    assert "github.ref == format('refs/heads/{0}', inputs.main)" in store["if"]
    assert "steps.gate.outputs.finished == 'true'" in store["if"]
    assert "steps.store.outcome == 'success'" in save["if"]


def test_every_input_of_the_action_is_used_and_no_other():
    text = ACTION.read_text()
    assert set(re.findall(r"inputs\.([a-z-]+)", text)) == set(loaded(ACTION)["inputs"])


def test_whatever_changes_the_question_stands_in_the_key():
    (key,) = [step for step in steps_of(loaded(ACTION)) if step.get("id") == "key"]
    asked = re.findall(r"inputs\.([a-z-]+)", key["env"]["ASKED"])
    inputs = set(loaded(ACTION)["inputs"])
    assert inputs - set(asked) == {
        "install", "constraints", "python-version", "allow-known", "slower", "jobs", "main",
    }  # fmt: skip


# What is said of it --------------------------------------------------------------------------------------

GUIDE = (ROOT / "docs" / "ci.md").read_text()


def test_the_guide_lists_every_input_with_its_default():
    listed = re.findall(r"^\| `([a-z-]+)` \| (?:`(.*?)`)? ?\| ", GUIDE, re.MULTILINE)
    assert listed[: len(loaded(ACTION)["inputs"])] == [
        (n, i["default"]) for n, i in loaded(ACTION)["inputs"].items()
    ]


def test_the_workflow_of_the_guide_is_one_and_calls_the_action_rightly(tmp_path):
    (block,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    path = tmp_path / "circuits.yml"
    path.write_text(block)
    document = loaded(path)
    assert complaints(document, "github-workflows", tmp_path) == ""
    checkout, gate = steps_of(document)
    assert checkout["uses"] in {step.get("uses") for step in steps_of(loaded(CI))}
    owner, _, place = gate["uses"].partition("/tracrcheck/")
    assert (owner, (ROOT / place.partition("@")[0] / "action.yml").is_file()) == ("OWNER", True)
    assert set(gate["with"]) <= set(loaded(ACTION)["inputs"])
    assert len(block.split("    steps:\n")[1].splitlines()) == 5


@pytest.mark.parametrize("target", ["ci", "nightly"])
def test_the_guide_lists_the_targets(target):
    (row,) = re.findall(rf"^\| `{target}` \| (.*?) \|", GUIDE, re.MULTILINE)
    assert re.findall(r"`(\w+)`", row) == prerequisites(target)
