"""Trained models with their tokenizers. Some are shipped here; others are read on demand.

A shipped subject is a folder such as `save_pretrained` writes, with a word list beside it and a card that says what the
model can do (`ci/subjects/` makes all of it). To add one: a folder, and a row here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeprune_core.families import load
from edgeprune_core.tasks.tokenizer import Tokenizer
from edgeprune_core.trained_models.tokenizers import tokenizer_of
from edgeprune_core.weights import Model

FOLDER = Path(__file__).parent
# Name -> the tasks it was trained on.
SUBJECTS: dict[str, tuple[str, ...]] = {
    "english": ("ioi", "greater_than", "gendered_pronoun"),
}
DEFAULT = "english"

__all__ = ["DEFAULT", "FOLDER", "SUBJECTS", "TrainedModel", "load_model", "trained_on"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedModel:
    """A model to explain, and its tokenizer. name: of a shipped model, a folder or a hub repository, as given."""

    name: str
    model: Model
    tokenizer: Tokenizer


def load_model(source: str | Path) -> TrainedModel:
    """The shipped model of this name, or a model of a local folder or the hub with its own tokenizer.

    Errors: those of `families.load` and `tokenizer_of`.
    """
    name = str(source)
    folder = FOLDER / name if name in SUBJECTS else source
    return TrainedModel(name=name, model=load(folder), tokenizer=tokenizer_of(folder))


def trained_on(task: str) -> str:
    """The name of the shipped model trained on this task; the default model for any other task."""
    return next((name for name, tasks in SUBJECTS.items() if task in tasks), DEFAULT)
