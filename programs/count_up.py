"""The next token when counting from one number to another: `2 5 >` continues with 2, 3, 4, 5 and `end`; a causal model.

Counting between two numbers of the prompt is a task of Zhou et al. 2023, "What Algorithms can Transformers Learn?" (arXiv
2310.16028). Tokens have two types: numbers and text.

>>> program.reference([2, 5, ">", 2, 3])
[None, None, 2, 3, 4]
"""

from tracr.rasp import rasp

from tracrcheck import Program

HIGHEST = 9


def build():
    at_start = rasp.Select(rasp.indices, rasp.indices, lambda key, query: key == 0).named("at_start")
    start = rasp.Aggregate(at_start, rasp.tokens).named("start")
    at_stop = rasp.Select(rasp.indices, rasp.indices, lambda key, query: key == 1).named("at_stop")
    stop = rasp.Aggregate(at_stop, rasp.tokens).named("stop")
    following = rasp.SequenceMap(
        lambda token, start: start if token == ">" else token + 1, rasp.tokens, start
    ).named("following")
    capped = rasp.SequenceMap(lambda n, stop: "end" if beyond(n, stop) else n, following, stop).named(
        "capped"
    )
    prompt = rasp.Select(rasp.indices, rasp.indices, lambda key, query: query >= 2 and key == query)
    return rasp.Aggregate(prompt.named("after_the_prompt"), capped).named("next_token")


def beyond(n, stop):
    return n == ">" or stop == ">" or n > stop


def reference(tokens):
    out = [None, None][: len(tokens)]
    for token in tokens[2:]:
        following = tokens[0] if token == ">" else token + 1
        out.append("end" if following > tokens[1] else following)
    return out


def legal():
    """Every prefix of every count between two numbers, from the `>` on."""
    for start in range(HIGHEST + 1):
        for stop in range(start, HIGHEST + 1):
            whole = [start, stop, ">", *range(start, stop + 1)]
            yield from (whole[:n] for n in range(3, len(whole) + 1))


program = Program(
    name="count_up",
    build=build,
    vocab={*range(HIGHEST + 1), ">"},
    max_seq_len=3 + HIGHEST + 1,
    causal=True,
    reference=reference,
    inputs=legal(),
)
