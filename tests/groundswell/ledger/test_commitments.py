"""What a run may still have to pay, and when the money that ended is there again."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.ledger import Outcome, RunState
from groundswell.ledger.commitments import committed_cents, possible_cents, unmet_answers

LATER = "2026-11-22T00:00:00+00:00"
Rows = list[tuple[str, dict[str, Any]]]


def hit(item: str, seats: int = 2) -> tuple[str, dict[str, Any]]:
    row = {"item": item, "hit": f"3{item}", "hit_type": "3T", "seats": seats, "expires": LATER}
    return "hits", row


def answer(item: str, number: int, *, paid: bool = True) -> Rows:
    name = f"{item}{number}"
    row = {"assignment": name, "item": item, "worker": "A1", "submitted": LATER, "label": "x"}
    rows: Rows = [("answers", row)]
    if paid:
        rows.append(("payments", {"assignment": name, "item": item, "cents": 6, "at": LATER}))
    return rows


def reservation(item: str, seats: int, number: int, **more: Any) -> tuple[str, dict[str, Any]]:
    return "reservations", {"token": f"{item}{seats}", "item": item, "seats": seats, "number": number, **more}


def extension(item: str, seats: int) -> tuple[str, dict[str, Any]]:
    return "extensions", {"item": item, "seats": seats, "expires": LATER}


def closed(item: str, outcome: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "outcomes", {"item": item, "outcome": outcome, **more}


def fold(rows: Rows) -> RunState:
    state = RunState()
    for kind, row in rows:
        state.add(kind, row)
    return state


@pytest.mark.parametrize(
    ("rows", "committed", "possible"),
    [
        ([], 0, 0),
        ([hit("a")], 12, 30),
        ([hit("a"), *answer("a", 1)], 12, 30),
        ([hit("a"), *answer("a", 1, paid=False)], 12, 30),
        ([hit("a"), reservation("a", 3, 0)], 18, 30),
        ([hit("a"), extension("a", 3)], 18, 30),
        ([hit("a", 7)], 42, 42),
        ([hit("a"), *answer("a", 1), closed("a", "expired")], 6, 6),
        ([hit("a"), *answer("a", 1, paid=False), closed("a", "expired")], 6, 6),
        ([hit("a"), *answer("a", 1, paid=False), closed("a", "lost")], 0, 0),
        ([hit("a"), *answer("a", 1), *answer("a", 2, paid=False), ("deletions", {"item": "a"})], 6, 6),
        (
            [
                hit("a"),
                *answer("a", 1),
                *answer("a", 2, paid=False),
                ("rejections", {"assignment": "a2", "item": "a", "worker": "A1", "at": LATER}),
            ],
            *(6, 30),
        ),
        (
            [hit("a"), ("bonuses", {"token": "t", "cents": 10, "fee_cents": 2, "at": LATER})],
            *(24, 42),
        ),
    ],
)
def test_what_may_still_be_owed(rows: Rows, committed: int, possible: int) -> None:
    state = fold(rows)
    if any(kind == "deletions" for kind, _ in rows):
        state.add(*closed("a", "settled"))
    assert committed_cents(state, 6) == committed
    assert possible_cents(state, 6, 5) == possible


def test_the_seat_of_a_rejected_answer_counts_from_its_reservation() -> None:
    rejected = {"assignment": "a2", "item": "a", "worker": "A1", "at": LATER}
    rows = [hit("a"), *answer("a", 1), *answer("a", 2, paid=False), ("rejections", rejected)]
    done = closed("a", "settled", seats=2, rejected=1)
    replacing = reservation("a", 3, 0, replaces="a2")
    assert committed_cents(fold([*rows, done]), 6) == 6
    assert committed_cents(fold([*rows, done, replacing]), 6) == 12


BUDGET = closed("a", "budget", seats=2, number=1)
OVER = [hit("a"), *answer("a", 1), *answer("a", 2), BUDGET]


@pytest.mark.parametrize(
    ("later", "open_again"),
    [
        ([], False),
        ([reservation("a", 3, 0)], False),  # it was known when the money was found to have ended
        ([reservation("a", 3, 1)], True),
        ([reservation("b", 3, 1)], False),
        ([extension("a", 3)], True),
        ([extension("a", 2)], False),
        ([reservation("a", 3, 1), closed("a", "budget", seats=2, number=2)], False),
        ([extension("a", 3), closed("a", "budget", seats=3, number=2)], False),
        ([reservation("a", 3, 1), closed("a", "settled", seats=3)], False),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_money_that_came_back_opens_the_item_in_any_order(later: Rows, open_again: bool, seed: int) -> None:
    rows = [*OVER, *later]
    random.Random(seed).shuffle(rows)
    state = fold(rows)
    assert (state.open_items == ["a"]) is open_again
    assert fold([*rows, *rows]).outcomes == state.outcomes


def test_a_closing_of_an_older_version_gives_way_to_a_reservation_with_a_number() -> None:
    rows = [hit("a"), closed("a", "budget")]
    older = ("reservations", {"token": "a3", "item": "a", "seats": 3})
    assert fold([*rows, older]).out_of_money == ["a"], "nobody knows which came first"
    assert fold([*rows, older, reservation("a", 3, 7)]).open_items == ["a"]


def test_only_items_whose_hits_are_there_can_be_taken_up() -> None:
    assert fold(OVER).out_of_money == ["a"]
    assert fold([*OVER, ("deletions", {"item": "a"})]).out_of_money == []
    assert fold([*OVER, closed("a", "settled")]).out_of_money == []


def test_what_was_reserved_and_not_yet_extended_is_half_open() -> None:
    assert fold([*OVER, reservation("a", 3, 1)]).half_opened == ["a"]
    assert fold([*OVER, reservation("a", 3, 1), extension("a", 3)]).half_opened == []
    assert fold([hit("a"), reservation("a", 3, 1)]).half_opened == [], "its HIT is listed by itself"


def test_the_closing_says_how_many_reservations_were_known() -> None:
    state = fold([hit("a"), hit("b"), reservation("b", 3, 4)])
    row = state.closing("a", Outcome.BUDGET)
    assert (row["number"], row["seats"]) == (5, 2)
    assert "number" not in state.closing("a", Outcome.SETTLED)


def test_what_items_that_were_given_up_may_need() -> None:
    state = fold([*OVER, hit("b"), closed("b", "settled"), hit("c", 6), closed("c", "budget", seats=6)])
    assert unmet_answers(state, 5) == {"a": 3, "c": 1}


@given(st.lists(st.sampled_from([*OVER, reservation("a", 3, 1), extension("a", 3), hit("b")])))
def test_spent_is_committed_and_committed_is_possible(rows: Rows) -> None:
    state = fold([hit("a"), *rows])
    assert state.spent_cents <= committed_cents(state, 6) <= possible_cents(state, 6, 5)
