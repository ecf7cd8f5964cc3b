"""How many tokens there have been since the last `|`. Only for lists that start with `|`.

>>> program.reference(["|", "a", "a", "|"])
[0, 1, 2, 0]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    marker = rasp.Select(rasp.tokens, rasp.tokens, lambda key, _: key == "|").named("marker")
    segment = rasp.SelectorWidth(marker).named("segment")
    same_segment = rasp.Select(segment, segment, rasp.Comparison.EQ).named("same_segment")
    return (rasp.SelectorWidth(same_segment).named("count") - 1).named("since_marker")


program = Program(
    name="since_marker",
    build=build,
    vocab={"|", "a", "b"},
    max_seq_len=5,
    causal=True,
    domain=lambda tokens: tokens[0] == "|",
    reference=lambda tokens: ["".join(tokens[: i + 1])[::-1].index("|") for i in range(len(tokens))],
)
