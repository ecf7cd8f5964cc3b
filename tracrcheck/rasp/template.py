"""The file that `tracrcheck new` writes: a program that passes every check unchanged."""

from __future__ import annotations

import keyword
from pathlib import Path

from tracrcheck.error_codes import unwritable, user_error

TEXT = '''"""How many of the tokens are equal to the first one.

>>> program.reference(["a", "b", "a"])
[2, 2, 2]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    """The RASP program: return its last expression. Every `.named` shows up in pictures and proofs."""
    at_first = rasp.Select(rasp.indices, rasp.indices, lambda key, query: key == 0).named("at_first")
    first = rasp.Aggregate(at_first, rasp.tokens).named("first")
    alike = rasp.Select(rasp.tokens, first, rasp.Comparison.EQ).named("alike")
    return rasp.SelectorWidth(alike).named("{name}")


def reference(tokens):
    """The same in plain Python, written without looking at `build`: the two are compared on every input."""
    return [tokens.count(tokens[0])] * len(tokens)


program = Program(
    name="{name}",
    build=build,
    vocab={{"a", "b"}},
    max_seq_len=4,
    reference=reference,
)
'''


def new_file(name: str, folder: Path, taken: set[str]) -> Path:
    """Writes `folder`/`name`.py. Errors: TC115 (cannot be written), TC116 (the name is invalid or taken)."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise user_error("TC116.name", got=name, name=name)
    path = folder / f"{name}.py"
    if path.exists():
        raise user_error("TC116.there", got=path, name=path)
    if name in taken:
        raise user_error("TC116.taken", got=name, name=name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(TEXT.format(name=name), encoding="utf-8")
    except OSError as error:
        raise unwritable(path, error) from None
    return path
