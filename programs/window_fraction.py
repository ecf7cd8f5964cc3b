"""The fraction of `x` among the token itself and its direct neighbours.

>>> program.reference(["x", "a", "a", "x"])
[0.5, 0.3333333333333333, 0.3333333333333333, 0.5]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    is_x = rasp.numerical(rasp.tokens == "x").named("is_x")
    near = rasp.Select(rasp.indices, rasp.indices, lambda key, query: abs(key - query) <= 1).named("near")
    return rasp.numerical(rasp.Aggregate(near, is_x, default=0)).named("window_fraction")


def reference(tokens):
    windows = [tokens[max(i - 1, 0) : i + 2] for i in range(len(tokens))]
    return [window.count("x") / len(window) for window in windows]


program = Program(
    name="window_fraction",
    build=build,
    vocab={"a", "x"},
    max_seq_len=5,
    reference=reference,
)
