"""Every `a` becomes `b` and every `b` becomes `a`.

>>> program.reference(["a", "c", "b"])
['b', 'c', 'a']
"""

from tracr.rasp import rasp

from tracrcheck import Program

program = Program(
    name="swap_ab",
    build=lambda: rasp.Map(lambda token: {"a": "b", "b": "a"}.get(token, token), rasp.tokens).named(
        "swap_ab"
    ),
    vocab={"a", "b", "c"},
    max_seq_len=3,
    reference=lambda tokens: list("".join(tokens).translate(str.maketrans("ab", "ba"))),
)
