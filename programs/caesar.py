"""A text in Caesar's cipher: every letter is shifted by the number that is the first token.

Shift ciphers are a task on which language models are studied: McCoy et al. 2023, "Embers of Autoregression" (arXiv
2309.13638). Tokens have two types: numbers and letters.

>>> program.reference([3, "a", "y"])
['#', 'd', 'b']
"""

import random
from string import ascii_lowercase

from tracr.rasp import rasp

from tracrcheck import Program

SHIFTS = range(1, 6)
LONGEST = 10


def build():
    at_first = rasp.Select(rasp.indices, rasp.indices, lambda key, query: key == 0).named("at_first")
    number = rasp.Map(lambda token: token if token in SHIFTS else 0, rasp.tokens).named("number")
    shift = rasp.Aggregate(at_first, number).named("shift")
    return rasp.SequenceMap(shifted, rasp.tokens, shift).named("cipher")


def shifted(token, by):
    return "#" if token in SHIFTS else ascii_lowercase[(ascii_lowercase.index(token) + by) % 26]


def reference(tokens):
    by, *letters = tokens
    return ["#", *(chr((ord(letter) - ord("a") + by) % 26 + ord("a")) for letter in letters)]


def some():
    """Every letter under every shift, and three random texts of each greater length under every shift."""
    rng = random.Random(0)
    for by in SHIFTS:
        yield [by]
        yield from ([by, letter] for letter in ascii_lowercase)
        for n in range(3, LONGEST + 1):
            yield from ([by, *rng.choices(ascii_lowercase, k=n - 1)] for _ in range(3))


program = Program(
    name="caesar",
    build=build,
    vocab={*SHIFTS, *ascii_lowercase},
    max_seq_len=LONGEST,
    reference=reference,
    inputs=some(),
)
