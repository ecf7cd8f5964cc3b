"""The fraction of `x` in the current segment so far; each `|` starts a new one and counts as part of it.

>>> program.reference(["x", "|", "x", "a"])
[1.0, 0.0, 0.5, 0.3333333333333333]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    marker = rasp.Select(rasp.tokens, rasp.tokens, lambda key, _: key == "|").named("marker")
    segment = rasp.SelectorWidth(marker).named("segment")
    same_segment = rasp.Select(segment, segment, rasp.Comparison.EQ).named("same_segment")
    is_x = rasp.numerical(rasp.tokens == "x").named("is_x")
    return rasp.numerical(rasp.Aggregate(same_segment, is_x, default=0)).named("segment_fraction")


def reference(tokens):
    segment, out = [], []
    for token in tokens:
        segment = [token] if token == "|" else [*segment, token]
        out.append(segment.count("x") / len(segment))
    return out


program = Program(
    name="segment_fraction",
    build=build,
    vocab={"|", "a", "x"},
    max_seq_len=4,
    causal=True,
    reference=reference,
)
