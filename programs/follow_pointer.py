"""Each token names a position: the token two hops from the own one.

>>> program.reference([1, 2, 0, 0])
[0, 1, 2, 2]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    one_hop = rasp.Select(rasp.indices, rasp.tokens, rasp.Comparison.EQ).named("one_hop")
    target = rasp.Aggregate(one_hop, rasp.tokens).named("target")
    two_hops = rasp.Select(rasp.indices, target, rasp.Comparison.EQ).named("two_hops")
    return rasp.Aggregate(two_hops, rasp.tokens).named("follow_pointer")


program = Program(
    name="follow_pointer",
    build=build,
    vocab={0, 1, 2},
    max_seq_len=4,
    domain=lambda tokens: max(tokens) < len(tokens),
    reference=lambda tokens: [tokens[tokens[tokens[i]]] for i in range(len(tokens))],
)
