"""Small random RASP programs from a fixed seed.

Each is 1-4 operations on tokens and indices: maps, sequence maps, select-and-aggregate, selector widths.
Only categorical values are drawn, so that most of them are ones that Tracr can compile.
"""

from __future__ import annotations

import random

from tracr.rasp import rasp

from tracrcheck import Program

COMPARISONS = (
    rasp.Comparison.EQ,
    rasp.Comparison.LT,
    rasp.Comparison.LEQ,
    rasp.Comparison.GT,
    rasp.Comparison.TRUE,
)


def random_program(seed: int) -> Program:
    """The program of this seed: vocabulary of 2-3 numbers, at most 3 tokens."""
    rng = random.Random(seed)
    n_tokens, length = rng.choice([2, 2, 3]), rng.choice([2, 3])
    plan = [
        (rng.choice(["map", "pair", "aggregate", "width"]), rng.random(), rng.randrange(1000))
        for _ in range(4)
    ]
    plan = plan[: rng.randint(1, 4)]

    def build():
        pool = [rasp.tokens, rasp.indices]
        for number, (kind, _, salt) in enumerate(plan):
            pick = random.Random(salt)
            one, other = pick.choice(pool), pick.choice(pool)
            table = [pick.randrange(3) for _ in range(64)]
            made = _operation(kind, one, other, table, pick)
            pool.append(made.named(f"step_{number}"))
        return _reading_tokens(pool[-1])

    return Program(
        name=f"random_{seed}",
        build=build,
        vocab=set(range(n_tokens)),
        max_seq_len=length,
        causal=rng.random() < 0.25,
    )


def _operation(kind, one, other, table, pick):
    if kind == "map" or (kind == "pair" and one is other):
        return rasp.Map(lambda x: table[int(x) % 8], one)
    if kind == "pair":
        return rasp.SequenceMap(lambda x, y: table[(8 * int(x) + int(y)) % 64], one, other)
    selector = rasp.Select(one, other, pick.choice(COMPARISONS))
    if kind == "width":
        return rasp.SelectorWidth(selector)
    return rasp.Aggregate(rasp.Select(rasp.indices, one, rasp.Comparison.EQ), other, default=None)


def _reading_tokens(sop):
    """Tracr wants the tokens read somewhere: joined to programs that do not read them."""
    from tracrcheck.rasp.expressions import expressions

    if any(isinstance(e, rasp.TokensType) for e in expressions(sop)):
        return sop
    return rasp.SequenceMap(lambda x, t: int(x) + int(t), sop, rasp.tokens).named("with_tokens")
