"""The word lists shipped with the package, and how to regenerate them.

python -c "from edgeprune_core.tasks import vocabulary; vocabulary.write()"
"""

from __future__ import annotations

from pathlib import Path

from edgeprune_core.error_codes import unknown_name
from edgeprune_core.tasks.base import PromptSource
from edgeprune_core.tasks.boolean_expressions import BooleanExpressions
from edgeprune_core.tasks.gendered_pronoun import GenderedPronoun
from edgeprune_core.tasks.greater_than import GreaterThan
from edgeprune_core.tasks.ioi import IndirectObject
from edgeprune_core.tasks.tokenizer import WordTokenizer

FOLDER = Path(__file__).with_name("vocabularies")
VOCABULARIES: dict[str, tuple[PromptSource, ...]] = {
    "english": (IndirectObject(), GreaterThan(), GenderedPronoun()),
    "boolean": (BooleanExpressions(form="few_shot"), BooleanExpressions(form="instruction")),
}


def tokenizer(name: str) -> WordTokenizer:
    """The shipped list of this name. Errors: EP188."""
    if name not in VOCABULARIES:
        raise unknown_name("EP188.name", name, VOCABULARIES)
    return WordTokenizer.load(FOLDER / f"{name}.json")


def made_anew(name: str) -> WordTokenizer:
    """The list of this name, regenerated from the texts of its tasks."""
    return WordTokenizer.of_texts(text for source in VOCABULARIES[name] for text in source.texts())


def write(folder: Path = FOLDER) -> None:
    for name in VOCABULARIES:
        (folder / f"{name}.json").write_text(made_anew(name).dumps())
