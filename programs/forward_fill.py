"""The most recent token that is not the filler `_`. Only for lists that start with no filler.

>>> program.reference(["a", "_", "b", "_"])
['a', 'a', 'b', 'b']
"""

from itertools import accumulate

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    filled = rasp.Select(rasp.tokens, rasp.tokens, lambda key, _: key != "_").named("filled")
    count = rasp.SelectorWidth(filled).named("count")
    number = rasp.SequenceMap(lambda token, n: n if token != "_" else 0, rasp.tokens, count).named("number")
    latest = rasp.Select(number, count, rasp.Comparison.EQ).named("latest")
    return rasp.Aggregate(latest, rasp.tokens).named("forward_fill")


program = Program(
    name="forward_fill",
    build=build,
    vocab={"a", "b", "_"},
    max_seq_len=4,
    causal=True,
    domain=lambda tokens: tokens[0] != "_",
    reference=lambda tokens: list(accumulate(tokens, lambda old, new: old if new == "_" else new)),
)
