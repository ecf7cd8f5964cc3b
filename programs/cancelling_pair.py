"""At each position, the fraction of `a` so far; on the way one bit is added and subtracted again.

The bit is whether the first token is `a`: the head `plus` carries it to an MLP that adds it, the head
`minus` to a later MLP that subtracts it. The smallest circuit has neither head, but no single edge
leads there: under zero, mean and resample ablation, losing one of the two shifts the output wherever
the other's bit is not cancelled. So dropping edges one at a time from the full circuit keeps both
heads and stops above the smallest circuit; only dropping both together reaches it. Neither
head can stand in for anything else, so they make no second smallest circuit.

>>> program.reference(["a", "b", "a"])
[1.0, 0.5, 0.6666666666666666]
"""

from tracr.compiler.lib import make_frac_prevs
from tracr.rasp import rasp

from tracrcheck import Program


def build():
    is_a = rasp.numerical(rasp.Map(lambda token: int(token == "a"), rasp.tokens)).named("is_a")
    first = rasp.Select(rasp.indices, rasp.indices, lambda key, query: key == 0).named("first")
    plus = rasp.numerical(rasp.Aggregate(first, is_a, default=0)).named("plus")
    minus = rasp.numerical(rasp.Aggregate(first, is_a, default=0)).named("minus")
    added = rasp.numerical(rasp.LinearSequenceMap(make_frac_prevs(is_a), plus, 1, 1)).named("added")
    return rasp.numerical(rasp.LinearSequenceMap(added, minus, 1, -1)).named("cancelling_pair")


program = Program(
    name="cancelling_pair",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: [tokens[: i + 1].count("a") / (i + 1) for i in range(len(tokens))],
)
