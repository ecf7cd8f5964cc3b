"""The prompt tasks by name, each in its default setting."""

from edgeprune_core.tasks.base import Pair, PromptSource, pairs
from edgeprune_core.tasks.boolean_expressions import BooleanExpressions
from edgeprune_core.tasks.capitals import Capitals
from edgeprune_core.tasks.gendered_pronoun import GenderedPronoun
from edgeprune_core.tasks.greater_than import GreaterThan
from edgeprune_core.tasks.induction import Induction
from edgeprune_core.tasks.ioi import IndirectObject
from edgeprune_core.tasks.jsonl import read_pairs

TASKS: dict[str, PromptSource] = {
    "ioi": IndirectObject(),
    "greater_than": GreaterThan(),
    "gendered_pronoun": GenderedPronoun(),
    "induction": Induction(),
    "capital": Capitals(),
    "capital_few_shot": Capitals(form="few_shot"),
    "capital_instruction": Capitals(form="instruction"),
    "boolean_few_shot": BooleanExpressions(form="few_shot"),
    "boolean_instruction": BooleanExpressions(form="instruction"),
}

__all__ = ["TASKS", "Pair", "PromptSource", "pairs", "read_pairs"]
