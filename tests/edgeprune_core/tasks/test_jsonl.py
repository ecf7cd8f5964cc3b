"""Pairs from JSON-lines files: what is read, what is refused and on which line, and that little memory is used."""

from __future__ import annotations

import json
import tracemalloc
from itertools import islice

import pytest
import torch

from edgeprune_core.errors import CheckError
from edgeprune_core.tasks.base import Pair
from edgeprune_core.tasks.encode import NO_TOKEN, batch_of, encode, encoded
from edgeprune_core.tasks.jsonl import read_pairs
from edgeprune_core.tasks.tokenizer import WordTokenizer
from edgeprune_core.tasks.vocabulary import tokenizer

GOOD = {
    "clean": "Then, Mary and John went to the park. John gave a ring to",
    "corrupted": "Then, Mary and John went to the park. Mary gave a ring to",
    "answer": " Mary",
    "foil": " John",
    "corrupted_answer": " John",
}


def refusal(make) -> CheckError:
    with pytest.raises(CheckError) as caught:
        make()
    return caught.value


def written(tmp_path, *records):
    path = tmp_path / "task.jsonl"
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("\n".join(lines) + "\n")
    return path


def refused(tmp_path, *records) -> CheckError:
    return refusal(lambda: list(encoded(read_pairs(written(tmp_path, *records)), tokenizer("english"))))


def test_a_pair_is_read_from_its_line(tmp_path):
    path = written(tmp_path, GOOD, "", GOOD | {"answer": [" Mary", " Lucy"], "id": 7})
    first, second = read_pairs(path)
    assert first == Pair(
        clean=GOOD["clean"], corrupted=GOOD["corrupted"], answers=(" Mary",), foils=(" John",),
        corrupted_answers=(" John",), where=f"{path}:1",
    )  # fmt: skip
    assert second.answers == (" Mary", " Lucy")
    assert second.where == f"{path}:3"


def test_clean_corrupted_and_the_answer_are_enough(tmp_path):
    (pair,) = read_pairs(written(tmp_path, {k: GOOD[k] for k in ("clean", "corrupted", "answer")}))
    assert (pair.foils, pair.corrupted_answers) == ((), None)
    assert len(encode(pair, tokenizer("english")).answers) == 1


def test_lengths_that_differ_are_refused_with_the_line(tmp_path):
    bad = GOOD | {"corrupted": "Then, Mary and John went to the park. Mary gave it to"}
    error = refused(tmp_path, GOOD, bad)
    assert (error.code, error.where) == ("EP183", f"{tmp_path / 'task.jsonl'}:2")
    assert error.what == "clean and corrupted prompts differ in length"
    assert error.got.startswith("15 and 14 tokens: Then|,| Mary| and")


@pytest.mark.parametrize(
    ("change", "got"),
    [
        ({"corrupted": GOOD["clean"]}, "the corrupted prompt is the clean one"),
        ({"corrupted_answer": " Mary"}, "the corrupted prompt is answered by ' Mary' too"),
        (
            {"answer": [" Mary", " Lucy"], "corrupted_answer": [" Lucy", " Mary"]},
            "the corrupted prompt is answered by ' Mary', ' Lucy' too",
        ),
    ],
)
def test_a_corruption_that_leaves_the_answer_unchanged_is_refused_with_the_line(change, got, tmp_path):
    error = refused(tmp_path, GOOD, GOOD, GOOD | change)
    assert (error.code, error.where, error.got) == ("EP185", f"{tmp_path / 'task.jsonl'}:3", got)


def test_a_name_that_is_out_of_vocabulary_is_refused_with_the_line(tmp_path):
    for field in ("clean", "corrupted"):
        error = refused(tmp_path, GOOD, GOOD | {field: GOOD[field].replace("Mary", "Zebediah")})
        assert (error.code, error.what) == ("EP182", "out of vocabulary: ' Zebediah'")
        assert error.where == f"{tmp_path / 'task.jsonl'}:2"
    for field in ("answer", "foil"):
        error = refused(tmp_path, GOOD | {field: " Zebediah"})
        assert (error.code, error.where) == ("EP182", f"{tmp_path / 'task.jsonl'}:1")


@pytest.mark.parametrize("answer", [" Mary and", "ham", ""])
def test_an_answer_that_is_not_one_token_is_refused_with_the_line(answer, tmp_path):
    words = WordTokenizer((*tokenizer("english").pieces, " toham"))
    path = written(tmp_path, GOOD | {"answer": answer})
    error = refusal(lambda: list(encoded(read_pairs(path), words)))
    assert error.code == ("EP184" if answer else "EP181")
    assert error.where == f"{path}:1"


def test_an_answer_that_is_a_foil_too_is_refused(tmp_path):
    error = refused(tmp_path, GOOD | {"foil": [" John", " Mary"]})
    assert (error.code, error.got) == ("EP184", " Mary")


@pytest.mark.parametrize(
    "line",
    ["{", "[1]", "3", '{"clean": "So"}', json.dumps(GOOD | {"clean": 3}), json.dumps(GOOD | {"answer": []}),
     json.dumps(GOOD | {"answer": None}), json.dumps(GOOD | {"foil": {"a": 1}})],
)  # fmt: skip
def test_a_line_that_is_not_a_pair_is_refused_with_its_number(line, tmp_path):
    error = refused(tmp_path, GOOD, line)
    assert (error.code, error.where) == ("EP181", f"{tmp_path / 'task.jsonl'}:2")


