"""The code blocks of a page of Markdown, and what running them means.

python   a file, where its first line is `# NAME.py`; else run as it stands. pycon: as doctest does.
console  commands after `$ `: they end with exit code 0, or the one of a closing line `[exit code N]`; lines that follow a
         command are what it prints, `...` for what changes.
sh       commands that are shown and not run: each names a command and options that exist.
json, toml, yaml: read. text and unnamed blocks are shown only.

A block after `<!-- not run here: WHY -->` is shown only. The blocks of a page share a folder and a namespace.
"""

from __future__ import annotations

import doctest
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner

from tests.modules_of import forget_modules_of
from tracrcheck.cli import app

BLOCK = re.compile(
    r"(?:<!-- not run here: (?P<why>.+?) -->\n)?^```(?P<kind>\w*)[^\n]*\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    kind: str
    text: str
    line: int
    not_run: str | None


def blocks_of(page: str) -> list[Block]:
    return [
        Block(m["kind"], m["text"], page[: m.start("kind")].count("\n") + 1, m["why"])
        for m in BLOCK.finditer(page)
    ]


class Page:
    """Runs the blocks of one page in order, in an empty current folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.names = folder, {"__name__": "page"}

    def run(self, block: Block) -> None:
        """Raises AssertionError if the block does not do what it shows."""
        if block.not_run is None:
            getattr(self, f"_{block.kind or 'text'}")(block.text)

    def _python(self, text: str) -> None:
        if named := re.match(r"# (\S+\.py)\n", text):
            path = self.folder / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        else:
            exec(compile(text, "page", "exec", dont_inherit=True), self.names)

    def _pycon(self, text: str) -> None:
        test = doctest.DocTestParser().get_doctest(text, self.names, "page", None, 0)
        said: list[str] = []
        doctest.DocTestRunner(optionflags=LOOSE, verbose=False).run(test, out=said.append, clear_globs=False)
        self.names.update(test.globs)
        assert not said, "".join(said)

    def _console(self, text: str) -> None:
        for command, wanted, code in steps(text):
            forget_modules_of(self.folder)  # a later block may overwrite this block's file
            done = command_line(command)
            assert done.exit_code == code, f"{command}: exit code {done.exit_code}\n{done.output}"
            if wanted:
                right = doctest.OutputChecker().check_output(wanted, done.output, LOOSE)
                assert right, f"{command}\nwanted\n{wanted}\ngot\n{done.output}"

    def _sh(self, text: str) -> None:
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["tracrcheck"]:
                exists(words)

    def _json(self, text: str) -> None:
        json.loads(text)

    def _toml(self, text: str) -> None:
        tomllib.loads(text)

    def _yaml(self, text: str) -> None:
        yaml.safe_load(text)

    def _text(self, text: str) -> None:
        pass


def steps(text: str) -> Iterator[tuple[str, str, int]]:
    """(command, what it prints, exit code) of a console block."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, rest = part.partition("\n")
        closing = re.search(r"^\[exit code (\d+)\]\n?\Z", rest, re.MULTILINE)
        yield command, rest[: closing.start()] if closing else rest, int(closing[1]) if closing else 0


def command_line(command: str) -> Any:
    program, *words = shlex.split(command, comments=True)
    assert program == "tracrcheck", f"only tracrcheck is run: {command}"
    return CliRunner().invoke(app, words, prog_name="tracrcheck")


def exists(words: list[str]) -> None:
    """A command of ours with options of its own."""
    shown = CliRunner().invoke(
        app, [words[1], "--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    )
    assert shown.exit_code == 0, " ".join(words)
    for option in (word.partition("=")[0] for word in words[2:] if word.startswith("--")):
        assert option in shown.output, f"{words[1]} {option}"
