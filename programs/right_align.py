"""A text with blanks `_` at its end, moved right by the number of blanks; no value where nothing arrives.

`right_align` of Rush and Weiss 2023, "Thinking Like Transformers" (https://srush.github.io/raspy).

>>> program.reference(list("abc__"))
[None, None, 'a', 'b', 'c']
"""

import itertools

from tracr.rasp import rasp

from tracrcheck import Program

LONGEST = 10


def build():
    blank = rasp.Select(rasp.tokens, rasp.tokens, lambda key, query: key == "_").named("blank")
    n_blank = rasp.SelectorWidth(blank).named("n_blank")
    source = rasp.SequenceMap(lambda i, n: i - n, rasp.indices, n_blank).named("source")
    from_there = rasp.Select(rasp.indices, source, rasp.Comparison.EQ).named("from_there")
    return rasp.Aggregate(from_there, rasp.tokens).named("right_aligned")


def reference(tokens):
    text = [token for token in tokens if token != "_"]
    return [None] * (len(tokens) - len(text)) + text


def some():
    """For each length and each number of blanks, five texts that repeat `abcde`, each from another letter on."""
    for n in range(1, LONGEST + 1):
        for blanks in range(n + 1):
            for first in range(5):
                text = itertools.islice(itertools.cycle("abcde"), first, first + n - blanks)
                yield [*text, *"_" * blanks]


program = Program(
    name="right_align",
    build=build,
    vocab=set("abcde_"),
    max_seq_len=LONGEST,
    reference=reference,
    inputs=some(),
    mlp_exactness=250,
)
