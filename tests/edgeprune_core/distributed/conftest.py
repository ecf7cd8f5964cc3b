"""The fixtures that call the command line in this process."""

from tests.tracrcheck.conftest import _own_cache, call, here  # noqa: F401
