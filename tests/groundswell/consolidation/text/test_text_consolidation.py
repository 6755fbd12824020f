from __future__ import annotations

import itertools
import math
import unicodedata
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.consolidation.data import Earlier
from groundswell.consolidation.text import TextAnswers, medoid, normal_text, rover
from groundswell.consolidation.text.alignment import align, vote
from groundswell.consolidation.text.distance import edits
from groundswell.errors import AnswerError

METHODS = (medoid, rover)
Rows = list[tuple[str, str, str]]

rows_strategy = st.lists(
    st.tuples(
        st.sampled_from(["t1", "t2"]),
        st.sampled_from(["w1", "w2", "w3", "w4"]),
        st.lists(st.sampled_from(["a", "b", "c"]), max_size=4).map(" ".join),
    ),
    max_size=10,
)


def one_item(*texts: str) -> TextAnswers:
    return TextAnswers.from_rows([("t", f"w{n}", text) for n, text in enumerate(texts)])


def crowd(seed: int, items: int = 40, careless: int = 2) -> tuple[Rows, list[str]]:
    """Sentences of eight words; workers drop, change and add words, the first few often."""
    rng = np.random.default_rng(seed)
    vocabulary = [f"w{n}" for n in range(60)]
    rows: Rows = []
    truth = [list(rng.choice(vocabulary, 8)) for _ in range(items)]
    for t, words in enumerate(truth):
        for w in range(5):
            rate = 0.5 if w < careless else 0.25
            heard: list[str] = []
            for word in words:
                chance = rng.random()
                if chance > rate:
                    heard.append(word)
                elif chance < rate / 2:
                    heard.append(str(rng.choice(vocabulary)))
            rows.append((f"t{t:02}", f"w{w}", " ".join(heard)))
    return rows, [" ".join(words) for words in truth]


def errors(found: tuple[str | None, ...], truth: list[str]) -> int:
    return sum(edits((text or "").split(), right.split()) for text, right in zip(found, truth, strict=True))


@pytest.mark.parametrize("method", METHODS)
def test_what_all_wrote_is_the_result(method: Any) -> None:
    found = method(
        TextAnswers.from_rows([(f"t{t}", f"w{w}", f"line {t} of it") for t in range(3) for w in range(4)])
    )
    assert found.text == ("line 0 of it", "line 1 of it", "line 2 of it")
    assert found.confidence == pytest.approx([4 / 5] * 3)
    assert found.agreement.alpha == 1.0
    assert (found.worker_skill > 0.8).all()
    assert (found.skill_low < found.worker_skill).all()
    assert not found.tied.any()
    assert found.confidence_is == "score"


def test_the_medoid_is_the_answer_nearest_to_all() -> None:
    found = medoid(one_item("the cat sat", "the cat sat", "the bat sat", "something else"))
    assert found.text == ("the cat sat",)
    assert not found.tied[0]
    near_all = medoid(one_item("abcd", "abcx", "xbcd"))
    assert near_all.text == ("abcd",)


def test_rover_can_be_better_than_every_answer() -> None:
    texts = ["the cat sit on the mat", "a cat sat on the mat", "the cat sat on mat"]
    found = rover(one_item(*texts))
    assert found.text == ("the cat sat on the mat",)
    assert found.text[0] not in texts
    assert found.words[0] == ("the", "cat", "sat", "on", "the", "mat")
    # Five of the six words have one dissenter at most; "cat" and "on" and "mat" have none.
    assert sorted(found.word_confidence[0].round(1)) == [0.7, 0.7, 0.7, 1.0, 1.0, 1.0]


def test_a_slot_that_most_leave_empty_is_left_out() -> None:
    assert rover(one_item("a b c", "a c", "a c")).text == ("a c",)
    assert rover(one_item("a b c", "a b c", "a c")).text == ("a b c",)


def test_rover_beats_the_medoid_where_all_err() -> None:
    total = {"rover": 0, "medoid": 0}
    for seed in range(3):
        rows, truth = crowd(seed)
        answers = TextAnswers.from_rows(rows)
        for found in (rover(answers), medoid(answers, unit="words")):
            total[found.method] += errors(found.text, truth)
            assert found.worker_skill[:2].max() < found.worker_skill[2:].min()
    assert total["rover"] < 0.9 * total["medoid"]


