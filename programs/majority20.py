"""Which of `a` and `b` is more frequent among up to twenty tokens; `tie` if neither is.

Majority is the standard example of what attention can count: Perez et al. 2019 (arXiv 1901.03429); Merrill et al. 2022,
"Saturated Transformers are Constant-Depth Threshold Circuits" (arXiv 2106.16213).

>>> program.reference(list("abb"))
['b', 'b', 'b']
"""

import random

from tracr.rasp import rasp

from tracrcheck import Program

LONGEST = 20


def build():
    n_a = rasp.SelectorWidth(rasp.Select(rasp.tokens, rasp.tokens, lambda key, query: key == "a")).named(
        "n_a"
    )
    n_b = rasp.SelectorWidth(rasp.Select(rasp.tokens, rasp.tokens, lambda key, query: key == "b")).named(
        "n_b"
    )
    return rasp.SequenceMap(lambda a, b: "tie" if a == b else "a" if a > b else "b", n_a, n_b).named(
        "majority"
    )


def reference(tokens):
    a, b = tokens.count("a"), tokens.count("b")
    return ["tie" if a == b else "a" if a > b else "b"] * len(tokens)


def some():
    """Two lists for each length and each number of `a`."""
    rng = random.Random(20)
    for n in range(1, LONGEST + 1):
        for n_a in range(n + 1):
            yield from (rng.sample("a" * n_a + "b" * (n - n_a), n) for _ in range(2))


program = Program(
    name="majority20",
    build=build,
    vocab={"a", "b"},
    max_seq_len=LONGEST,
    reference=reference,
    inputs=some(),
    mlp_exactness=900,
)
