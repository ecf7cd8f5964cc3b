"""The entry point of `tracrcheck`. Where the command line cannot be loaded, it says why; `doctor` runs in any case."""

from __future__ import annotations

import os
import sys

from tracrcheck.error_codes import user_error


def main() -> None:
    try:
        from tracrcheck.cli import main as run
    except ImportError as error:
        if os.environ.get("TRACRCHECK_DEBUG"):
            raise
        if sys.argv[1:2] == ["doctor"]:
            from tracrcheck.doctor import main as doctor

            raise SystemExit(doctor(sys.argv[2:])) from None
        sys.stderr.write(f"{user_error('TC198', got=error)}\n")
        raise SystemExit(2) from None
    except KeyboardInterrupt:  # a command answers its own
        sys.stderr.write("interrupted\n")
        raise SystemExit(130) from None
    run()


if __name__ == "__main__":
    main()
