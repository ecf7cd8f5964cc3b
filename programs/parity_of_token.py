"""Whether each token is `even` or `odd`.

>>> program.reference([1, 4, 3])
['odd', 'even', 'odd']
"""

from tracr.rasp import rasp

from tracrcheck import Program

program = Program(
    name="parity_of_token",
    build=lambda: rasp.Map(lambda token: "odd" if token % 2 else "even", rasp.tokens).named(
        "parity_of_token"
    ),
    vocab={1, 2, 3, 4},
    max_seq_len=3,
    reference=lambda tokens: [("even", "odd")[token % 2] for token in tokens],
)
