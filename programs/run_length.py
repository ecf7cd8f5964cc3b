"""How long the run of equal tokens that ends at each position is: ten steps, each of which reads the step before at the left.

Run-length coding, one token at a time: the chain of "still the same" needs as many layers as the longest run that is counted, which
makes it the deepest program here. Longer runs count as eleven.

>>> program.reference(list("aabaaa"))
[1, 2, 1, 1, 2, 3]
"""

import random

from tracr.rasp import rasp

from tracrcheck import Program

STEPS = 10
LONGEST = 12


def build():
    left = rasp.Select(rasp.indices, rasp.indices, lambda key, query: key == max(query - 1, 0)).named("left")
    token_left = rasp.Aggregate(left, rasp.tokens).named("token_left")
    equal = rasp.SequenceMap(lambda token, left: token == left, rasp.tokens, token_left).named("equal")
    goes_on = rasp.SequenceMap(lambda equal, i: equal and i > 0, equal, rasp.indices).named("goes_on")
    run = rasp.Map(lambda goes_on: 1 + goes_on, goes_on).named("run_1")
    for step in range(2, STEPS + 1):
        run_left = rasp.Aggregate(left, run).named(f"left_of_run_{step - 1}")
        run = rasp.SequenceMap(lambda left, on: left + 1 if on else 1, run_left, goes_on).named(f"run_{step}")
    return run


def reference(tokens):
    out = []
    for i, token in enumerate(tokens):
        out.append(min(STEPS + 1, out[-1] + 1) if i and token == tokens[i - 1] else 1)
    return out


def some():
    """Of each length, each run at the end and at the start, and random lists."""
    rng = random.Random(12)
    for n in range(1, LONGEST + 1):
        for run in range(1, n + 1):
            ab = rng.choices("ab", k=n - run)
            yield [*ab, *"a" * run]
            yield ["b"] * run + ab
        yield from (rng.choices("ab", k=n) for _ in range(5))


program = Program(
    name="run_length",
    build=build,
    vocab={"a", "b"},
    max_seq_len=LONGEST,
    reference=reference,
    inputs=some(),
)
