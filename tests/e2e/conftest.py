"""`prunelab` is a separate project: our tests run its tests in a copy, so they are not collected here."""

from tests.tracrcheck.conftest import _own_cache  # noqa: F401

collect_ignore = ["prunelab"]
