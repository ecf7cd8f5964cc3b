"""The token that followed the own token the last time; no value where the own token is new.

>>> program.reference(["a", "b", "a", "a"])
[None, None, 'b', 'a']
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    same = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ).named("same")
    occurrence = rasp.SelectorWidth(same).named("occurrence")
    own = rasp.SequenceMap(lambda token, n: (token, n), rasp.tokens, occurrence).named("own")
    # A new token finds itself here, and the position after it is masked.
    before = rasp.Map(lambda tag: (tag[0], max(tag[1] - 1, 1)), own).named("before")
    last_time = rasp.Select(own, before, rasp.Comparison.EQ).named("last_time")
    where = rasp.Aggregate(last_time, rasp.indices).named("where")
    after = rasp.Select(rasp.indices, where, lambda key, query: key == query + 1).named("after")
    return rasp.Aggregate(after, rasp.tokens).named("induction")


def reference(tokens):
    following = {}
    out = []
    for i, token in enumerate(tokens):
        if i:
            following[tokens[i - 1]] = token
        out.append(following.get(token) if token in tokens[:i] else None)
    return out


program = Program(
    name="induction",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    causal=True,
    reference=reference,
)
