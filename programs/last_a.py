"""The position of the most recent `a`; no value before the first one.

>>> program.reference(["b", "a", "b", "a"])
[None, 1, 1, 3]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    is_a = rasp.Select(rasp.tokens, rasp.tokens, lambda key, _: key == "a").named("is_a")
    count = rasp.SelectorWidth(is_a).named("count")
    number = rasp.SequenceMap(lambda token, n: n if token == "a" else 0, rasp.tokens, count).named("number")
    latest = rasp.Select(number, count, lambda key, query: key == query and key > 0).named("latest")
    return rasp.Aggregate(latest, rasp.indices).named("last_a")


def reference(tokens):
    seen = [[j for j in range(i + 1) if tokens[j] == "a"] for i in range(len(tokens))]
    return [positions[-1] if positions else None for positions in seen]


program = Program(
    name="last_a",
    build=build,
    vocab={"a", "b"},
    max_seq_len=5,
    causal=True,
    reference=reference,
)
