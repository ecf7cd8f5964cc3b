"""How many different tokens there have been so far.

>>> program.reference(["a", "b", "a", "c"])
[1, 2, 2, 3]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    same = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ).named("same")
    occurrence = rasp.SelectorWidth(same).named("occurrence")
    newcomer = rasp.Select(occurrence, rasp.tokens, lambda key, _: key == 1).named("newcomer")
    return rasp.SelectorWidth(newcomer).named("count_distinct")


program = Program(
    name="count_distinct",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    causal=True,
    reference=lambda tokens: [len(set(tokens[: i + 1])) for i in range(len(tokens))],
)
