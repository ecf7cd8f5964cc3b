"""The n-th token of the list, where n is how often the own token occurs.

>>> program.reference(["a", "b", "a", "c"])
['b', 'a', 'b', 'a']
"""

from tracr.compiler.lib import make_hist
from tracr.rasp import rasp

from tracrcheck import Program


def build():
    source = rasp.Map(lambda count: count - 1, make_hist()).named("source")
    at_source = rasp.Select(rasp.indices, source, rasp.Comparison.EQ).named("at_source")
    return rasp.Aggregate(at_source, rasp.tokens).named("token_at_own_count")


program = Program(
    name="token_at_own_count",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: [tokens[tokens.count(token) - 1] for token in tokens],
)
