"""A document as Markdown: a page of everything, or a comment on a pull request, with what is wrong first and a limit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tracrcheck.records.machine import in_words
from tracrcheck.reports import document as doc
from tracrcheck.reports.document import plain
from tracrcheck.reports.findings import block
from tracrcheck.reports.render.sanitize import shown
from tracrcheck.reports.render.templates import templates

# Findings in full on a page.
MOST = 40
# Bytes of UTF-8 in a comment. GitHub refuses one above 65,536 characters; a character is a byte at least.
LIMIT = 65_000
# In a comment: rows of a table, findings in full, bytes of one, of a line, and of lines that are kept.
MOST_ROWS, MOST_TABLE, MOST_BLOCKS, MOST_BLOCK, MOST_LINE, MOST_LINES = 30, 150, 10, 3000, 2000, 12_000
MOST_CELL = 300  # bytes in a cell of any table
_SIGNS = {"UNKNOWN": "?", "error": "?"}


def page(document: doc.Document) -> str:
    """Provenance, outcome, and every section."""
    state = ", NOT FINISHED" if document.unfinished else ""
    template = templates(escaped=False).get_template("page.md")
    return template.render(
        document=document, run=document.run, state=state, text=_text, indented=_indented, in_words=in_words,
        blocks=lambda section: [part for one in section.blocks for part in _block(one)],
    )  # fmt: skip


def comment(document: doc.Document) -> str:
    """As many findings as fit; the number left out is always given."""
    state = " (NOT FINISHED)" if document.unfinished else ""
    sign = "✓" if document.good else "✗"
    top = [f"### {sign} tracrcheck {document.command}: {_text(document.outcome)}{state}"]
    top += [_text(line) for line in (document.scope, *document.summary) if line]
    wrong, foot = [], []
    for section in document.shown("comment"):
        for one in section.blocks:
            if isinstance(one, doc.Findings):
                wrong.append(one)
            elif isinstance(one, doc.Lines) and one.kind == "verbatim":
                top += [f"**{_text(section.title)}.**", *_block(one)]
            else:
                foot += _folded(section, one) if section.folded else _block(one, most=MOST_TABLE)
    foot += _made_on(document.run)
    room = LIMIT - sum(map(_size, (*top, *foot))) - 400
    return "\n\n".join([*top, *(part for one in wrong for part in _first(one, room)), *foot]) + "\n"


# Blocks -----------------------------------------------------------------------------------------------


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in shown(text).splitlines())


def _block(one: object, *, most: int | None = None) -> list[str]:
    """A block as Markdown; nothing for drawings and plots, which only a page shows."""
    if isinstance(one, doc.Table):
        rows = [[_cell(cell, most=MOST_CELL) for cell in row] for row in one.rows[:most]]
        more = [f"and {len(one.rows) - len(rows):,} more."] if len(one.rows) > len(rows) else []
        numbers = ["---:" if column.number else "---" for column in one.columns]
        head = [_text(column.name) for column in one.columns]
        note = [_text(one.note)] if one.note else []
        return [f"{_text(one.caption)}.", _table(head, numbers, rows), *more, *note]
    if isinstance(one, doc.Findings):
        more = [f"and {len(one.of) - MOST:,} more."] if len(one.of) > MOST else []
        return [*(_indented(block(f)) for f in one.of[:MOST]), *more]
    if isinstance(one, doc.Facts):
        return ["\n".join(f"* {_text(name)}: {_cell(value)}" for name, value in one.rows)]
    if isinstance(one, doc.Lines):
        if one.kind == "verbatim":
            return [_fenced(_within("\n".join(one.lines), MOST_LINES))]
        sign = "* " if one.kind == "list" else ""
        return ["\n".join(f"{sign}{_text(line)}" for line in one.lines)]
    return []


def _table(head: Sequence[str], numbers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, numbers, *rows))


# A comment ---------------------------------------------------------------------------------------------


def _first(findings: doc.Findings, room: int) -> list[str]:
    """A table of findings in at most half the room, then as many in full as fit."""
    rows = [f"| {' | '.join([_mark(f.word), *map(_cell, f.cells)])} |" for f in findings.of]
    kept = _fitting(rows[:MOST_ROWS], room // 2)
    parts = []
    if kept:
        head = ["", *map(_text, findings.head)]
        parts.append("\n".join([_table(head, ["---"] * len(head), []), *kept]))
        room -= _size(parts[-1])
    if len(rows) > len(kept):
        parts.append(f"and {len(rows) - len(kept):,} more.")
    return [*parts, *_fitting([_details(f) for f in findings.of[:MOST_BLOCKS]], room)]


def _details(f: doc.Finding) -> str:
    return f"<details><summary>{_text(f'{f.word} {f.title}')}</summary>\n\n{_fenced(_within(block(f), MOST_BLOCK))}\n\n</details>"


def _folded(section: doc.Section, one: object) -> list[str]:
    inside = "\n\n".join(_block(one, most=MOST_TABLE))
    return [f"<details><summary>{_text(section.title)}</summary>\n\n{inside}\n\n</details>"] if inside else []


def _mark(word: str) -> str:
    return f"{_SIGNS.get(word, '✗')} {_text(word)}"


def _made_on(run: Mapping[str, Any] | None) -> list[str]:
    if run is None:
        return []
    words = f"{in_words(run['machine'])}; commit {(run['commit'] or 'unknown')[:12]}; begun {run['started']}"
    return [f"<sub>{_text(words)}</sub>"]


def _fitting(parts: Sequence[str], room: int) -> list[str]:
    kept: list[str] = []
    for part in parts:
        room -= _size(part)
        if room < 0:
            break
        kept.append(part)
    return kept


def _size(text: str) -> int:
    """In bytes, with the blank line that follows."""
    return len(text.encode(errors="replace")) + 2


def _within(text: str, most: int) -> str:
    data = text.encode(errors="replace")
    return text if len(data) <= most else data[:most].decode(errors="ignore") + " …"


# Text that becomes no markup ------------------------------------------------------------------------------


def _text(value: str) -> str:
    """One line, with every character that is special in Markdown or HTML as a numeric reference."""
    value = _within(" ".join(shown(value).split()), MOST_LINE)
    return re.sub(
        r"[^\w .,:;%/+=()'?>-]|(?<![^\W_])_|_(?![^\W_])|(?<!-)>", lambda m: f"&#{ord(m[0])};", value
    )


def _cell(value: doc.Inline, *, most: int = MOST_LINE) -> str:
    """Code is a `code` element, in which GitHub mentions nobody and links nothing."""
    words = _text(_within(plain(value), most))
    if isinstance(value, doc.Code):
        return f"<code>{words}</code>"
    return f"**{words}**" if isinstance(value, doc.Badge) and words in ("FAILS", "UNKNOWN") else words


def _fenced(text: str) -> str:
    text = shown(text)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
