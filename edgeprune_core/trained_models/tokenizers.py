"""The tokenizer that belongs to a model: a word list of ours or a list of whole words in its folder, else what `transformers` finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeprune_core.error_codes import user_error
from edgeprune_core.errors import CheckError
from edgeprune_core.families.gguf import is_gguf
from edgeprune_core.tasks.tokenizer import SplitTokenizer, Tokenizer, WordTokenizer

WORDS = "words.json"


def tokenizer_of(source: str | Path) -> Tokenizer:
    """source: a folder, a GGUF file, or a name on the hub. Errors: EP188 (a word list that is none), EP189 (no tokenizer)."""
    folder = Path(source).expanduser()
    if (folder / WORDS).exists():
        return WordTokenizer.load(folder / WORDS)
    if (words := SplitTokenizer.of_file(folder / "tokenizer.json")) is not None:
        return words
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise user_error("EP189.package", where=source, got=f"no {WORDS} of ours in it") from None
    try:
        found: Any = (
            AutoTokenizer.from_pretrained(str(folder.parent), gguf_file=folder.name)
            if is_gguf(folder)
            else AutoTokenizer.from_pretrained(str(folder) if folder.is_dir() else str(source))
        )
    except Exception as error:  # missing or broken files, no connection: the packages below raise many kinds
        first = str(error).strip().partition("\n")[0]
        raise _none(source, f"{type(error).__name__}: {first}") from None
    if not found.encode("a", add_special_tokens=False):
        raise _none(source, "a tokenizer without tokens: what `transformers` makes where there are no files")
    return found


def _none(source: str | Path, got: str) -> CheckError:
    return user_error(
        "EP189.files",
        where=source,
        got=got,
        wanted=f"{WORDS} of ours, or the files of a tokenizer of `transformers`, in the model's folder",
    )
