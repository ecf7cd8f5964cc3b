"""TrainedModel: a model to explain, and its tokenizer."""

from __future__ import annotations

from dataclasses import dataclass

from edgeprune_core.tasks.tokenizer import Tokenizer
from edgeprune_core.weights import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedModel:
    """name: of a shipped model, a folder or a hub repository, as the caller gave it."""

    name: str
    model: Model
    tokenizer: Tokenizer
