"""1 everywhere if `()` and `{}` are both balanced (they may interleave), else 0.

>>> program.reference(["(", "{", ")", "}"])
[1, 1, 1, 1]
>>> program.reference([")", "("])
[0, 0]
"""

from tracr.compiler.lib import make_shuffle_dyck2

from tracrcheck import Program


def balanced(tokens, opening, closing):
    depth = 0
    for token in tokens:
        depth += (token == opening) - (token == closing)
        if depth < 0:
            return False
    return depth == 0


def reference(tokens):
    right = balanced(tokens, "(", ")") and balanced(tokens, "{", "}")
    return [int(right)] * len(tokens)


program = Program(
    name="shuffle_dyck2",
    build=make_shuffle_dyck2,
    vocab={"(", ")", "{", "}"},
    max_seq_len=4,
    reference=reference,
)
