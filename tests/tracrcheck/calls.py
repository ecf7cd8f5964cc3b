"""How a call of the command line ended."""

from __future__ import annotations


def finished(result, code: int = 0):
    """The result, once its exit code is the expected one and no traceback was printed."""
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result
