"""Three quarters the fraction of `x` so far plus one quarter the fraction of `x` in the whole list.

>>> program.reference(["x", "a"])
[0.875, 0.5]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def build():
    is_x = rasp.numerical(rasp.tokens == "x").named("is_x")
    before = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.LEQ).named("before")
    so_far = rasp.numerical(rasp.Aggregate(before, is_x, default=0)).named("so_far")
    everywhere = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.TRUE).named("everywhere")
    overall = rasp.numerical(rasp.Aggregate(everywhere, is_x, default=0)).named("overall")
    return rasp.numerical(rasp.LinearSequenceMap(so_far, overall, 0.75, 0.25)).named("blend")


def reference(tokens):
    overall = tokens.count("x") / len(tokens)
    return [0.75 * tokens[:n].count("x") / n + 0.25 * overall for n in range(1, len(tokens) + 1)]


program = Program(
    name="blend",
    build=build,
    vocab={"a", "x"},
    max_seq_len=5,
    reference=reference,
)
