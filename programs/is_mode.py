"""1 where no other token occurs more often than the own one, else 0.

>>> program.reference(["a", "b", "a", "c"])
[1, 0, 1, 0]
"""

from collections import Counter

from tracr.compiler.lib import make_hist
from tracr.rasp import rasp

from tracrcheck import Program


def build():
    hist = make_hist()
    commoner = rasp.Select(hist, hist, rasp.Comparison.GT).named("commoner")
    how_many_commoner = rasp.SelectorWidth(commoner).named("how_many_commoner")
    return rasp.Map(lambda count: int(count == 0), how_many_commoner).named("is_mode")


def reference(tokens):
    counts = Counter(tokens)
    return [int(counts[token] == max(counts.values())) for token in tokens]


program = Program(
    name="is_mode",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=reference,
)
