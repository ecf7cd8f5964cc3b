"""A browser without a window, and pages written by the command line, each made once."""

from __future__ import annotations

import os
import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from typer.testing import CliRunner

from tracrcheck.cli import app

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def found(names) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


@pytest.fixture(scope="package")
def driver():
    """Headless Chromium. Where there is none, CI fails and a developer's machine says what to install."""
    browser, service = found(BROWSERS), found(["chromedriver"])
    if browser is None or service is None:
        lacking = "chromium" if browser is None else "chromedriver"
        why = f"no {lacking}: ci/browser.sh installs it"
        assert not os.environ.get("CI"), why
        pytest.skip(why)
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for word in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,900"):
        options.add_argument(word)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # root may not have one
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=Service(service))
    yield made
    made.quit()


@pytest.fixture(scope="session")
def made(tmp_path_factory, cache):
    """A folder with all that `gate` writes of three programs and a method that is wrong in every way."""
    folder = tmp_path_factory.mktemp("made")
    words = [
        "gate",
        "hist",
        "length",
        "reverse",
        "--method",
        "tests.tracrcheck.pruners:some_edges",
        "--seeds",
        "3",
    ]
    for option, name in (
        ("--json", "out.json"),
        ("--html", "out.html"),
        ("--junit", "out.xml"),
        ("--md", "out.md"),
    ):
        words += [option, str(folder / name)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACRCHECK_CACHE", str(cache))
        result = CliRunner().invoke(app, words)
    assert result.exit_code == 1, result.output
    return folder
