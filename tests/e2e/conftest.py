"""`prunelab` is a project of its own: its tests are run by ours, in their own place, and not collected here."""

from tests.tracrcheck.conftest import _own_cache, cache  # noqa: F401

collect_ignore = ["prunelab"]
