from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.consolidation.text.distance import distances, edits


def table(one: str, other: str) -> int:
    """Levenshtein's distance by the table of Wagner and Fischer (1974)."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        last, row[0] = row[0], i
        for j, b in enumerate(other, start=1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    return row[-1]


@given(one=st.text("abc", max_size=12), other=st.text("abc", max_size=12))
@settings(max_examples=200, deadline=None)
def test_edits_are_those_of_the_table(one: str, other: str) -> None:
    assert edits(one, other) == table(one, other)
    assert edits(list(one), list(other)) == table(one, other)


def test_edits_beyond_one_machine_word() -> None:
    rng = np.random.default_rng(1)
    one, other = ("".join(rng.choice(list("abcd"), 300)) for _ in range(2))
    assert edits(one, other) == table(one, other)
    assert edits(one, one[:100] + "x" + one[101:]) == 1


def test_distances_are_shares_of_the_longer_text() -> None:
    found = distances(["kitten", "sitting", ""])
    assert found == pytest.approx(np.array([[0, 3 / 7, 1], [3 / 7, 0, 1], [1, 1, 0]]))
    assert distances(["", ""])[0, 1] == 0
    assert distances(["a red fox", "a fox", "the fox"], "words")[0] == pytest.approx([0, 1 / 3, 2 / 3])


def test_long_texts_are_compared_in_words_and_very_long_ones_without_order() -> None:
    words = [f"word{n:05}" for n in range(2_000)]
    long = [" ".join(words), " ".join([*words[:-1], "other"])]
    assert distances(long)[0, 1] == pytest.approx(1 / 2_000)
    very = [f"{n % 5_000:05}" for n in range(200_000)]
    assert distances([" ".join(very), " ".join(very[::-1])])[0, 1] == 0
    assert distances([" ".join(very), " ".join(very[:150_000])])[0, 1] == pytest.approx(1 / 4)
