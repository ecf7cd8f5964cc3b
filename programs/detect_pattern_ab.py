"""Whether `ab` ends at this position; nothing at the first position.

>>> program.reference(["a", "b", "b", "a"])
[None, True, False, False]
"""

from tracr.compiler.lib import detect_pattern
from tracr.rasp import rasp

from tracrcheck import Program


def reference(tokens):
    text = "".join(tokens)
    return [text[: i + 1].endswith("ab") if i >= 1 else None for i in range(len(text))]


program = Program(
    name="detect_pattern_ab",
    build=lambda: detect_pattern(rasp.tokens, "ab"),
    vocab={"a", "b"},
    max_seq_len=5,
    reference=reference,
)
