"""Whether three kinds of brackets, which may interleave, are all balanced before the query token `?`; no answer elsewhere.

Shuffle-Dyck-3 of Weiss et al. 2021, "Thinking Like Transformers" (arXiv 2106.06981), asked as classifiers are: at one token, after
up to seven brackets. A causal model of seven layers with six heads, of which most are empty.

>>> program.reference(list("([)]?"))
[None, None, None, None, 1]
>>> program.reference(list(")(?"))
[None, None, 0]
"""

import random

from tracr.rasp import rasp

from tracrcheck import Program

KINDS = ("()", "[]", "{}")
LONGEST = 8  # seven brackets and the query: six are enough for all three kinds


def build():
    states = [state_of(kind, f"kind_{n}") for n, kind in enumerate(KINDS)]
    first_two = rasp.SequenceMap(worse, states[0], states[1]).named("first_two")
    state = rasp.SequenceMap(worse, first_two, states[2]).named("state")
    broken = rasp.Select(state, rasp.tokens, lambda key, query: key == "wrong").named("broken")
    n_broken = rasp.SelectorWidth(broken).named("n_broken")
    right = rasp.SequenceMap(lambda state, n: int(state == "even" and n == 0), state, n_broken).named("right")
    at_query = rasp.Select(rasp.tokens, rasp.tokens, lambda key, query: key == query == "?").named("at_query")
    return rasp.Aggregate(at_query, right, default=None).named("answer")


def state_of(kind, name):
    """Whether brackets of this kind are balanced so far."""
    opened, closed = (
        rasp.SelectorWidth(
            rasp.Select(rasp.tokens, rasp.tokens, lambda key, query, b=bracket: key == b)
        ).named(f"{name}_{what}")
        for bracket, what in zip(kind, ("opened", "closed"), strict=True)
    )
    return rasp.SequenceMap(compared, opened, closed).named(name)


def compared(opened, closed):
    return "wrong" if closed > opened else "open" if opened > closed else "even"


def worse(one, other):
    return next(state for state in ("wrong", "open", "even") if state in (one, other))


def reference(tokens):
    depth, right = dict.fromkeys(KINDS, 0), True
    for token in tokens[:-1]:
        kind = next(kind for kind in KINDS if token in kind)
        depth[kind] += 1 if token == kind[0] else -1
        right = right and depth[kind] >= 0
    return [None] * (len(tokens) - 1) + [int(right and not any(depth.values()))]


def some():
    """Lists of each length, half of them shuffles of balanced ones where the length allows, some with a token changed."""
    rng = random.Random(3)
    for n in range(LONGEST):
        for k in range(4):
            brackets = shuffled(rng, n) if n % 2 == 0 and k % 2 == 0 else rng.choices("".join(KINDS), k=n)
            if k % 4 == 2 and n:
                brackets[rng.randrange(n)] = rng.choice("".join(KINDS))
            yield [*brackets, "?"]


def shuffled(rng, n):
    """n brackets, balanced in each kind."""
    out, waiting = [], []
    while len(out) + len(waiting) < n or waiting:
        if waiting and (len(out) + len(waiting) >= n or rng.random() < 0.5):
            out.append(waiting.pop(rng.randrange(len(waiting))))
        else:
            opening, closing = rng.choice(KINDS)
            out.append(opening)
            waiting.append(closing)
    return out


program = Program(
    name="shuffle_dyck3_query",
    build=build,
    vocab=set("".join(KINDS)) | {"?"},
    max_seq_len=LONGEST,
    causal=True,
    reference=reference,
    inputs=some(),
    mlp_exactness=144,
)
