"""1 everywhere if the parentheses are balanced, else 0.

>>> program.reference(["(", "(", ")", ")"])
[1, 1, 1, 1]
>>> program.reference([")", "("])
[0, 0]
"""

from tracr.compiler.lib import make_shuffle_dyck

from tracrcheck import Program


def reference(tokens):
    text = "".join(tokens)
    while "()" in text:
        text = text.replace("()", "")
    return [int(not text)] * len(tokens)


program = Program(
    name="shuffle_dyck1",
    build=lambda: make_shuffle_dyck(["()"]),
    vocab={"(", ")"},
    max_seq_len=4,
    reference=reference,
)
