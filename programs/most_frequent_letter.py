"""The most frequent letter, at every position, of a text of up to ten letters out of 26; of several, the one that comes first.

Zhou et al. 2023 (arXiv 2310.16028) study it as "mode"; Friedman et al. 2023, "Learning Transformer Programs" (arXiv
2306.01128), as "most-freq".

>>> program.reference(list("hello"))
['l', 'l', 'l', 'l', 'l']
"""

import random
from string import ascii_lowercase

from tracr.rasp import rasp

from tracrcheck import Program

LONGEST = 10


def build():
    same = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ).named("same_letter")
    count = rasp.SelectorWidth(same).named("count")
    more = rasp.Select(count, count, rasp.Comparison.GT).named("more_frequent")
    n_more = rasp.SelectorWidth(more).named("n_more")
    place = rasp.SequenceMap(lambda n, i: i if n == 0 else LONGEST, n_more, rasp.indices).named(
        "place_if_most"
    )
    earlier = rasp.Select(place, place, rasp.Comparison.LT).named("earlier")
    rank = rasp.SelectorWidth(earlier).named("rank")
    first = rasp.Select(rank, rasp.indices, lambda key, query: key == 0).named("first")
    return rasp.Aggregate(first, rasp.tokens).named("most_frequent")


def reference(tokens):
    return [max(tokens, key=tokens.count)] * len(tokens)


def some():
    """Thirty lists of each length, with one to six different letters."""
    rng = random.Random(26)
    for n in range(1, LONGEST + 1):
        for k in range(30):
            letters = rng.sample(ascii_lowercase, 1 + k % 6)
            yield rng.choices(letters, k=n)


program = Program(
    name="most_frequent_letter",
    build=build,
    vocab=set(ascii_lowercase),
    max_seq_len=LONGEST,
    reference=reference,
    inputs=some(),
    mlp_exactness=250,
)
