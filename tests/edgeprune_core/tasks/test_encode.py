"""Tokenizers of `transformers` serve as they are: byte-level BPE, with a beginning token or without."""

from __future__ import annotations

from dataclasses import fields
from itertools import islice

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from edgeprune_core.errors import CheckError
from edgeprune_core.tasks import TASKS, Pair, pairs
from edgeprune_core.tasks.encode import EncodedPair, PromptBatch, batch_of, encode, joined


def bpe(*, merges: int, begin: bool = False) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer trained on the tasks' own prompts."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=257 + merges, initial_alphabet=alphabet, special_tokens=["<s>"], show_progress=False
    )
    inner.train_from_iterator(TASKS["gendered_pronoun"].texts(), trainer)
    if begin:
        inner.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", clean_up_tokenization_spaces=False
    )


@pytest.mark.parametrize("begin", [False, True])
def test_pairs_are_encoded_by_a_tokenizer_of_transformers(begin):
    words = bpe(merges=2000, begin=begin)
    some = list(islice(pairs(TASKS["gendered_pronoun"], seed=0), 20))
    for pair in some:
        tokens = encode(pair, words)
        assert words.decode(tokens.clean, skip_special_tokens=True) == pair.clean
        assert (tokens.clean[0] == 0) == begin
        assert words.decode([tokens.answers[0]]) == pair.answers[0]
    assert batch_of([encode(pair, words) for pair in some[:20]]).clean.shape[0] == 20


def test_names_that_a_tokenizer_cuts_into_unequal_parts_are_refused_or_left_out_on_request():
    words = bpe(merges=60)
    some = list(islice(pairs(TASKS["gendered_pronoun"], seed=0), 200))
    codes, left = set(), []
    for pair in some:
        try:
            encode(pair, words)
            left.append(pair)
        except CheckError as error:
            codes.add(error.code)
    assert codes == {"EP183"}
    assert 0 < len(left) < len(some)
    assert all(len(words.encode(pair.clean)) == len(words.encode(pair.corrupted)) for pair in left)


def test_an_answer_cut_in_two_is_refused():
    words = bpe(merges=2000)
    pair = Pair(clean="So Mary works", corrupted="So Lucy works", answers=(" zq",))
    with pytest.raises(CheckError) as caught:
        encode(pair, words)
    assert caught.value.code == "EP184"


class Merging:
    """One token per letter, except `ab`, which is one token."""

    def encode(self, text: str) -> list[int]:
        return [ord(letter) for letter in text.replace("ab", "\x01")]

    def decode(self, ids) -> str:
        return "".join(map(chr, ids)).replace("\x01", "ab")


def test_an_answer_that_would_change_the_last_token_of_its_prompt_is_refused():
    with pytest.raises(CheckError) as caught:
        encode(Pair(clean="xa", corrupted="xc", answers=("bd",)), Merging())
    assert (caught.value.code, caught.value.got, caught.value.wanted) == (
        "EP184",
        "x|ab|d",
        "x|a and one more",
    )
    assert encode(Pair(clean="xa", corrupted="xc", answers=("d",)), Merging()).answers == (ord("d"),)


def test_pairs_joined_in_parts_are_the_batch_of_all():
    many = [
        EncodedPair(clean=(1,) * n, corrupted=(2,) * n, answers=(3,) * (1 + n % 2), foils=(4,) * (n % 3))
        for n in (3, 1, 5, 2, 4)
    ]
    whole = batch_of(many)
    for at_once in (1, 2, 5, 9):
        got = joined(iter(many), at_once=at_once)
        for field in fields(PromptBatch):
            assert torch.equal(getattr(got, field.name), getattr(whole, field.name)), field.name
