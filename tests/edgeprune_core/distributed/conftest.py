"""The command line, called in this process, as the tests of the other surfaces call it."""

from tests.tracrcheck.conftest import _own_cache, cache, call, here  # noqa: F401