@pytest.mark.parametrize("method", METHODS)
def test_a_perfect_worker_never_hurts(method: Any) -> None:
    rows, truth = crowd(5)
    perfect = [(f"t{t:02}", "perfect", text) for t, text in enumerate(truth)]
    without, with_one = (errors(method(TextAnswers.from_rows(r)).text, truth) for r in (rows, rows + perfect))
    assert with_one <= without


@pytest.mark.parametrize("method", METHODS)
def test_earlier_skill_decides_between_two(method: Any) -> None:
    answers = one_item("one thing", "another matter")
    good_second = Earlier(np.array([1.0, 30.0]), np.array([30.0, 1.0]))
    assert method(answers, earlier=good_second).text == ("another matter",)
    assert not method(answers, earlier=good_second).tied[0]
    with pytest.raises(AnswerError, match="is for 3 workers"):
        method(answers, earlier=Earlier(np.zeros(3), np.zeros(3)))


def test_ties_are_reported() -> None:
    answers = one_item("one thing", "another matter")
    assert medoid(answers).text == (None,)
    assert medoid(answers).tied.tolist() == [True]
    woven = rover(answers)
    assert woven.tied.tolist() == [True]
    assert woven.text[0] in {"one thing", "another matter"}


@pytest.mark.parametrize("method", METHODS)
def test_empty_answers_are_answers(method: Any) -> None:
    assert method(one_item("", "", "a smudge")).text == ("",)
    assert method(one_item("word", "word", "")).text == ("word",)
    silent = method(one_item("", " \n\t "))
    assert silent.text == ("",)
    assert silent.confidence[0] == pytest.approx(2 / 3)


@pytest.mark.parametrize("method", METHODS)
def test_little_input_is_defined(method: Any) -> None:
    found = method(TextAnswers.from_rows([("t1", "w", "alone")], tasks=("t0", "t1")))
    assert found.text == (None, "alone")
    assert found.confidence == pytest.approx([0, 0.5])
    assert np.isnan(found.worker_skill).all()
    assert {finding.kind for finding in found.findings} == {"no_answer", "single_answer"}
    assert method(TextAnswers.from_rows([])).text == ()
    copies = method(one_item(*["same"] * 8))
    assert copies.text == ("same",)
    assert copies.confidence[0] == pytest.approx(8 / 9)


