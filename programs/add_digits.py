"""The next character of a sum such as `12+31=103` in base 4: after `=` the digits of the sum, by a causal model.

Both numbers have two digits and the sum has three, so every digit has a fixed position. One MLP adds each column, and
another adds the columns. The first output is at the last digit of the second number, where the next character is `=`.
Addition as text is studied by Zhou et al. 2023, "What Algorithms can Transformers Learn?" (arXiv 2310.16028), and by
Quirke and Barez 2023, "Understanding Addition in Transformers" (arXiv 2310.13121).

>>> program.reference(list("12+31="))
[None, None, None, None, '=', '1']
"""

import itertools
import random

from tracr.rasp import rasp

from tracrcheck import Program

BASE = 4


def build():
    a1, a0, b1, b0 = (digit_at(place) for place in (0, 1, 3, 4))
    low = rasp.SequenceMap(lambda a, b: number(a) + number(b), a0, b0).named("low")
    high = rasp.SequenceMap(lambda a, b: number(a) + number(b), a1, b1).named("high")
    total = rasp.SequenceMap(lambda high, low: high * BASE + low, high, low).named("total")
    return rasp.SequenceMap(character, total, rasp.indices).named("next_character")


def digit_at(place):
    here = rasp.Select(rasp.indices, rasp.indices, lambda key, query: key == place).named(f"at_{place}")
    return rasp.Aggregate(here, rasp.tokens).named(f"character_{place}")


def number(character):
    return int(character) if character.isdigit() else 0


def character(total, place):
    """The character after position `place`, given the sum."""
    if place == 4:
        return "="
    return str(total // BASE ** max(0, 7 - place) % BASE)


def reference(tokens):
    text = "".join(tokens)
    if len(text) < 5:
        return [None] * len(text)
    total = int(text[0:2], BASE) + int(text[3:5], BASE)
    digits = f"={total // 16}{total // 4 % 4}{total % 4}"
    return [None] * 4 + list(digits[: len(text) - 4])


def some():
    """Every prefix of 24 correct sums."""
    rng = random.Random(4)
    for digits in rng.sample(list(itertools.product(range(BASE), repeat=4)), 24):
        a1, a0, b1, b0 = digits
        total = BASE * (a1 + b1) + a0 + b0
        text = f"{a1}{a0}+{b1}{b0}={total // 16}{total // 4 % 4}"
        yield from (list(text[:n]) for n in range(1, len(text) + 1))


program = Program(
    name="add_digits",
    build=build,
    vocab={*"0123", "+", "="},
    max_seq_len=8,
    causal=True,
    reference=reference,
    inputs=some(),
)
