"""tracrcheck: proves what a circuit-discovery method must find, and fails the build when it does not."""

from tracrcheck._version import __version__
from tracrcheck.program import Program

__all__ = ["Program", "__version__"]
