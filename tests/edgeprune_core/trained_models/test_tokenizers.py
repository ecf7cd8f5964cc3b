"""A model's tokenizer, ours or one of `transformers`, and that it splits prompts as a task needs."""

from __future__ import annotations

import sys

import pytest

from edgeprune_core.errors import CheckError
from edgeprune_core.tasks.encode import encode
from edgeprune_core.tasks.tokenizer import WordTokenizer
from edgeprune_core.tasks.vocabulary import tokenizer
from edgeprune_core.trained_models.tokenizers import WORDS, tokenizer_of
from tests.edgeprune_core.tasks.test_encode import bpe
from tracrcheck.trained.prompts import both_lists

TEXT = "So Mary works very hard, doesn't"


def refusal(make) -> CheckError:
    with pytest.raises(CheckError) as caught:
        make()
    return caught.value


def test_a_word_list_in_the_folder_goes_first(tmp_path):
    bpe(merges=60).save_pretrained(tmp_path)
    (tmp_path / WORDS).write_text(tokenizer("english").dumps())
    assert tokenizer_of(tmp_path) == tokenizer("english")
    assert isinstance(tokenizer_of(str(tmp_path)), WordTokenizer)


def test_a_tokenizer_of_transformers_is_read_from_a_folder(tmp_path):
    words = bpe(merges=60)
    words.save_pretrained(tmp_path)
    assert tokenizer_of(tmp_path).encode(TEXT) == words.encode(TEXT)


def test_where_transformers_is_not_installed_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    error = refusal(lambda: tokenizer_of(tmp_path))
    assert (error.code, error.where) == ("EP189", str(tmp_path))
    assert error.do == "pip install 'tracrcheck[models]'"


def test_drawn_prompts_that_a_tokenizer_cuts_into_unequal_lengths_are_skipped():
    words = bpe(merges=60)
    lists = both_lists("gendered_pronoun", words, n=5, seed=0)
    assert (len(lists.train), len(lists.held_out)) == (5, 5)
    for pair in (*lists.train, *lists.held_out):
        encode(pair, words)
    assert lists == both_lists("gendered_pronoun", words, n=5, seed=0)
    assert lists != both_lists("gendered_pronoun", words, n=5, seed=1)
