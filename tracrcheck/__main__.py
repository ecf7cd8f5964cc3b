"""Where `tracrcheck` begins: the command line; or, where an installation lacks what that needs, a word about it.

`tracrcheck doctor` runs in any case.
"""

from __future__ import annotations

import os
import sys

from tracrcheck.error_codes import user_error


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
    told = user_error("TC198", got=error)
    sys.stderr.write(f"{told}\n")
    return 2


if __name__ == "__main__":
    main()
