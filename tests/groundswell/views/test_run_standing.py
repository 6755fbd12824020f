"""What a folded record says of a run: each number against its definition."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.ledger import RunState
from groundswell.views.standing import MOST_POINTS, prolonged, standing

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ago(**before: float) -> str:
    return (NOW - timedelta(**before)).isoformat(timespec="seconds")


def state_of(answers: list[tuple[str, str, str | None, str]], seats: int = 3) -> RunState:
    """Answers are (item, worker, label, submitted)."""
    state = RunState()
    for item in {each[0] for each in answers}:
        row = {"item": item, "hit": f"H{item}", "hit_type": "T", "seats": seats, "expires": "2030"}
        state.add("hits", row)
    for number, (item, worker, label, submitted) in enumerate(answers):
        row = {"assignment": f"A{number}", "item": item, "worker": worker, "label": label}
        state.add("answers", row | {"submitted": submitted})
    return state


class TestAgreement:
    def test_share_of_answers_that_equal_the_leading_label(self) -> None:
        answers = [("a", "1", "x"), ("a", "2", "x"), ("a", "3", "y"), ("b", "1", "x"), ("b", "2", "y")]
        found = standing(state_of([(*each, ago(days=1)) for each in answers]), NOW)
        assert found["agreement"] == 0.6

    def test_single_unreadable_and_rejected_answers_do_not_count(self) -> None:
        answers = [("a", "1", "x"), ("b", "1", "x"), ("b", "2", None), ("c", "1", "x"), ("c", "2", "y")]
        state = state_of([(*each, ago(days=1)) for each in answers])
        state.add("rejections", {"assignment": "A4", "item": "c", "worker": "2", "at": ago(hours=1)})
        assert standing(state, NOW)["agreement"] is None
        state.add("payments", {"assignment": "A4", "item": "c", "cents": 6, "at": ago(hours=1)})
        assert standing(state, NOW)["agreement"] == 0.5, "the rejection was taken back"


class TestPaceAndWorkers:
    def test_the_last_hour_and_the_last_quarter(self) -> None:
        times = [ago(minutes=61), ago(minutes=60), ago(minutes=59), ago(minutes=14), ago(minutes=1)]
        answers = [("a", worker, "x", time) for worker, time in zip("12345", times, strict=True)]
        found = standing(state_of([*answers, ("b", "5", None, ago(minutes=2))]), NOW)
        assert (found["pace"], found["active_workers"]) == (4, 2)

    def test_nobody_there(self) -> None:
        found = standing(state_of([("a", "1", "x", ago(days=2))]), NOW)
        assert (found["pace"], found["eta"], found["active_workers"]) == (None, None, 0)


class TestForecast:
    def test_open_seats_over_the_pace(self) -> None:
        answers = [("a", "1", "x", ago(minutes=30)), ("b", "1", "x", ago(minutes=30))]
        assert standing(state_of(answers), NOW)["eta"] == ago(hours=-2), "four seats, two answers in the hour"

    def test_expected_extensions(self) -> None:
        state = state_of([("a", str(number), "x", ago(minutes=9)) for number in range(5)], seats=3)
        state.add("hits", {"item": "b", "hit": "Hb", "hit_type": "T", "seats": 3, "expires": "2030"})
        state.add("outcomes", {"item": "a", "outcome": "settled"})
        # 3 seats, and 2 more as the item that is done needed 5
        assert standing(state, NOW)["eta"] == ago(hours=-1)

    def test_a_young_run_is_not_taken_for_a_slow_one(self) -> None:
        state = state_of([("a", "1", "x", ago(minutes=5)), ("b", "1", "x", ago(minutes=5))])
        state.add("intents", {"token": "t", "at": ago(minutes=10)})
        assert standing(state, NOW)["eta"] == ago(minutes=-20)

    def test_none_where_nothing_is_open(self) -> None:
        state = state_of([("a", "1", "x", ago(minutes=5))])
        state.add("outcomes", {"item": "a", "outcome": "expired"})
        found = standing(state, NOW)
        assert (found["eta"], found["given_up_by"]) == (None, {"expired": 1})


def point(second: int, answers: int, **others: Any) -> dict[str, Any]:
    at = (NOW + timedelta(seconds=second)).isoformat(timespec="seconds")
    return {"at": at, "answers": answers, "settled": 0, "spent_cents": 0} | others


class TestTimeline:
    def test_it_stays_bounded_keeps_both_ends_and_thins_evenly(self) -> None:
        points: list[dict[str, Any]] = []
        for second in range(0, 60_000, 60):
            points = prolonged(points, point(second, second))
        assert len(points) == MOST_POINTS
        assert (points[0], points[-1]) == (point(0, 0), point(59_940, 59_940))
        gaps = [later["answers"] - each["answers"] for each, later in itertools.pairwise(points)]
        assert max(gaps) <= 2 * 60_000 / MOST_POINTS + 60

    def test_a_twin_that_saw_less_leaves_no_step_back(self) -> None:
        points = prolonged([point(0, 1), point(1, 5), point(2, 9)], point(3, 6))
        assert [each["answers"] for each in points] == [1, 5, 6]
        assert [each["answers"] for each in prolonged(points, point(3, 7))] == [1, 5, 7]

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), min_size=1, max_size=30))
    def test_it_always_rises(self, steps: list[tuple[int, int]]) -> None:
        points: list[dict[str, Any]] = []
        for second, answers in steps:
            points = prolonged(points, point(second, answers))
        assert points[-1] == point(*steps[-1])
        for each, later in itertools.pairwise(points):
            assert each["at"] < later["at"]
            assert each["answers"] <= later["answers"]

    def test_what_is_no_point_is_passed_over(self) -> None:
        damaged = [None, 3, {}, {"at": "2026"}, point(0, True), point(1, 2, at=7), {**point(1, 2), "at": "x"}]
        for earlier in (damaged, None, "text", {"a": 1}):
            assert prolonged(earlier, point(5, 2)) == [point(5, 2)]
