"""How many tokens are above the (lower) median: sort, look up the middle, compare, count.

>>> program.reference([3, 1, 3, 1])
[2, 2, 2, 2]
"""

from tracr.compiler.lib import make_length, make_sort
from tracr.rasp import rasp

from tracrcheck import Program


def build():
    ordered = make_sort(rasp.tokens, rasp.tokens, max_seq_len=4, min_key=1).named("ordered")
    middle = rasp.Map(lambda length: (length - 1) // 2, make_length()).named("middle")
    at_middle = rasp.Select(rasp.indices, middle, rasp.Comparison.EQ).named("at_middle")
    median = rasp.Aggregate(at_middle, ordered).named("median")
    above = rasp.SequenceMap(lambda token, m: token > m, rasp.tokens, median).named("above")
    all_above = rasp.Select(above, above, lambda key, query: key).named("all_above")
    return rasp.SelectorWidth(all_above).named("count_above_median")


def reference(tokens):
    median = sorted(tokens)[(len(tokens) - 1) // 2]
    return [sum(token > median for token in tokens)] * len(tokens)


program = Program(
    name="count_above_median",
    build=build,
    vocab={1, 2, 3},
    max_seq_len=4,
    reference=reference,
)
