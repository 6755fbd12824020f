"""Which days a run of the reports writes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from groundswell.aws.reporting.window import Window, plan
from tests.groundswell.aws.reporting.private_days import reports_in

NOW = datetime(2026, 11, 20, 6, 1, tzinfo=UTC)


def days(
    tmp_path: Path, settings: str = "", *, now: datetime = NOW, interval: Any = None, **params: Any
) -> list[str]:
    reports = reports_in(tmp_path, settings)
    window = plan(reports.settings, reports.store, params, interval, now)
    assert Window.of(window.as_xcom()) == window
    return [f"{day}{'?' if day in window.provisional else ''}" for day in window.days]


def at(day: int, hour: int = 6) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def test_a_daily_run_writes_the_day_before_and_those_that_may_have_changed(tmp_path: Path) -> None:
    due = ["2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19"]
    assert days(tmp_path, interval=(at(19), at(20))) == due
    assert days(tmp_path) == due, "a run without a data interval"
    assert days(tmp_path, "late_days: 0", interval=(at(19), at(20))) == ["2026-11-19"]
    assert days(tmp_path, interval=(at(9), at(10))) == [
        "2026-11-06",
        "2026-11-07",
        "2026-11-08",
        "2026-11-09",
    ]


def test_nothing_before_the_start_is_due(tmp_path: Path) -> None:
    assert days(tmp_path, interval=(at(1), at(2))) == ["2026-11-01"]
    assert days(tmp_path, interval=(at(2), at(3))) == ["2026-11-01", "2026-11-02"]
    october = datetime(2026, 10, 20, 6, tzinfo=UTC)
    assert days(tmp_path, interval=(october, october + timedelta(days=1))) == ["2026-10-20"], "a backfill"


def test_longer_and_shorter_intervals(tmp_path: Path) -> None:
    week = days(tmp_path, "late_days: 1", interval=(at(9), at(16)))
    assert (week[0], week[-1], len(week)) == ("2026-11-08", "2026-11-15", 8)
    assert days(tmp_path, "late_days: 0", interval=(at(20, 1), at(20, 2))) == ["2026-11-19"]


def test_days_are_those_of_the_reports_time_zone(tmp_path: Path) -> None:
    zone = "time_zone: Pacific/Auckland\nlate_days: 0"
    morning = datetime(2026, 11, 19, 17, tzinfo=UTC)  # 06:00 on the 20th
    assert days(tmp_path, zone, interval=(morning - timedelta(days=1), morning)) == ["2026-11-19"]
    assert days(tmp_path, zone, now=morning, from_day="2026-11-20", to_day="2026-11-20") == ["2026-11-20?"]


def test_an_operator_may_ask_for_days(tmp_path: Path) -> None:
    assert days(tmp_path, from_day="2026-11-03", to_day="2026-11-04", interval=(at(19), at(20))) == [
        "2026-11-03",
        "2026-11-04",
    ]
    assert days(tmp_path, from_day="2026-11-18") == ["2026-11-18", "2026-11-19"]
    assert days(tmp_path, to_day="2026-11-18") == ["2026-11-18"]
    assert days(tmp_path, from_day="2026-11-20") == ["2026-11-20?"], "today, which is not over"
    assert days(tmp_path, from_day=None, to_day=None, interval=(at(19), at(20)))[-1] == "2026-11-19"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"from_day": "2026-11-05", "to_day": "2026-11-04"},
            "from_day: 2026-11-05 is after to_day, 2026-11-04",
        ),
        (
            {"to_day": "2026-11-21"},
            "to_day: 2026-11-21 has not begun in UTC; the last day to ask for is 2026-11-20",
        ),
        ({"from_day": "2026-11-21"}, "to_day: 2026-11-21 has not begun"),
        ({"from_day": "yesterday"}, "from_day: 'yesterday' is no day; write it as 2026-11-21"),
        ({"from_day": "2020-01-01", "to_day": "2026-01-01"}, "from_day: 2193 days are more than 400"),
    ],
)
def test_days_that_make_no_sense_are_named(tmp_path: Path, params: dict[str, str], message: str) -> None:
    with pytest.raises(AirflowFailException, match=message):
        days(tmp_path, **params)


def test_days_that_only_runs_of_batches_change_are_told_apart(tmp_path: Path) -> None:
    reports = reports_in(tmp_path, "late_days: 0")
    changed = [date(2026, 11, 3), date(2026, 11, 19)]
    window = plan(reports.settings, reports.store, {}, (at(19), at(20)), NOW, changed=changed)
    assert window.days == (date(2026, 11, 3), date(2026, 11, 19))
    assert window.extra == {date(2026, 11, 3)}, "the other one is due anyway"
    assert window.due == Window((date(2026, 11, 19),), frozenset(), NOW)
    assert Window.of(window.as_xcom()) == window
    reports.store.publish(date(2026, 11, 19), {}, "d", {}, kind="sealed", sealed="inputs")
    window = plan(reports.settings, reports.store, {}, (at(19), at(20)), NOW, changed=changed[:1])
    assert (window.days, window.due.days) == ((date(2026, 11, 3),), ()), "nothing else is due"


def test_a_window_knows_its_ends() -> None:
    window = Window((date(2026, 11, 1), date(2026, 11, 2)), frozenset(), NOW)
    assert (window.first, window.last) == (date(2026, 11, 1), date(2026, 11, 2))
    assert Window.of(window.as_xcom()[1:]).days == (date(2026, 11, 2),)