def test_the_message_of_a_missing_field_names_it(tmp_path):
    assert str(refused(tmp_path, {"clean": "So", "corrupted": "So"})) == (
        f"EP181 {tmp_path / 'task.jsonl'}:1 'answer' is missing or no text\n"
        "    got     fields clean, corrupted\n    wanted  answer: a text, or a list of texts"
    )


@pytest.mark.parametrize("text", ["", "\n", "  \n\n"])
def test_an_empty_file_is_refused(text, tmp_path):
    path = tmp_path / "task.jsonl"
    path.write_text(text)
    error = refusal(lambda: list(read_pairs(path)))
    assert (error.code, error.where, error.got) == ("EP180", str(path), "an empty file")


def test_no_pairs_at_all_are_refused_wherever_they_come_from():
    assert refusal(lambda: list(batches([], tokenizer("english"), size=2))).code == "EP180"


def test_a_file_that_is_not_there_is_refused(tmp_path):
    error = refusal(lambda: list(read_pairs(tmp_path / "none.jsonl")))
    assert (error.code, error.where) == ("EP181", str(tmp_path / "none.jsonl"))
    binary = tmp_path / "binary.jsonl"
    binary.write_bytes(b"\xff\xfe{}\n")
    assert refusal(lambda: list(read_pairs(binary))).code == "EP181"


def batches(pairs, words, *, size):
    """Batches of `size` pairs, read as they are needed."""
    stream = encoded(pairs, words)
    while chunk := list(islice(stream, size)):
        yield batch_of(chunk)


# Batches ------------------------------------------------------------------------------------------------------


def test_a_batch_marks_the_last_token_of_each_prompt(tmp_path):
    short = {
        "clean": "So Mary works very hard, doesn't",
        "corrupted": "So John works very hard, doesn't",
        "answer": " she",
    }
    path = written(tmp_path, GOOD, short, GOOD)
    words = tokenizer("english")
    first, second = batches(read_pairs(path), words, size=2)
    assert first.clean.shape == first.corrupted.shape == first.valid.shape == (2, 15)
    assert first.valid.sum(1).tolist() == [15, 7]
    assert first.scored.nonzero().tolist() == [[0, 14], [1, 6]]
    assert words.decode(first.clean[1][first.valid[1]].tolist()) == short["clean"]
    assert words.decode(first.corrupted[0].tolist()) == GOOD["corrupted"]
    assert words.decode(first.answers[:, 0].tolist()) == " Mary she"
    assert first.foils[1].tolist() == [NO_TOKEN]
    assert second.clean.shape == (1, 15)


def test_batches_hold_all_pairs_in_order_whatever_their_size(tmp_path):
    records = [GOOD | {"answer": f" {name}"} for name in ("Mary", "Lucy", "Anna", "Emma", "Jane")]
    path, words = written(tmp_path, *records), tokenizer("english")
    for size in (1, 2, 5, 9):
        answers = torch.cat([b.answers[:, 0] for b in batches(read_pairs(path), words, size=size)])
        assert words.decode(answers.tolist()) == " Mary Lucy Anna Emma Jane"


GARBAGE = 200_000  # bytes that Python's garbage collector may not have freed yet


def peak_bytes(path, pairs: int) -> int:
    """The memory that Python uses while a file is read; tensors are counted by their elements."""
    tracemalloc.start()
    n = most = 0
    for batch in batches(read_pairs(path), tokenizer("english"), size=50):
        n += len(batch.clean)
        most = max(most, batch.clean.numel())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n == pairs
    assert most <= 50 * 7
    return peak


PAIR = json.dumps(
    {"clean": "So Mary works hard, doesn't", "corrupted": "So John works hard, doesn't", "answer": " she"}
)


@pytest.fixture
def many(tmp_path):
    def write(n: int):
        path = tmp_path / f"{n}.jsonl"
        with open(path, "w") as file:
            for _ in range(n):
                file.write(PAIR + "\n")
        return path

    return write


def allowed_bytes(many) -> float:
    few = many(200)
    peak_bytes(few, 200)  # everything that is loaded only once is loaded here
    return 1.2 * peak_bytes(few, 200) + GARBAGE


def test_many_pairs_need_no_more_memory_than_two_hundred(many):
    assert peak_bytes(many(4000), 4000) < allowed_bytes(many)


@pytest.mark.slow
def test_a_hundred_thousand_pairs_need_no_more_memory_than_two_hundred(many):
    assert peak_bytes(many(100_000), 100_000) < allowed_bytes(many)


def test_the_measure_of_memory_sees_pairs_that_are_kept(many):
    path, allowed = many(4000), allowed_bytes(many)
    tracemalloc.start()
    kept = list(encoded(read_pairs(path), tokenizer("english")))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(kept) == 4000
    assert peak > 3 * allowed


def test_batches_that_were_passed_are_let_go(many):
    import weakref

    alive = weakref.WeakSet()
    for batch in batches(read_pairs(many(500)), tokenizer("english"), size=10):
        alive.add(batch.clean.untyped_storage())
        assert len(alive) <= 2


def test_a_batch_of_one_pair_is_not_padded():
    pair = encode(
        next(iter([Pair(clean="So Mary", corrupted="So John", answers=(" is",))])), tokenizer("english")
    )
    batch = batch_of([pair])
    assert bool(batch.valid.all())
    assert batch.foils.shape == (1, 0)
