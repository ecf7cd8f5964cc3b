"""The report files of a command: checked before the work, written atomically after it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tracrcheck.error_codes import user_error
from tracrcheck.reports import files

if TYPE_CHECKING:
    from tracrcheck.reports.context import Context
    from tracrcheck.reports.saved import Shown


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The command itself writes `json`; it is only checked here."""

    json: Path | None = None
    html: Path | None = None
    junit: Path | None = None
    md: Path | None = None

    def check(self) -> None:
        """Raises TC115 if a file cannot be written, TC117 if two options name the same file."""
        named = {
            f"--{name}": path for name in ("json", "html", "junit", "md") if (path := getattr(self, name))
        }
        seen: dict[Path, str] = {}
        for option, path in named.items():
            files.check_writable(path)
            first = seen.setdefault(path.resolve(), option)
            if first != option and not files.is_device(path):
                raise user_error("TC117.same_file", where=f"{first}, {option}", got=path)

    def write(self, results: Shown, context: Context) -> None:
        """Renders all reports, then writes them. Errors: TC115."""
        if (self.html, self.junit, self.md) == (None, None, None):
            return
        from tracrcheck.reports.kinds import comment_of, html_of, junit_of

        texts = [
            (path, made(results, context))
            for path, made in ((self.html, html_of), (self.junit, junit_of), (self.md, comment_of))
            if path is not None
        ]
        for path, text in texts:
            files.write_text(path, text)
