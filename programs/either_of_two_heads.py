"""Whether the token to the left is `a` (False at the first position), by an OR of two equal heads.

Not unique under zero and mean ablation: either head alone makes a smallest circuit, a different
one for each. The OR is bit + bit > 0.5, and an ablated head adds 0 (zero) or at most 1/4 (the bit's
mean), which decides nothing. Under resample ablation an ablated head can add a 1 where the bit is 0,
so both heads are needed.

>>> program.reference(["a", "b", "a"])
[False, True, False]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    is_a = rasp.numerical(rasp.Map(lambda token: int(token == "a"), rasp.tokens)).named("is_a")
    left = rasp.Select(rasp.indices, rasp.indices, lambda key, query: key == query - 1).named("left")

    def head(name):
        return rasp.numerical(rasp.Aggregate(left, is_a, default=0)).named(name)

    bits = rasp.numerical(rasp.LinearSequenceMap(head("head_1"), head("head_2"), 1, 1)).named("bits")
    return rasp.Map(lambda n: n > 0.5, bits).named("either_of_two_heads")


program = Program(
    name="either_of_two_heads",
    build=build,
    vocab={"a", "b", "c", "d"},
    max_seq_len=3,
    reference=lambda tokens: [token == "a" for token in [None, *tokens[:-1]]],
)
