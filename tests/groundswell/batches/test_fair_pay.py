"""What workers earn per hour, and when that is too little."""

from __future__ import annotations

import json
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.batches.pay import Pace, hourly_cents, judge_pay

seconds = st.lists(st.integers(min_value=0, max_value=999), min_size=1, max_size=30)


@given(seconds)
def test_the_median_is_that_of_the_times(times: list[int]) -> None:
    pace = Pace.of(times)
    assert pace.n == len(times)
    assert pace.median == max(1.0, statistics.median(times))


@given(seconds, seconds)
def test_runs_add_up_and_survive_being_written(one: list[int], two: list[int]) -> None:
    total = Pace.of(one) + Pace.read(json.loads(json.dumps(Pace.of(two).document())))
    assert (total.n, total.median) == (len(one + two), Pace.of(one + two).median)


@given(st.integers(min_value=0, max_value=10**7))
def test_long_times_keep_three_digits(time: int) -> None:
    median = Pace.of([time]).median
    assert median is not None
    assert median <= max(1, time) <= max(1.0, median * 1.01 + 1)


def test_no_answers_no_pace() -> None:
    assert Pace.of([]).median is None
    assert Pace.read({}).n == 0
    assert Pace.of([-3]).median == 1.0, "clocks of two machines"


@pytest.mark.parametrize(("reward", "time", "hourly"), [(5, 30, 600), (5, 22.5, 800), (12, 60, 720)])
def test_dollars_per_hour(reward: int, time: float, hourly: int) -> None:
    assert hourly_cents(reward, time) == hourly


def test_no_time_at_all() -> None:
    with pytest.raises(ValueError, match="takes some time"):
        hourly_cents(5, 0)


def test_what_earlier_answers_say_comes_first() -> None:
    pay = judge_pay(5, Pace.of([30] * 3), expected_seconds=10, minimum_cents=600)
    assert (pay.hourly_cents, pay.low) == (600, False)
    assert pay.text == "pays $6.00 per hour (median of 30 s over 3 answers)"


def test_too_little_is_said_with_what_would_be_enough() -> None:
    pay = judge_pay(5, Pace.of([]), expected_seconds=30, minimum_cents=800)
    assert (pay.hourly_cents, pay.low) == (600, True)
    assert pay.text == (
        "pays $6.00 per hour (task.expected_time of 30 s), BELOW spend.minimum_hourly of $8.00: $0.07 would "
        "meet it"
    )


@given(
    st.integers(min_value=1, max_value=500),
    st.integers(min_value=1, max_value=5000),
    st.integers(min_value=0, max_value=5000),
)
def test_the_reward_that_is_named_is_enough_and_the_smallest(reward: int, time: int, minimum: int) -> None:
    pay = judge_pay(reward, Pace.of([]), expected_seconds=time, minimum_cents=minimum)
    assert pay.low == (hourly_cents(reward, time) < minimum)
    if pay.low:
        enough = int(pay.text.rpartition("$")[2].partition(" ")[0].replace(".", "").replace(",", ""))
        assert hourly_cents(enough, time) >= minimum > hourly_cents(enough - 1, time)


def test_nobody_is_warned_where_nothing_is_known_or_wanted() -> None:
    unknown = judge_pay(1, Pace.of([]), expected_seconds=None, minimum_cents=800)
    assert (unknown.hourly_cents, unknown.low) == (None, False)
    assert "unknown" in unknown.text
    assert judge_pay(1, Pace.of([3600]), expected_seconds=None, minimum_cents=None).low is False
