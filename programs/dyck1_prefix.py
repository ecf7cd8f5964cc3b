"""Whether up to sixteen brackets are balanced so far: `open`, `closed`, or `wrong` once a bracket closed nothing.

The task of Weiss et al. 2021, "Thinking Like Transformers" (arXiv 2106.06981): dyck1-PTF, which classifies every prefix. A
causal model.

>>> program.reference(list("()("))
['open', 'closed', 'open']
"""

import random

from tracr.rasp import rasp

from tracrcheck import Program

LONGEST = 16


def build():
    opened = rasp.SelectorWidth(rasp.Select(rasp.tokens, rasp.tokens, lambda key, query: key == "(")).named(
        "opened"
    )
    closed = rasp.SelectorWidth(rasp.Select(rasp.tokens, rasp.tokens, lambda key, query: key == ")")).named(
        "closed"
    )
    state = rasp.SequenceMap(state_of, opened, closed).named("state")
    broken = rasp.Select(state, rasp.tokens, lambda key, query: key == "wrong").named("broken")
    n_broken = rasp.SelectorWidth(broken).named("n_broken")
    return rasp.SequenceMap(lambda state, n: "wrong" if n else state, state, n_broken).named("prefix")


def state_of(opened, closed):
    return "wrong" if closed > opened else "closed" if closed == opened else "open"


def reference(tokens):
    out, depth = [], 0
    for token in tokens:
        depth += 1 if token == "(" else -1
        out.append("wrong" if depth < 0 or "wrong" in out else "open" if depth else "closed")
    return out


def some():
    """Lists of each length; opening brackets are half, two thirds or three quarters of them on average."""
    rng = random.Random(16)
    for n in range(1, LONGEST + 1):
        for k in range(24):
            yield rng.choices("()", weights=[1 + k % 3, 1], k=n)


program = Program(
    name="dyck1_prefix",
    build=build,
    vocab=set("()"),
    max_seq_len=LONGEST,
    causal=True,
    reference=reference,
    inputs=some(),
    mlp_exactness=600,
)
