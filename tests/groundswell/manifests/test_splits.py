from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.errors import DatasetError
from groundswell.manifests.splits import split

UNIQUE_IDS = st.lists(st.text(), min_size=1, max_size=40, unique=True)


def test_it_never_changes() -> None:
    # Written down: a change here would move items between train and test of every existing batch.
    ids = [f"iris-{n:03d}" for n in range(1, 13)]
    assert split(ids, test_items=4, seed=42)[1] == ["iris-001", "iris-002", "iris-005", "iris-009"]
    assert split(ids, test_items=4, seed=43)[1] != split(ids, test_items=4, seed=42)[1]


@given(UNIQUE_IDS, st.data())
def test_every_id_is_in_one_part_whatever_the_order(ids: list[str], data: st.DataObject) -> None:
    test_items = data.draw(st.integers(0, len(ids) - 1))
    train, test = split(ids, test_items=test_items, seed=7)
    assert len(test) == test_items
    assert [each for each in ids if each in set(train)] == train
    assert sorted(train + test) == sorted(ids)
    shuffled = data.draw(st.permutations(ids))
    assert set(split(shuffled, test_items=test_items, seed=7)[1]) == set(test)


@given(UNIQUE_IDS, st.data())
def test_strata_get_their_share(ids: list[str], data: st.DataObject) -> None:
    strata = {each: data.draw(st.sampled_from("abc")) for each in ids}
    test_items = data.draw(st.integers(0, len(ids) - 1))
    _, test = split(ids, test_items=test_items, seed=7, strata=strata)
    assert len(test) == test_items
    sizes, taken = Counter(strata.values()), Counter(strata[each] for each in test)
    for group, size in sizes.items():
        assert abs(taken[group] - test_items * size / len(ids)) < 1


def test_iris_is_split_evenly() -> None:
    ids = [str(n) for n in range(150)]
    _, test = split(ids, test_items=30, seed=42, strata={each: str(int(each) // 50) for each in ids})
    assert Counter(int(each) // 50 for each in test) == {0: 10, 1: 10, 2: 10}


def test_nothing_to_split() -> None:
    assert split([], test_items=0, seed=1) == ([], [])
    assert split([], test_items=0, seed=1, strata={}) == ([], [])


@pytest.mark.parametrize(
    ("ids", "test_items", "strata", "says"),
    [
        (["a", "b"], 2, None, "test_items: 2 of 2 labelled items would leave none to train on"),
        (["a"], -1, None, "test_items: -1 is negative"),
        ([], 3, None, "test_items: 3 wanted and no item is labelled"),
        (["a", "a"], 1, None, "item 'a' is twice"),
        (["a", "b"], 1, {"a": "x"}, "item 'b' has no group"),
    ],
)
def test_bad_splits(ids: list[str], test_items: int, strata: dict[str, str] | None, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        split(ids, test_items=test_items, seed=1, strata=strata)
