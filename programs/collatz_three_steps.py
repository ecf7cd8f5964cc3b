"""Three Collatz steps (halve if even, else 3n + 1) from each token: three MLPs in a row.

>>> program.reference([6, 5, 1])
[5, 4, 1]
"""

from tracr.rasp import rasp

from tracrcheck import Program


def step(n):
    return 3 * n + 1 if n % 2 else n // 2


def build():
    n = rasp.tokens
    for i in range(1, 4):
        n = rasp.Map(step, n, simplify=False).named(f"step_{i}")
    return n


program = Program(
    name="collatz_three_steps",
    build=build,
    vocab={1, 3, 5, 6},
    max_seq_len=3,
    reference=lambda tokens: [step(step(step(n))) for n in tokens],
)
