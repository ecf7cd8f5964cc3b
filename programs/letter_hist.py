"""How often each position's letter occurs in a text of up to ten letters, out of 26.

The histogram of Weiss et al. 2021, "Thinking Like Transformers" (arXiv 2106.06981), at the vocabulary of a word.

>>> program.reference(list("letter"))
[1, 2, 2, 2, 2, 1]
"""

import random
from string import ascii_lowercase

from tracr.rasp import rasp

from tracrcheck import Program

LONGEST = 10


def build():
    same = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ).named("same_letter")
    return rasp.SelectorWidth(same).named("count")


def some():
    """Forty lists of each length, over few letters or many, so that every count occurs."""
    rng = random.Random(26)
    for n in range(1, LONGEST + 1):
        for k in range(40):
            letters = rng.sample(ascii_lowercase, 1 + k % 8)
            yield rng.choices(letters, k=n)


program = Program(
    name="letter_hist",
    build=build,
    vocab=set(ascii_lowercase),
    max_seq_len=LONGEST,
    reference=lambda tokens: [tokens.count(token) for token in tokens],
    inputs=some(),
    mlp_exactness=250,
)
