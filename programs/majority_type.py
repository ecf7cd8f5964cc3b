"""Whether there are more vowels or more consonants, or a tie, at every position.

>>> program.reference(["a", "b", "e"])
['vowels', 'vowels', 'vowels']
>>> program.reference(["a", "b"])
['tie', 'tie']
"""

from tracr.rasp import rasp

from tracrcheck import Program


def compare(vowels, consonants):
    return "tie" if vowels == consonants else "vowels" if vowels > consonants else "consonants"


def build():
    vowel = rasp.Select(rasp.tokens, rasp.tokens, lambda key, _: key in "ae").named("vowel")
    consonant = rasp.Select(rasp.tokens, rasp.tokens, lambda key, _: key not in "ae").named("consonant")
    vowels = rasp.SelectorWidth(vowel).named("vowels")
    consonants = rasp.SelectorWidth(consonant).named("consonants")
    return rasp.SequenceMap(compare, vowels, consonants).named("majority_type")


def reference(tokens):
    surplus = sum(1 if token in {"a", "e"} else -1 for token in tokens)
    return ["tie" if surplus == 0 else "vowels" if surplus > 0 else "consonants"] * len(tokens)


program = Program(
    name="majority_type",
    build=build,
    vocab={"a", "e", "b"},
    max_seq_len=4,
    reference=reference,
)
