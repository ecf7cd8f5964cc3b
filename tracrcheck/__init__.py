"""tracrcheck: proves what a circuit-discovery method must find, and fails the build when it does not."""

from tracrcheck._version import __version__
from tracrcheck.program import ByHand, Program

__all__ = ["ByHand", "Program", "__version__"]
