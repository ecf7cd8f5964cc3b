"""The file that `tracrcheck new` writes: a program that passes as it stands."""

from __future__ import annotations

import keyword
from pathlib import Path

from edgeprune_core.errors import CheckError

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
    """Writes `folder`/`name`.py. Errors: TC116, where the name is no name or is taken."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise CheckError(
            "TC116",
            f"'{name}' is no name for a program",
            got=name,
            wanted="letters, digits and _, and no word of Python's own",
            do="give another name",
        )
    path = folder / f"{name}.py"
    if path.exists():
        raise CheckError(
            "TC116", f"'{path}' is there already", got=str(path), wanted="a new file", do="give another name"
        )
    if name in taken:
        raise CheckError(
            "TC116",
            f"there is a program named '{name}' already",
            got=name,
            wanted="a name that no known program has",
            do="give another name",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(TEXT.format(name=name), encoding="utf-8")
    except OSError as error:
        raise CheckError(
            "TC115", f"cannot write '{path}'", got=error.strerror or error, wanted="a folder to write to"
        ) from None
    return path
