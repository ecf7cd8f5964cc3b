"""Each token if two heads agree on the first token, which they always do; else `!`.

The check never says no, so under mean and resample ablation the smallest circuit needs neither the check nor its heads: a cut
edge from the check carries "they agree" too. If that edge is kept and one head is cut, the check compares two inputs and
says no. So this circuit is right only if everything else is cut: it is not robust. The smallest robust circuit has both heads.

>>> program.reference(["a", "b"])
['a', 'b']
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    agree = rasp.SequenceMap(lambda one, other: one == other, first_by("one"), first_by("other")).named(
        "agree"
    )
    return rasp.SequenceMap(lambda token, agree: token if agree else "!", rasp.tokens, agree).named(
        "checked_copy"
    )


def first_by(name):
    at_first = rasp.Select(rasp.indices, rasp.indices, lambda key, query: key == 0).named(f"at_first_{name}")
    return rasp.Aggregate(at_first, rasp.tokens).named(f"first_by_{name}")


program = Program(
    name="checked_copy",
    build=build,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=list,
)
