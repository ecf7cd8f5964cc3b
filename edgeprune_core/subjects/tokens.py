"""The tokenizer that belongs to a model: a word list of ours in its folder, else what `transformers` finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeprune_core.errors import CheckError
from edgeprune_core.tasks.tokenizer import Tokenizer, WordTokenizer

WORDS = "words.json"


def tokenizer_of(source: str | Path) -> Tokenizer:
    """source: a folder, or a name on the hub. Errors: EP188 (a word list that is none), EP189 (no tokenizer)."""
    folder = Path(source).expanduser()
    if (folder / WORDS).exists():
        return WordTokenizer.load(folder / WORDS)
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise CheckError(
            "EP189",
            "the model's tokenizer needs a package that is not installed",
            where=str(source),
            got=f"no {WORDS} of ours in it",
            wanted="transformers",
            do="pip install 'tracrcheck[models]'",
        ) from None
    try:
        found: Any = AutoTokenizer.from_pretrained(str(folder) if folder.is_dir() else str(source))
    except Exception as error:  # missing files, broken ones, no connection: of whichever package below
        raise CheckError(
            "EP189",
            "no tokenizer of this model can be read",
            where=str(source),
            got=f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}",
            wanted=f"{WORDS} of ours, or the files of a tokenizer of `transformers`, in the model's folder",
            do="copy tokenizer.json of the same model into the folder",
        ) from None
    return found
