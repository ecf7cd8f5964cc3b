"""1 everywhere if the list reads the same backwards, else 0.

>>> program.reference(["a", "b", "a"])
[1, 1, 1]
>>> program.reference(["a", "b"])
[0, 0]
"""

from tracr.compiler.lib import make_reverse
from tracr.rasp import rasp

from tracrcheck import Program


def build():
    reverse = make_reverse(rasp.tokens)
    differs = rasp.SequenceMap(lambda x, y: x != y, rasp.tokens, reverse).named("differs")
    mismatch = rasp.Select(differs, rasp.tokens, lambda key, _: key).named("mismatch")
    mismatches = rasp.SelectorWidth(mismatch).named("mismatches")
    return rasp.Map(lambda count: int(count == 0), mismatches).named("is_palindrome")


program = Program(
    name="is_palindrome",
    build=build,
    vocab={"a", "b"},
    max_seq_len=5,
    reference=lambda tokens: [int(tokens == tokens[::-1])] * len(tokens),
)
