"""Tokens 0 and 1 exchanged, 2 and 3 exchanged, and so on. Only for even lengths.

>>> program.reference(["a", "b", "c", "a"])
['b', 'a', 'a', 'c']
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    partner = rasp.Select(
        rasp.indices, rasp.indices, lambda key, query: key // 2 == query // 2 and key != query
    ).named("partner")
    return rasp.Aggregate(partner, rasp.tokens).named("swap_neighbours")


def reference(tokens):
    pairs = zip(tokens[0::2], tokens[1::2], strict=True)
    return [token for left, right in pairs for token in (right, left)]


program = Program(
    name="swap_neighbours",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    domain=lambda tokens: len(tokens) % 2 == 0,
    reference=reference,
)
