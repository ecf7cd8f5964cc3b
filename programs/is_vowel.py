"""Whether each letter is a vowel.

>>> program.reference(["b", "e", "a"])
[False, True, True]
"""

from tracr.rasp import rasp

from tracrcheck import Program

program = Program(
    name="is_vowel",
    build=lambda: rasp.Map(lambda letter: letter in "aeiou", rasp.tokens).named("is_vowel"),
    vocab={"a", "b", "c", "e"},
    max_seq_len=3,
    reference=lambda tokens: [letter in {"a", "e", "i", "o", "u"} for letter in tokens],
)
