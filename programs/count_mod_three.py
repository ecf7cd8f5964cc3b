"""How many tokens are `a`, modulo three, at every position.

>>> program.reference(["a", "a", "b", "a", "a"])
[1, 1, 1, 1, 1]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    is_a = rasp.Select(rasp.tokens, rasp.tokens, lambda key, _: key == "a").named("is_a")
    count = rasp.SelectorWidth(is_a).named("count")
    return rasp.Map(lambda n: n % 3, count).named("count_mod_three")


program = Program(
    name="count_mod_three",
    build=build,
    vocab={"a", "b"},
    max_seq_len=5,
    reference=lambda tokens: [tokens.count("a") % 3] * len(tokens),
)