@pytest.mark.parametrize("method", METHODS)
@given(rows=rows_strategy, seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_neither_order_nor_workers_names_show(rows: Rows, seed: int, method: Any) -> None:
    rng = np.random.default_rng(seed)
    one = method(TextAnswers.from_rows(rows))
    again = method(TextAnswers.from_rows([rows[i] for i in rng.permutation(len(rows))] + rows[:2]))
    names = dict(
        zip(["w1", "w2", "w3", "w4"], rng.permutation(["z1", "z2", "z3", "z4"]).tolist(), strict=True)
    )
    renamed = method(TextAnswers.from_rows([(task, names[w], text) for task, w, text in rows]))
    assert again.text == renamed.text == one.text
    assert renamed.confidence == pytest.approx(one.confidence)
    assert np.sort(renamed.worker_skill) == pytest.approx(np.sort(one.worker_skill), nan_ok=True)


def test_the_same_text_in_other_characters_is_the_same_text() -> None:
    composed, parted = "caf\u00e9 ma\u00f1ana", "cafe\u0301  man\u0303ana\n"
    assert normal_text(parted) == composed
    for method in METHODS:
        found = method(one_item(composed, parted, "other"))
        assert found.text == (composed,)
    # What looks alike in another sense is kept: ligatures, case, joiners, full-width letters.
    for kept in ("\ufb01", "A", "\U0001f468\u200d\U0001f469", "\uff21"):
        assert normal_text(kept) == kept
    assert unicodedata.normalize("NFC", normal_text("\u1100\u1161")) == "\uac00"


def test_scripts_without_blanks_are_aligned_by_characters() -> None:
    found = rover(one_item("東京都港区", "東京部港区", "東京都港"), split="characters")
    assert found.text == ("東京都港区",)


def test_long_and_many_texts_are_bounded_and_reported() -> None:
    long = " ".join(f"w{n}" for n in range(2_500))
    found = rover(one_item(long, long + " end", long))
    assert found.text == (long,)
    assert [finding.kind for finding in found.findings] == ["too_long"]
    many = medoid(one_item(*[f"{'x' * (n % 7)} {n:03}" for n in range(120)], "common text", "common text"))
    assert "crowded" in {finding.kind for finding in many.findings}
    assert many.n_answers.tolist() == [122]


def cost(slot: list[str | None], word: str | None) -> int:
    return sum(0 if had == word else 3 if None in (had, word) else 4 for had in slot)


def cheapest(slots: list[list[str | None]], words: list[str]) -> int:
    """The cost of the best alignment, by trying all of them."""
    if not slots:
        return 3 * len(words) * WIDTH
    if not words:
        return sum(cost(slot, None) for slot in slots)
    return min(
        cost(slots[0], words[0]) + cheapest(slots[1:], words[1:]),
        cost(slots[0], None) + cheapest(slots[1:], words),
        3 * WIDTH + cheapest(slots, words[1:]),
    )


WIDTH = 2


@given(texts=st.lists(st.lists(st.sampled_from("abc"), max_size=4), min_size=3, max_size=3))
@settings(max_examples=80, deadline=None)
def test_no_alignment_is_cheaper_and_no_word_is_lost(texts: list[list[str]]) -> None:
    slots = align(texts, [1, 1, 1])
    for at, words in enumerate(texts):
        assert [slot[at] for slot in slots if slot[at] is not None] == words
    before = [slot[:2] for slot in align(texts[:2], [1, 1])]
    found = sum(cost(slot[:2], slot[2]) for slot in slots)
    assert found == cheapest(before, texts[2])


@given(
    slot=st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=5),
    weights=st.lists(st.integers(1, 5), min_size=5, max_size=5),
)
def test_the_vote_is_by_weight(slot: list[str | None], weights: list[int]) -> None:
    found = vote([slot], np.array(weights[: len(slot)], dtype=np.float64))
    total = {word: sum(w for had, w in zip(slot, weights, strict=False) if had == word) for word in slot}
    assert total[found.words[0]] == max(total.values())
    assert found.shares[0] == pytest.approx(max(total.values()) / sum(total.values()))
    assert found.tied == (sorted(total.values())[-1:] == sorted(total.values())[-2:-1])


def test_answers_that_repeat_count_as_often_as_they_were_given() -> None:
    for copies in itertools.product((1, 3), repeat=2):
        texts = ["a b"] * copies[0] + ["a c"] * copies[1]
        expected = {(1, 3): "a c", (3, 1): "a b"}.get(copies)
        if expected:
            assert rover(one_item(*texts)).text == medoid(one_item(*texts)).text == (expected,)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (("t", "w", math.nan), "item 't': worker 'w' gave nan, which is no text"),
        (("t", "w", None), "gave None, which is no text"),
        (("t", "w", 7), "gave 7, which is no text"),
        (("x", "w", "a"), "not in the list of items"),
        (("t", "", "a"), "the worker is empty"),
        ((None, "w", "a"), "the item is no text"),
    ],
)
def test_bad_rows_are_refused_by_name(row: Any, says: str) -> None:
    with pytest.raises(AnswerError, match=says):
        TextAnswers.from_rows([row], tasks=("t",))


def test_arrays_that_contradict_are_refused() -> None:
    zero = np.zeros(1, np.int32)
    with pytest.raises(AnswerError, match="position 1"):
        TextAnswers(zero, zero, zero + 1, ("a",), ("t",), ("w",))
    with pytest.raises(AnswerError, match="not a text in its normal form"):
        TextAnswers(zero, zero, zero, ("a  b",), ("t",), ("w",))
