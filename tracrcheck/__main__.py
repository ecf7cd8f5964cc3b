"""Where `tracrcheck` begins: the command line; or, where an installation lacks what that needs, a word about it.

`tracrcheck doctor` runs in any case.
"""

from __future__ import annotations

import os
import sys

from edgeprune_core.errors import CheckError


def main() -> None:
    """The entry point of `tracrcheck`."""
    try:
        from tracrcheck.cli import main as run
    except ImportError as error:
        if os.environ.get("TRACRCHECK_DEBUG"):
            raise
        raise SystemExit(_without_command_line(error, sys.argv[1:])) from None
    run()


def _without_command_line(error: ImportError, words: list[str]) -> int:
    if words[:1] == ["doctor"]:
        from tracrcheck.doctor import main as doctor

        return doctor(words[1:])
    told = CheckError(
        "TC198",
        "the command line cannot be loaded",
        got=error,
        wanted="every package that tracrcheck needs",
        do="tracrcheck doctor says what is missing",
    )
    sys.stderr.write(f"{told}\n")
    return 2


if __name__ == "__main__":
    main()
