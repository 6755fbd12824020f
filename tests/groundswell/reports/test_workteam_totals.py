"""Totals by metrics: the documentation's example, overlapping sets of dimensions, days of 23 and 25 hours."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.reports import schema
from groundswell.reports.days import bounds, days
from groundswell.reports.workteam import (
    Point,
    Seen,
    jobs_named,
    likely_dimensions,
    period_for,
    seen,
    totals,
)

UTC_ZONE = ZoneInfo("UTC")
DAY = date(2026, 11, 10)
NOON = int(datetime(2026, 11, 10, 12, tzinfo=UTC).timestamp())
WORKER = {"CognitoUserPool": "us-east-1_a", "LabelingJob": "cats", "WorkerId": "ann"}


def point(metric: str, value: float, at: int = NOON, period: int = 3600, **dimensions: str) -> Point:
    return {"metric": metric, "dimensions": dimensions, "at": at, "period": period, "sum": value}


def read(
    points: Any, day: date = DAY, zone: ZoneInfo = UTC_ZONE, **more: Any
) -> dict[tuple[str, ...], float]:
    table, problems = totals(points, day, zone, **more)
    assert problems == []
    assert list(table.columns) == schema.WORKTEAM.names
    keys = table[["job", "team", "worker", "measure"]].itertuples(index=False, name=None)
    return dict(zip(keys, table["value"], strict=True))


def test_documented_example() -> None:
    """14 tasks that took 136.92 s: 2.28 minutes in total, 9.78 seconds per task."""
    found = read(
        [
            *(point("TasksSubmitted", 1, NOON + 60 * n, 60, **WORKER) for n in range(14)),
            *(point("TimeSpent", 9.78, NOON + 60 * n, 60, **WORKER) for n in range(14)),
        ]
    )
    spent, tasks = found["cats", "", "ann", "active_seconds"], found["cats", "", "ann", "submitted"]
    assert (spent, tasks) == (136.92, 14)
    assert (round(spent / 60, 2), round(spent / tasks, 2)) == (2.28, 9.78)


def test_all_measures() -> None:
    names = [
        "TasksAccepted",
        "TasksSubmitted",
        "TasksReturned",
        "TasksDeclined",
        "TimeSpent",
        "ActiveWorkers",
    ]
    points = [point(name, 2.0 + n, **WORKER) for n, name in enumerate(names)]
    found = read([*points, point("SomethingNew", 1, **WORKER), point("TasksSubmitted", 9)])
    assert {measure: value for (*_, measure), value in found.items()} == {
        "accepted": 2,
        "submitted": 3,
        "returned": 4,
        "declined": 5,
        "active_seconds": 6,
        "active_workers": 1,  # one worker, however often CloudWatch counted them
    }


def test_finest_set_only() -> None:
    by_job = point("TasksSubmitted", 30, LabelingJob="cats")
    by_team = point("TasksSubmitted", 30, LabelingJob="cats", Workteam="blue")
    by_worker = [point("TasksSubmitted", 10, LabelingJob="cats", WorkerId=name) for name in "abc"]
    everything = [point("TasksSubmitted", 99, Workteam="blue"), point("TasksSubmitted", 99, WorkerId="a")]
    assert sum(read([by_job]).values()) == 30
    assert read([by_job, by_team]) == {("cats", "blue", "", "submitted"): 30}
    assert read([by_job, by_team, *by_worker, *everything]) == {
        ("cats", "blue", name, "submitted"): 10 for name in "abc"
    }
    assert read(everything) == {("", "", "a", "submitted"): 99}
    assert read(everything[:1]) == {("", "blue", "", "submitted"): 99}


def test_sets_are_chosen_by_job_and_measure() -> None:
    found = read(
        [
            point("TasksSubmitted", 5, LabelingJob="cats", WorkerId="a"),
            point("TasksSubmitted", 5, LabelingJob="cats"),
            point("TasksSubmitted", 7, LabelingJob="dogs"),
            point("TimeSpent", 60, LabelingJob="cats"),
        ]
    )
    assert found == {
        ("cats", "", "a", "submitted"): 5,
        ("dogs", "", "", "submitted"): 7,
        ("cats", "", "", "active_seconds"): 60,
    }


def test_of_two_sets_that_name_the_worker_the_longer_one() -> None:
    short = point("TasksSubmitted", 5, LabelingJob="cats", WorkerId="ann")
    long = point("TasksSubmitted", 4, **WORKER)
    table, _ = totals([short, long], DAY, UTC_ZONE)
    assert list(table["value"]) == [4]
    assert list(table["dimensions"]) == ["CognitoUserPool LabelingJob WorkerId"]


def test_the_team_of_a_job_is_taken_from_elsewhere() -> None:
    worker = point("TasksSubmitted", 5, LabelingJob="cats", WorkerId="ann")
    arn = "arn:aws:sagemaker:us-east-1:1:workteam/private-crowd/blue"
    assert read([worker], teams={"cats": "red"}) == {("cats", "red", "ann", "submitted"): 5}
    team = point("TasksAccepted", 5, LabelingJobName="cats", WorkteamArn=arn)
    found = read([worker, team], teams={"cats": "red"})
    assert found == {("cats", "blue", "ann", "submitted"): 5, ("cats", "blue", "", "accepted"): 5}
    other = point("TasksAccepted", 5, LabelingJob="cats", Workteam="green")
    assert ("cats", "", "ann", "submitted") in read([worker, team, other], teams={"cats": "red"})


def test_teams_that_share_a_job_are_told_apart_by_their_workers() -> None:
    points = [
        point("TasksSubmitted", 1, LabelingJob="cats", WorkerId=name) for name in ("ann", "bob", "cid", "dan")
    ]
    workers = [
        Seen("cats", "blue", "ann", ""),
        Seen("cats", "green", "bob", ""),
        Seen("cats", "blue", "cid", ""),
        Seen("cats", "green", "cid", ""),
        Seen("dogs", "blue", "dan", ""),
    ]
    for some in (workers, workers[::-1]):
        teams = {worker: team for _, team, worker, _ in read(points, workers=some)}
        assert teams == {"ann": "blue", "bob": "green", "cid": "", "dan": ""}


def test_bad_values_are_counted() -> None:
    points = [
        point("TasksSubmitted", 1, **WORKER),
        point("TasksSubmitted", -1, NOON + 3600, **WORKER),
        point("TimeSpent", math.nan, **WORKER),
        point("TimeSpent", math.inf, **WORKER),
        point("TimeSpent", 1, NOON - 43_200 - 1800, **WORKER),
        point("TimeSpent", 1, NOON - 43_200 - 3600, **WORKER),
        point("TimeSpent", 1, NOON + 43_200, **WORKER),
    ]
    table, problems = totals(points, DAY, UTC_ZONE)
    assert list(table["value"]) == [1]
    assert {(problem.kind, problem.count) for problem in problems} == {
        ("not a count", 3),
        ("period across midnight", 1),
    }
    assert all("ann" not in problem.example for problem in problems)


def test_no_points() -> None:
    table, problems = totals([], DAY, UTC_ZONE)
    assert (len(table), problems) == (0, [])
    assert list(table.columns) == schema.WORKTEAM.names


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Asia/Kolkata", date(2026, 3, 29), 24),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("America/St_Johns", date(2026, 3, 8), 23),
    ],
)
def test_days_with_other_midnights(zone: str, day: date, hours: float) -> None:
    """Each period of a week counts on exactly one day, and a day has as many as it is long."""
    info = ZoneInfo(zone)
    start, end = bounds(day, day, info)
    period = period_for(day, info, end)
    assert period is not None
    assert (end - start) == timedelta(hours=hours)
    first, last = day - timedelta(days=3), day + timedelta(days=3)
    begin, until = (int(moment.timestamp()) for moment in bounds(first, last, info))
    points = [point("TasksSubmitted", 1, at, 1800, **WORKER) for at in range(begin, until, 1800)]
    by_day = {each: sum(read(points, each, info).values()) for each in days(first, last)}
    assert by_day[day] == hours * 2
    assert sum(by_day.values()) == len(points)


@pytest.mark.parametrize(
    ("zone", "age", "period"),
    [
        ("UTC", 1, 3600),
        ("UTC", 40, 3600),
        ("UTC", 400, 3600),
        ("UTC", 500, None),
        ("Asia/Kolkata", 1, 1800),
        ("Asia/Kolkata", 62, 1800),
        ("Asia/Kolkata", 64, None),
        ("Asia/Kathmandu", 62, 900),
        ("Africa/Monrovia", 1, 3600),
    ],
)
def test_period_by_zone_and_age(zone: str, age: int, period: int | None) -> None:
    start, _ = bounds(DAY, DAY, ZoneInfo(zone))
    assert period_for(DAY, ZoneInfo(zone), start + timedelta(days=age)) == period


def test_jobs_that_points_name() -> None:
    assert jobs_named([]) == set()
    assert jobs_named([point("TimeSpent", 1, WorkerId="a")]) is None
    assert jobs_named([point("TimeSpent", 1, WorkerId="a"), point("TimeSpent", 1, **WORKER)]) == {"cats"}


def test_likely_dimensions_of_who_was_seen() -> None:
    rows = schema.ACTIVITY.frame(
        {"job": ["cats", "cats"], "team": ["t", "t"], "worker": ["ann", "ann"], "pool": ["p", "p"]}
    )
    who = seen(rows)
    assert who == {Seen("cats", "t", "ann", "p")}
    shapes = [("WorkerId", "LabelingJob"), ("LabelingJob", "WorkerId"), ("Region", "LabelingJob")]
    assert likely_dimensions(shapes, who) == {(("LabelingJob", "cats"), ("WorkerId", "ann"))}
    assert likely_dimensions([("UserPool", "WorkerId")], [Seen("cats", "t", "ann", "")]) == set()


NAME = st.sampled_from(["a", "b", ""])


@settings(max_examples=60)
@given(st.lists(st.tuples(NAME, NAME, NAME, st.integers(0, 5)), max_size=20), st.randoms())
def test_overlapping_sets_are_never_added(events: list[tuple[str, str, str, int]], random: Any) -> None:
    """Whatever sets each event was published under, the total of a job is the number of its events."""
    import pandas as pd

    published: dict[tuple[tuple[str, str], ...], int] = {}
    shapes = [
        ("LabelingJob",),
        ("LabelingJob", "Workteam"),
        ("LabelingJob", "Workteam", "WorkerId"),
        ("WorkerId",),
    ]
    expected: dict[str, int] = {}
    for job, team, worker, count in events:
        named = {"LabelingJob": f"job-{job}", "Workteam": f"team-{team}", "WorkerId": f"w-{worker}"}
        expected[named["LabelingJob"]] = expected.get(named["LabelingJob"], 0) + count
        for shape in shapes:
            key = tuple((name, named[name]) for name in shape)
            published[key] = published.get(key, 0) + count
    points = [point("TasksAccepted", value, **dict(key)) for key, value in published.items()]
    random.shuffle(points)
    table, _ = totals(pd.DataFrame(points), DAY, UTC_ZONE)
    assert table.groupby("job")["value"].sum().to_dict() == expected
    again, _ = totals(sorted(points, key=str), DAY, UTC_ZONE)
    pd.testing.assert_frame_equal(table, again)
