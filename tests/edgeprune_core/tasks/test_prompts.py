"""The contract of every prompt task: seed, split, tokens, answers; and what each one says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

import pytest

from edgeprune_core.errors import CheckError
from edgeprune_core.tasks import TASKS, pairs
from edgeprune_core.tasks.base import SPLITS, Pair, fitted, split_of, together
from edgeprune_core.tasks.boolean_expressions import BooleanExpressions, Operation, evaluate, written
from edgeprune_core.tasks.capitals import CAPITALS
from edgeprune_core.tasks.encode import encode
from edgeprune_core.tasks.ioi import IndirectObject
from edgeprune_core.tasks.names import MEN, WOMEN
from edgeprune_core.tasks.tokenizer import END, WordTokenizer
from edgeprune_core.tasks.vocabulary import FOLDER, VOCABULARIES, made_anew, tokenizer, write

SOURCES = {**TASKS, "ioi_swap": IndirectObject(corruption="swap")}
# Tasks without a shipped word list have one of their own pieces.
WORDS = {name: WordTokenizer.of_texts(source.texts()) for name, source in TASKS.items()} | {
    source.name: tokenizer(vocabulary) for vocabulary, sources in VOCABULARIES.items() for source in sources
}


def refusal(make) -> CheckError:
    with pytest.raises(CheckError) as caught:
        make()
    return caught.value


def drawn(name: str, n: int = 300, *, seed: int = 0, split="train"):
    return list(islice(pairs(SOURCES[name], seed=seed, split=split), n))


def test_every_task_is_named_as_in_the_table():
    assert all(name == source.name for name, source in TASKS.items())


@pytest.mark.parametrize("name", SOURCES)
def test_the_same_seed_gives_the_same_pairs_and_another_seed_others(name):
    assert drawn(name, 50) == drawn(name, 50)
    assert drawn(name, 50) != drawn(name, 50, seed=1)
    assert drawn(name, 50) != drawn(name, 50, split="held_out")


@pytest.mark.parametrize("name", SOURCES)
def test_no_template_and_names_are_shared_by_training_and_held_out_prompts(name):
    seen = {split: set() for split in SPLITS}
    for split in SPLITS:
        for seed in (0, 1):
            for pair in drawn(name, 200, seed=seed, split=split):
                assert pair.template
                assert pair.keys
                seen[split] |= {(pair.template, key) for key in pair.keys}
    assert not seen["train"] & seen["held_out"]
    assert len(seen["held_out"]) > 20


@pytest.mark.parametrize("name", ["ioi", "ioi_swap"])
def test_no_two_people_meet_in_one_frame_of_ioi_both_in_training_and_held_out_in_whatever_order(name):
    seen = {split: set() for split in SPLITS}
    for split in SPLITS:
        for pair in drawn(name, 1500, split=split):
            for text in (pair.clean, pair.corrupted):
                names = [word for word in re.findall(r"[A-Za-z]+", text) if word in MEN + WOMEN]
                seen[split].add((pair.template, frozenset(names[:2])))
    assert not seen["train"] & seen["held_out"]


def test_names_together_are_in_no_order_and_one_key_may_be_in_either_split_by_its_frame():
    assert together("Mary", "John") == together("John", "Mary") == "John+Mary"
    assert {split_of("ioi", f"frame {i}", "John+Mary") for i in range(50)} == set(SPLITS)
    assert {split_of(f"task {i}", "frame", "John+Mary") for i in range(50)} == set(SPLITS)


@pytest.mark.parametrize("name", SOURCES)
def test_keys_name_what_fills_the_prompts(name):
    for pair in drawn(name, 100):
        for key, text in zip(pair.keys, (pair.clean, pair.corrupted), strict=False):
            assert all(part in text for part in key.split("+")), key


def test_a_split_without_pairs_is_refused_and_not_drawn_from_for_ever(monkeypatch):
    """A task with one frame and one name has a single pair, which is in one of the splits."""

    @dataclass(frozen=True)
    class Single:
        name: str = "single"

        def draw(self, rng):
            return Pair(clean="a", corrupted="b", answers=("c",), template="x", keys=("y",))

    (full,) = (split for split in SPLITS if split_of("single", "x", "y") == split)
    (empty,) = set(SPLITS) - {full}
    assert len(list(islice(pairs(Single(), seed=0, split=full), 3))) == 3
    with pytest.raises(CheckError, match=f"EP186 single the split '{empty}' of the task has no pairs"):
        next(pairs(Single(), seed=0, split=empty))


def test_a_fifth_of_what_can_be_said_is_held_out():
    held = sum(split_of("ioi", "frame", f"key {i}") == "held_out" for i in range(2000))
    assert 330 < held < 470  # 400 expected; 4 standard deviations of a binomial are 72


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("split", SPLITS)
def test_pairs_have_as_many_tokens_and_single_token_answers_and_decode_to_themselves(name, split):
    words = WORDS[SOURCES[name].name]
    for pair in drawn(name, 200, split=split):
        tokens = encode(pair, words)
        assert len(tokens.clean) == len(tokens.corrupted)
        assert words.decode(tokens.clean) == pair.clean
        assert words.decode(tokens.corrupted) == pair.corrupted
        assert [words.decode([t]) for t in tokens.answers] == list(pair.answers)
        assert not set(tokens.answers) & set(tokens.foils)
        assert set(pair.corrupted_answers) != set(pair.answers)


def test_in_ioi_the_answer_is_the_name_that_is_not_repeated():
    for pair in drawn("ioi") + drawn("ioi_swap"):
        names = [word for word in re.findall(r"[A-Za-z]+", pair.clean) if word in MEN + WOMEN]
        assert len(names) == 3
        (once,) = [name for name in names if names.count(name) == 1]
        assert pair.answers == (f" {once}",)
        assert pair.foils == (f" {names[2]}",)


def test_in_ioi_the_names_come_in_either_order():
    firsts = [next(w for w in re.findall(r"[A-Za-z]+", p.clean) if w in MEN + WOMEN) for p in drawn("ioi")]
    first_is_answer = [f" {first}" == p.answers[0] for first, p in zip(firsts, drawn("ioi"), strict=True)]
    assert 0.35 < sum(first_is_answer) / len(first_is_answer) < 0.65


def test_the_corruptions_of_ioi_are_three_new_names_or_the_other_one_repeated():
    for pair in drawn("ioi"):
        names = [w for w in re.findall(r"[A-Za-z]+", pair.corrupted) if w in MEN + WOMEN]
        assert len(set(names)) == 3
        assert not any(name in pair.clean for name in names)
        assert pair.corrupted_answers == ()
    for pair in drawn("ioi_swap"):
        assert pair.corrupted_answers == pair.foils
        changed = [(a, b) for a, b in zip(pair.clean.split(), pair.corrupted.split(), strict=True) if a != b]
        assert len(changed) == 1


def test_in_greater_than_the_answers_are_the_later_years_and_the_corrupted_year_is_the_first():
    for pair in drawn("greater_than"):
        century, first = re.search(r"year (\d\d)(\d\d) to", pair.clean).groups()
        assert pair.clean.endswith(f"to the year {century}")
        assert [int(a) for a in pair.answers] == list(range(int(first) + 1, 100))
        assert [int(a) for a in pair.foils] == list(range(int(first) + 1))
        assert pair.corrupted == pair.clean.replace(f"{century}{first}", f"{century}01")
        assert pair.answers


@dataclass(frozen=True)
class Digits:
    """A tokenizer that cuts words as ours does, and numbers into digits, as that of SmolLM2."""

    words: WordTokenizer

    def pieces(self, text: str) -> list[str]:
        return [part for piece in re.findall(r" ?[0-9]|[^0-9]+", text) for part in self.cut(piece)]

    def cut(self, piece: str) -> list[str]:
        if re.fullmatch(" ?[0-9]", piece):
            return list(piece)
        return [self.words.pieces[i] for i in self.words.encode(piece.rstrip(" "))] + [" "] * piece.endswith(
            " "
        )

    def encode(self, text: str) -> list[int]:
        return [hash_of(piece) for piece in self.pieces(text)]


def hash_of(piece: str) -> int:
    return int.from_bytes(piece.encode(), "big")


def test_where_years_are_cut_into_digits_a_digit_is_right_if_a_later_year_begins_with_it():
    source = fitted(TASKS["greater_than"], Digits(tokenizer("english")))
    seen = set()
    for pair in islice(pairs(source, seed=0), 300):
        decade, year = re.search(r"year \d\d(\d)(\d) to", pair.clean).groups()
        assert [int(a) for a in pair.answers] == list(range(int(decade) + (year == "9"), 10))
        assert [int(a) for a in pair.foils] == list(range(int(decade) + (year == "9")))
        assert pair.answers
        assert pair.foils
        assert pair.clean[-2:] == pair.corrupted[-2:] == re.search(r"year (\d\d)", pair.clean)[1]
        encode(pair, Digits(tokenizer("english")))
        seen.add(year == "9")
    assert seen == {True, False}


@pytest.mark.parametrize("name", ["english", "boolean"])
def test_a_tokenizer_with_years_of_two_digits_or_without_the_words_leaves_greater_than_as_it_is(name):
    assert fitted(TASKS["greater_than"], tokenizer(name)) == TASKS["greater_than"]
    assert fitted(TASKS["ioi"], tokenizer(name)) is TASKS["ioi"]


def test_in_induction_the_last_words_were_there_before_and_the_answer_came_next_and_in_the_corrupted_prompt_nothing_did():
    lengths = set()
    for pair in drawn("induction"):
        words, other = pair.clean[1:-1].split(", "), pair.corrupted[1:-1].split(", ")
        n = len(words) - 12
        assert words[12:] == words[:n] == other[12:]
        assert pair.answers == (f" {words[n]}",)
        assert set(pair.foils) == {f" {word}" for word in words[:12]} - set(pair.answers)
        assert len(set(words[:12] + other[:12])) == 24
        assert pair.corrupted_answers == ()
        lengths.add(n)
    assert lengths == {5, 6, 7, 8, 9}


def test_every_word_of_induction_is_in_the_shipped_word_list():
    for pair in drawn("induction", 50):
        encode(pair, tokenizer("english"))


@pytest.mark.parametrize("name", ["capital", "capital_few_shot", "capital_instruction"])
def test_in_capital_the_answer_is_that_of_the_country_and_the_foil_that_of_the_other(name):
    for pair in drawn(name):
        country, other = pair.keys
        assert pair.clean == pair.template.format(country=country)
        assert pair.corrupted == pair.template.format(country=other)
        assert pair.answers == (f" {CAPITALS[country]}",)
        assert pair.foils == pair.corrupted_answers == (f" {CAPITALS[other]}",)
        assert pair.answers[0] not in pair.clean


def test_in_gendered_pronoun_the_other_name_is_of_the_other_gender():
    for pair in drawn("gendered_pronoun"):
        own, other = pair.keys
        assert pair.answers == ((" he",) if own in MEN else (" she",))
        assert (own in MEN) != (other in MEN)
        assert pair.corrupted == pair.clean.replace(own, other)
        assert pair.corrupted_answers == pair.foils


@pytest.mark.parametrize("name", ["boolean_few_shot", "boolean_instruction"])
def test_boolean_expressions_have_the_value_that_python_gives_them(name):
    values = set()
    for pair in drawn(name):
        for expression, answer in zip(pair.keys, (pair.answers, pair.corrupted_answers), strict=True):
            value = eval(expression, {})
            assert str(value) == answer[0].strip()
            assert "not (not" not in expression
            assert "not not" not in expression
            values.add(value)
    assert values == {True, False}


def test_every_solved_expression_of_the_few_shot_form_is_solved_rightly():
    shots = BooleanExpressions().prompt("True").split("\n")[:-1]
    assert len(shots) == 3
    for shot in shots:
        expression, answer = shot.rsplit(" is ", 1)
        assert str(eval(expression, {})) == answer


def test_the_two_forms_are_those_of_the_paper():
    tree = Operation("or", (Operation("not", (True,)), False))
    assert written(tree) == "(not True) or False"
    assert evaluate(tree) is False
    few, instruction = BooleanExpressions(form="few_shot"), BooleanExpressions(form="instruction")
    assert few.prompt(written(tree)).endswith("\n(not True) or False is")
    assert instruction.prompt(written(tree)) == (
        "[INST] <<SYS>>\nEvaluate the following boolean expression as either 'True' or 'False'.\n<</SYS>>\n\n"
        "(not True) or False [/INST] '"
    )
    assert (few.answer(True), instruction.answer(True)) == (" True", "True")


# The word lists ------------------------------------------------------------------------------------------

DIGESTS = {
    "english": "54d53c63fb2ea5b8bb49bc26db9e76d0499ea757cf9d9c9b07361123eb9fe0ba",
    "boolean": "b01a55c9ac376ed4be4e21d841b71c33fccc24becece3b986a039f9b8a70322b",
}


@pytest.mark.parametrize("name", VOCABULARIES)
def test_the_shipped_word_lists_regenerate_with_equal_hashes(name, tmp_path):
    write(tmp_path)
    shipped = (FOLDER / f"{name}.json").read_bytes()
    assert (tmp_path / f"{name}.json").read_bytes() == shipped
    assert tokenizer(name).digest == made_anew(name).digest == DIGESTS[name]


def test_the_word_lists_are_small_and_hold_every_name():
    english = tokenizer("english")
    assert 300 < len(english) < 450
    assert {f" {name}" for name in MEN + WOMEN} <= set(english.pieces)
    assert not set(MEN) & set(WOMEN)
    assert len(tokenizer("boolean")) < 50


def test_a_word_list_does_not_depend_on_the_order_of_the_texts():
    texts = ["So it is", "is it 1732?", "it's"]
    assert WordTokenizer.of_texts(texts) == WordTokenizer.of_texts(reversed(texts))
    assert WordTokenizer.of_texts(texts).pieces == (END, " 17", " is", " it", "32", "?", "So", "is", "it's")


def test_a_word_that_is_not_in_the_list_is_refused_with_its_neighbours():
    error = refusal(lambda: tokenizer("english").encode("Then, Marry and John"))
    assert str(error) == (
        "EP182 out of vocabulary: ' Marry'\n    got     'Then, Marry and John'\n"
        f"    wanted  pieces among the tokenizer's {len(tokenizer('english'))}\n"
        "    do      did you mean ' Mary' or ' Mark' or ' Gary'?"
    )


@pytest.mark.parametrize("text", ['{"schema": "other"}', "{", "[]", '{"schema": "edgeprune_core.words/1"}'])
def test_a_file_that_is_not_a_word_list_is_refused(text, tmp_path):
    (tmp_path / "x.json").write_text(text)
    assert refusal(lambda: WordTokenizer.load(tmp_path / "x.json")).code == "EP188"


def test_a_word_list_with_a_piece_twice_is_refused(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(WordTokenizer((END, "a", "a")).dumps())
    assert refusal(lambda: WordTokenizer.load(path)).code == "EP188"
    path.write_text(WordTokenizer(("a", "b")).dumps())
    assert refusal(lambda: WordTokenizer.load(path)).code == "EP188"
    assert refusal(lambda: tokenizer("englsh")).do == "did you mean 'english'?"
