"""The nesting level of each token, a closing bracket having its partner's. Only for balanced lists.

>>> program.reference(["(", "(", ")", "a", ")"])
[1, 2, 2, 1, 1]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    opening = rasp.Select(rasp.tokens, rasp.tokens, lambda key, _: key == "(").named("opening")
    closing = rasp.Select(rasp.tokens, rasp.tokens, lambda key, _: key == ")").named("closing")
    opened = rasp.SelectorWidth(opening).named("opened")
    closed = rasp.SelectorWidth(closing).named("closed")
    depth = rasp.SequenceMap(lambda n, m: max(n - m, 0), opened, closed).named("depth")
    return rasp.SequenceMap(lambda token, d: d + (token == ")"), rasp.tokens, depth).named("nesting_level")


def balanced(tokens):
    text = "".join(tokens).replace("a", "")
    while "()" in text:
        text = text.replace("()", "")
    return not text


def reference(tokens):
    level, out = 0, []
    for token in tokens:
        level += token == "("
        out.append(level)
        level -= token == ")"
    return out


program = Program(
    name="nesting_level",
    build=build,
    vocab={"(", ")", "a"},
    max_seq_len=5,
    causal=True,
    domain=balanced,
    reference=reference,
)
