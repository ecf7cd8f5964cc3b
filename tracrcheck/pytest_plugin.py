"""The pytest plugin: options, marks and a fixture.

Every pytest run loads it wherever tracrcheck is installed, so it imports only what pytest has loaded already; the rest
is imported when it is used.

    pytest --tracrcheck-method=mypkg.prune:discover

adds a test per (program, ablation); `tracrcheck.testing` is for hand-written tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tracrcheck.testing import Case

MARKS = (
    "tracrcheck: a method's circuit is compared with a proved one",
    "slow: takes minutes",
    "gpu: needs a CUDA device",
)

# Option, its value, what it does. The default is None.
OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "method",
        {"metavar": "MODULE:NAME", "help": "add a test for every (program, ablation), of this method"},
    ),
    ("profile", {"metavar": "NAME", "help": "quick (the default) or full: all three ablations, 20 seeds"}),
    ("programs", {"metavar": "A,B", "help": "these programs only, by name or file"}),
    ("timeout", {"metavar": "SECONDS", "type": float, "help": "how long one run of the method may take"}),
    ("memory", {"metavar": "MIB", "type": int, "help": "memory that the method's process may allocate"}),
    (
        "in-process",
        {
            "action": "store_true",
            "help": "for debugging: run the method in this process, where it can cheat",
        },
    ),
    ("json", {"metavar": "FILE", "help": "write the verdicts there (docs/json.md)"}),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tracrcheck", "tracrcheck: circuits against proved ones")
    for name, settings in OPTIONS:
        dest = f"tracrcheck_{name}".replace("-", "_")
        group.addoption(f"--tracrcheck-{name}", dest=dest, default=None, **settings)


def pytest_configure(config: pytest.Config) -> None:
    for mark in MARKS:
        config.addinivalue_line("markers", mark)
    given = [
        name for name, _ in OPTIONS if config.getoption(f"tracrcheck_{name}".replace("-", "_")) is not None
    ]
    if "method" in given:
        from tracrcheck.pytest_items import GatePlugin

        config.pluginmanager.register(GatePlugin.of(config), "tracrcheck-gate")
    elif given:
        raise pytest.UsageError(f"--tracrcheck-{given[0]} needs --tracrcheck-method=MODULE:NAME")


@pytest.fixture
def tracrcheck_case() -> Callable[..., Case]:
    """`tracrcheck_case("reverse", ablation="zero")`: a program in a setting, whose circuit a method must find."""
    from tracrcheck.testing import Case

    return Case
