import importlib

import pytest


def pytest_addoption(parser):
    parser.addoption("--pruner", default="right", choices=["right", "wrong"])


@pytest.fixture
def discover(request):
    return importlib.import_module(f"prunelab.{request.config.getoption('--pruner')}").discover
