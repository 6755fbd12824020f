"""A rejection takes an item's end back, whatever the order in which the record is read."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from groundswell.ledger import Outcome, RunState

EXPIRES = "2026-01-01T04:00:00+00:00"
HIT = ("hits", {"item": "a", "hit": "H1", "hit_type": "T", "seats": 2, "expires": EXPIRES})


def answer(name: str, label: str = "cat") -> tuple[str, dict[str, Any]]:
    return "answers", {"assignment": name, "item": "a", "worker": name, "submitted": name, "label": label}


def rejection(name: str) -> tuple[str, dict[str, Any]]:
    return "rejections", {"assignment": name, "item": "a", "worker": name, "at": "2026-01-02"}


def extension(seats: int, replaces: str) -> tuple[str, dict[str, Any]]:
    row = {"item": "a", "hit": "H1", "seats": seats, "token": f"t{seats}", "expires": EXPIRES}
    return "extensions", row | {"replaces": replaces}


def closing(outcome: str, seats: int, rejected: int) -> tuple[str, dict[str, Any]]:
    return "outcomes", {"item": "a", "outcome": outcome, "seats": seats, "rejected": rejected}


def fold(*rows: tuple[str, dict[str, Any]]) -> RunState:
    state = RunState()
    for kind, row in rows:
        state.add(kind, row)
    return state


BEGIN = (HIT, answer("X1"), answer("X2"), closing("settled", 2, 0))
STORY = (*BEGIN, rejection("X2"), extension(3, "X2"), answer("X3"), closing("settled", 3, 1))


def test_the_story_of_an_item() -> None:
    assert fold(*BEGIN).outcomes == {"a": Outcome.SETTLED}
    assert fold(*STORY[:5]).open_items == ["a"], "rejected, and its seat not open yet"
    assert fold(*STORY[:6]).open_items == ["a"]
    assert fold(*STORY).outcomes == {"a": Outcome.SETTLED}
    assert [row["assignment"] for row in fold(*STORY).counted("a")] == ["X1", "X3"]


def test_a_seat_that_is_opened_after_the_item_ended_again_opens_it() -> None:
    ended = (*STORY[:5], closing("settled", 2, 1))
    assert fold(*ended).outcomes == {"a": Outcome.SETTLED}
    assert fold(*ended, extension(3, "X2")).open_items == ["a"]


def test_an_end_may_be_among_the_reservations_whose_numbers_it_shares() -> None:
    _, row = closing("settled", 2, 0)
    ended = fold(*BEGIN[:3], ("reservations", row | {"number": 4}))
    assert (ended.outcomes, ended.reservations, ended.reserved) == ({"a": Outcome.SETTLED}, 5, {})
    assert fold(*BEGIN[:3], ("reservations", row | {"number": 4}), rejection("X2")).open_items == ["a"]


def test_a_hit_that_is_gone_stays_gone() -> None:
    assert fold(HIT, answer("X1"), closing("lost", 2, 0), rejection("X1")).outcomes == {"a": Outcome.LOST}


def test_rows_without_what_they_rest_on_are_taken_back_by_a_rejection_only() -> None:
    old = ("outcomes", {"item": "a", "outcome": "settled"})
    assert fold(HIT, old).outcomes == {"a": Outcome.SETTLED}
    assert fold(HIT, old, rejection("X1")).outcomes == {}


def test_closings_say_what_they_rest_on() -> None:
    state = fold(*STORY[:6])
    assert state.closing("a", Outcome.SETTLED) == {
        "item": "a",
        "outcome": "settled",
        "seats": 3,
        "rejected": 1,
    }


@given(st.integers(0, len(STORY)), st.randoms(use_true_random=False))
def test_any_part_of_the_story_in_any_order(length: int, order: Any) -> None:
    told = [*STORY[:length], *STORY[: length // 2]]
    order.shuffle(told)
    state, straight = fold(*told), fold(*STORY[:length])
    assert (state.outcomes, state.seats, state.counted("a")) == (
        straight.outcomes,
        straight.seats,
        straight.counted("a"),
    )
