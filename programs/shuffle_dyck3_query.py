"""At the query token `?`, whether the brackets before it, of three kinds, are well-formed, each kind by itself.

Shuffle-Dyck with three kinds of brackets: Weiss et al. 2021, "Thinking Like Transformers" (arXiv 2106.06981), has it with two;
Bhattamishra et al. 2020 (arXiv 2009.11264) train transformers on up to six. Causal, so that counts are of what came before.
Half of the lists are well-formed.

>>> program.reference(list("([)]?"))
[None, None, None, None, True]
"""

import random

from tracr.rasp import rasp

from tracrcheck import Program

PAIRS = ("()", "[]", "{}")
LONGEST = 13


def build():
    states = [state_of(pair) for pair in PAIRS]
    both = rasp.SequenceMap(worse, states[0], states[1]).named("worse_of_two")
    state = rasp.SequenceMap(worse, both, states[2]).named("state")
    broken = rasp.Select(state, rasp.tokens, lambda key, query: key == "negative").named("broken")
    n_broken = rasp.SelectorWidth(broken).named("n_broken")
    well = rasp.SequenceMap(lambda state, n: state == "balanced" and n == 0, state, n_broken).named(
        "well_formed"
    )
    at_query = rasp.Select(rasp.indices, at_question(), rasp.Comparison.EQ).named("at_query")
    return rasp.Aggregate(at_query, well).named("answer")


def state_of(pair):
    """Whether as many were opened as closed so far, more, or fewer."""
    opened = rasp.SelectorWidth(rasp.Select(rasp.tokens, rasp.tokens, lambda key, query: key == pair[0]))
    closed = rasp.SelectorWidth(rasp.Select(rasp.tokens, rasp.tokens, lambda key, query: key == pair[1]))
    return rasp.SequenceMap(
        lambda opened, closed: "negative" if closed > opened else "balanced" if closed == opened else "open",
        opened.named(f"opened_{pair}"),
        closed.named(f"closed_{pair}"),
    ).named(f"state_{pair}")


def worse(one, other):
    return max(one, other, key=("balanced", "open", "negative").index)


def at_question():
    """The own position at a `?`, none elsewhere."""
    return rasp.SequenceMap(lambda token, i: i if token == "?" else -1, rasp.tokens, rasp.indices).named(
        "query"
    )


def reference(tokens):
    return [well_formed(tokens[:i]) if token == "?" else None for i, token in enumerate(tokens)]


def well_formed(tokens):
    for opening, closing in PAIRS:
        depth = 0
        for token in tokens:
            depth += (token == opening) - (token == closing)
            if depth < 0:
                return False
        if depth:
            return False
    return True


def some():
    """Of each length, well-formed lists by interleaving, and the same with one bracket changed."""
    rng = random.Random(3)
    for n in range(0, LONGEST, 2):
        for _ in range(8 if n else 1):
            tokens = []
            for pair in rng.choices(PAIRS, k=n // 2):
                at = sorted(rng.sample(range(len(tokens) + 2), 2))
                tokens.insert(at[0], pair[0])
                tokens.insert(at[1], pair[1])
            yield [*tokens, "?"]
            if tokens:
                tokens[rng.randrange(n)] = rng.choice("()[]{}")
                yield [*tokens, "?"]
                yield [*tokens[1:], "?"]


program = Program(
    name="shuffle_dyck3_query",
    build=build,
    vocab={*"()[]{}", "?"},
    max_seq_len=LONGEST,
    causal=True,
    reference=reference,
    inputs=some(),
    mlp_exactness=400,
)
