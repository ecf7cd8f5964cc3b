"""Whether `abc` ends at this position; nothing at the first two positions.

>>> program.reference(["a", "b", "c", "c"])
[None, None, True, False]
"""

from tracr.compiler.lib import detect_pattern
from tracr.rasp import rasp

from tracrcheck import Program


def reference(tokens):
    text = "".join(tokens)
    return [text[: i + 1].endswith("abc") if i >= 2 else None for i in range(len(text))]


program = Program(
    name="detect_pattern_abc",
    build=lambda: detect_pattern(rasp.tokens, "abc"),
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=reference,
)
