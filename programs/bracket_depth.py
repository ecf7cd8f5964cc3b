"""How many brackets are open after each token, negative where too many were closed.

>>> program.reference(["(", "(", ")", "a"])
[1, 2, 1, 1]
"""

from itertools import accumulate

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    opening = rasp.Select(rasp.tokens, rasp.tokens, lambda key, _: key == "(").named("opening")
    closing = rasp.Select(rasp.tokens, rasp.tokens, lambda key, _: key == ")").named("closing")
    opened = rasp.SelectorWidth(opening).named("opened")
    closed = rasp.SelectorWidth(closing).named("closed")
    return (opened - closed).named("bracket_depth")


STEP = {"(": 1, ")": -1, "a": 0}

program = Program(
    name="bracket_depth",
    build=build,
    vocab=set(STEP),
    max_seq_len=4,
    causal=True,
    reference=lambda tokens: list(accumulate(STEP[token] for token in tokens)),
)
