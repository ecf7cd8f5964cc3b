"""Which of `a` and `b` occurs more often among up to twenty tokens; `tie` if both do equally often.

Majority is the language of counter-free attention: Perez et al. 2019 (arXiv 1901.03429) and Bhattamishra et al. 2020
(arXiv 2009.11264).

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
    """Of each length, two lists for each number of `a`."""
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
