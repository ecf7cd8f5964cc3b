"""TrainedModel: a model to be explained, and the tokenizer of its vocabulary."""

from __future__ import annotations

from dataclasses import dataclass

from edgeprune_core.tasks.tokenizer import Tokenizer
from edgeprune_core.weights import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedModel:
    """name: of a shipped subject, a folder or the hub, as it was asked for."""

    name: str
    model: Model
    tokenizer: Tokenizer
