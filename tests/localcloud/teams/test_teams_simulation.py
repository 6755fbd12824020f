"""The simulation: the same for the same plan, as documented, and adding up to its truth."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from statistics import median, stdev
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.sagemaker.logs import batches
from localcloud.teams import Event, Plan, default_plan, simulate, truth_of
from localcloud.teams.delivery import metric_requests
from localcloud.teams.example import Example, example_plan
from localcloud.teams.metrics import LABELING_JOBS, WORKTEAM, Points, points_of
from localcloud.teams.people import people_of
from localcloud.teams.simulation import Simulation, days_of, start_ms

FRIDAY = date(2026, 11, 20)
FIELDS = """
    worker_id cognito_user_pool_id cognito_sub_id task_accepted_time task_submitted_time task_returned_time
    task_declined_time workteam_arn labeling_job_arn work_requester_account_id job_reference_code job_type
    event_type event_timestamp
""".split()  # noqa: SIM905
MOMENT = "%a %b %d %H:%M:%S UTC %Y"
QUIET = {
    "duplicates": 0,
    "late": 0,
    "malformed": 0,
    "unknown_type": 0,
    "clock_ahead": 0,
    "clock_skew": 0,
    "deleted": 0,
    "too_fast": 0,
    "too_uniform": 0,
    "sudden_drop": 0,
    "missed_metrics": 0,
}
NOISY = {"duplicates": 0.05, "late": 0.05, "malformed": 0.04, "unknown_type": 0.02, "clock_ahead": 0.02}


def small(workers: int = 9, *, seed: int = 7, days: int = 2, **oddities: Any) -> Plan:
    plan = default_plan(workers, 3, until=FRIDAY, days=days, seed=seed)
    return plan.replace(oddities={**dict(plan.oddities), **oddities})


def epoch(text: str) -> int:
    return int(datetime.strptime(text, MOMENT).replace(tzinfo=UTC).timestamp())


def read(message: str) -> tuple[tuple[str, ...], str, int, int] | None:
    """Read a line as its documentation says, without the code under test; None when it is malformed."""
    try:
        line = json.loads(message)
        kind = line["event_type"].removeprefix("Tasks").lower()
        at = epoch(line[f"task_{kind}_time"])
        accepted = epoch(line["task_accepted_time"])
        job = line["labeling_job_arn"].split("/")[1]
        team = line["workteam_arn"].split("/")[2]
    except (ValueError, KeyError, TypeError):
        return None
    return (team, job, line["cognito_sub_id"]), kind, at, accepted


def report(events: Iterable[Event], zone: str) -> dict[tuple[Any, ...], Counter[str]]:
    """Count as a careful report would: what is malformed, of the future or delivered twice does not count."""
    counts: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    seen = set()
    for event in events:
        found = read(event.message)
        if event.message in seen or found is None or found[2] * 1000 > event.timestamp_ms + 3_600_000:
            continue
        seen.add(event.message)
        (team, job, worker), kind, at, accepted = found
        day = datetime.fromtimestamp(at, ZoneInfo(zone)).date()
        count = counts[day, team, job, worker]
        count[kind] += 1
        if kind == "submitted" and at >= accepted:
            count.update({"timed": 1, "seconds": at - accepted})
    return counts


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    zone=st.sampled_from(["UTC", "Asia/Kolkata", "America/Denver", "Pacific/Auckland"]),
    odd=st.sampled_from([QUIET, NOISY]),
)
def test_the_truth_is_what_the_lines_say(seed: int, zone: str, odd: dict[str, float]) -> None:
    plan = small(6, seed=seed, **{**odd, "clock_skew": 1})
    truth = truth_of(plan, zone)
    events = list(simulate(plan))
    expected = {
        (key[0], key[1], key[2], key[4]): {
            name: getattr(row, name)
            for name in ("accepted", "submitted", "returned", "declined", "timed", "seconds")
            if getattr(row, name)
        }
        for key, row in truth.rows.items()
    }
    assert {k: dict(v) for k, v in report(events, zone).items()} == {k: v for k, v in expected.items() if v}
    assert truth.lines == len(events)
    first = [event for event in events if not event.copy]
    assert truth.problems["duplicates"] == len(events) - len(first)
    faults = Counter(event.fault for event in first)
    for kind in ("malformed", "clock_ahead", "clock_skew"):
        assert truth.problems[kind] == faults[kind]
    assert truth.problems["malformed"] == sum(read(e.message) is None for e in first if e.kind != "unknown")
    assert truth.problems["unknown_type"] == sum(e.kind == "unknown" for e in first)


def test_the_same_plan_gives_the_same_events() -> None:
    assert list(simulate(small())) == list(simulate(small()))
    assert list(simulate(small(seed=8))) != list(simulate(small()))


def test_days_do_not_depend_on_the_window() -> None:
    whole = {event for event in simulate(small(days=3, late=0.0)) if event.timestamp_ms >= start_ms(FRIDAY)}
    assert whole == set(simulate(small(days=1, late=0.0)))
    simulation = Simulation(small(days=3, late=0.1))
    parts = [
        event
        for day in days_of(simulation.plan)
        for event in simulation.delivered(day, simulation.plan.first)
    ]
    assert parts == list(simulate(simulation.plan))
    late = [e for e in parts if e.timestamp_ms // 86_400_000 > e.at // 86_400]
    assert late


def test_lines_are_as_documented() -> None:
    events = list(simulate(small(**QUIET)))
    assert [e.timestamp_ms for e in events] == sorted(e.timestamp_ms for e in events)
    assert len({e.message for e in events}) == len(events) > 500
    people = {p.sub: p for p in people_of(small())}
    for event in events:
        line = json.loads(event.message)
        assert list(line) == FIELDS
        assert all(isinstance(value, str) for value in line.values())
        assert line["event_type"] == f"Tasks{event.kind.capitalize()}"
        assert line["event_timestamp"] == str(event.at)
        assert line["job_type"] == "Private"
        assert line["worker_id"] == people[line["cognito_sub_id"]].worker_id
        assert len(line["worker_id"]) == 16
        filled = {name[5:-5] for name in FIELDS if name.startswith("task_") and line[name]}
        assert filled == {"accepted", event.kind}
        assert epoch(line[f"task_{event.kind}_time"]) == event.at
        assert epoch(line["task_accepted_time"]) == event.accepted_at <= event.at
        assert 0 <= event.timestamp_ms - event.at * 1000 < 60_000
    assert Counter(e.kind for e in events).keys() == {"accepted", "submitted", "returned", "declined"}


def test_people_keep_their_hours() -> None:
    plan = small(30, days=7, **QUIET)
    teams = {team.name: team for team in plan.teams}
    weekday: Counter[bool] = Counter()
    tasks: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for event in simulate(plan):
        team = teams[event.team]
        local = datetime.fromtimestamp(event.at, ZoneInfo(team.time_zone))
        minutes = local.hour * 60 + local.minute
        assert team.start.hour * 60 - 21 <= minutes <= team.end.hour * 60 + team.end.minute
        weekday[local.weekday() < 5] += 1
        if event.kind != "accepted":
            tasks[event.worker].append((event.accepted_at, event.at))
    assert weekday[False] < 0.1 * weekday[True]
    for done in map(sorted, tasks.values()):  # one task after the other
        assert all(before[1] <= after[0] for before, after in pairwise(done))


def test_tasks_take_as_long_as_their_jobs_say() -> None:
    plan = default_plan(60, 3, until=FRIDAY, days=1).replace(oddities=QUIET)
    seconds: dict[str, list[int]] = defaultdict(list)
    for event in simulate(plan):
        if event.kind == "submitted":
            seconds[event.task_type].append(event.at - event.accepted_at)
    for job in plan.jobs:
        assert 0.75 * job.median < median(seconds[job.task_type]) < 1.3 * job.median


def test_odd_workers_are_odd() -> None:
    plan = small(40, days=5, **{**QUIET, "too_fast": 1, "too_uniform": 1, "clock_skew": 1, "sudden_drop": 2})
    people = people_of(plan)
    by_kind = {kind: p.sub for p in people for kind in p.oddities}
    seconds: dict[str, list[int]] = defaultdict(list)
    jobs: dict[tuple[str, str], list[int]] = defaultdict(list)
    done: Counter[tuple[bool, str]] = Counter()
    skewed = set()
    for event in simulate(plan):
        done[datetime.fromtimestamp(event.at, UTC).date() >= date(2026, 11, 19), event.worker] += 1
        if event.kind == "submitted":
            seconds[event.worker].append(event.at - event.accepted_at)
            jobs[event.worker, event.job].append(event.at - event.accepted_at)
        if event.fault == "clock_skew":
            line = json.loads(event.message)
            assert epoch(line["task_accepted_time"]) > epoch(line["task_submitted_time"])
            skewed.add(event.worker)
    assert skewed == {by_kind["clock_skew"]}
    assert min(seconds, key=lambda worker: median(seconds[worker])) == by_kind["too_fast"]
    spread = {
        worker: min(stdev(s) / median(s) for (w, _), s in jobs.items() if w == worker and len(s) > 30)
        for worker in seconds
        if worker != by_kind["too_fast"] and any(w == worker and len(s) > 30 for (w, _), s in jobs.items())
    }
    assert min(spread, key=lambda worker: spread[worker]) == by_kind["too_uniform"]
    slow = [p.sub for p in people if done[False, p.sub] > 100 and done[True, p.sub] < done[False, p.sub] / 5]
    assert slow


def test_metrics_tell_the_same_story_but_for_what_is_missed() -> None:
    plan = small(12, **{**NOISY, "missed_metrics": 0.05})
    truth = truth_of(plan)
    simulation = Simulation(plan)
    points = {k: v for day in days_of(plan) for k, v in points_of(simulation, day).items()}
    row = truth.totals()["all"]
    expected = {
        "TasksAccepted": row.metric_accepted,
        "TasksSubmitted": row.metric_submitted,
        "TasksReturned": row.metric_returned,
        "TasksDeclined": row.metric_declined,
        "TimeSpent": row.metric_seconds,
    }
    for size in (1, 2, 3):  # of job, of team, of worker
        sums: Counter[str] = Counter()
        for (metric, _), point in points.items():
            if metric.namespace == WORKTEAM and len(metric.dimensions) == size:
                sums[metric.name] += point.total
                assert point.count == point.total or metric.name == "TimeSpent"
                assert point.low <= point.total / point.count <= point.high + 1e-9
        active = sums.pop("ActiveWorkers")
        assert 0 < active <= len({(k[0], k[2], k[4]) for k in truth.rows})
        assert sums == pytest.approx(expected)
    assert 0.9 < row.metric_submitted / (row.submitted / (1 - 0.04 - 0.02)) < 1.0
    names = {tuple(name for name, _ in metric.dimensions) for metric, _ in points}
    assert names == {
        ("CognitoUserPool", "LabelingJob", "WorkerId"),
        ("LabelingJob", "Workteam"),
        ("LabelingJob",),
        ("LabelingJobName",),
    }


def test_progress_of_jobs_only_grows_and_is_counted_from_the_start_of_the_month() -> None:
    plan = small(12, days=1, **QUIET)
    month = Simulation(plan.replace(days=20))
    submitted = Counter(
        event.job
        for day in days_of(month.plan)
        for event in month.delivered(day, date(2026, 10, 30))
        if event.kind == "submitted"
    )
    points = points_of(Simulation(plan), FRIDAY)
    values: dict[str, list[float]] = defaultdict(list)
    for (metric, _), point in sorted(points.items(), key=lambda item: item[0][1]):
        if metric.namespace == LABELING_JOBS and metric.name == "DatasetObjectsHumanAnnotated":
            values[metric.dimensions[0][1]].append(point.high)
    assert values
    for name, series in values.items():
        job = next(job for job in plan.jobs if name.startswith(job.name))
        assert series == sorted(series)
        assert series[-1] == pytest.approx(submitted[name] // job.annotators, abs=2)


def test_a_day_can_be_cut_off() -> None:
    simulation = Simulation(small(days=1))
    noon = start_ms(FRIDAY) + 12 * 3_600_000
    early = list(simulation.delivered(FRIDAY, FRIDAY, noon))
    assert early
    assert early == [e for e in simulation.delivered(FRIDAY, FRIDAY) if e.timestamp_ms < noon]
    points, whole = points_of(simulation, FRIDAY, noon), points_of(simulation, FRIDAY)
    assert 0 < len(points) < len(whole)
    assert points == {key: point for key, point in whole.items() if (point.second + 300) * 1000 <= noon}


def test_calls_stay_within_the_limits_of_cloudwatch() -> None:
    plan = default_plan(120, 3, until=FRIDAY, days=1)
    simulation = Simulation(plan)
    events = list(simulation.delivered(FRIDAY, FRIDAY))
    calls = batches([{"timestamp": e.timestamp_ms, "message": e.message} for e in events])
    assert [event["message"] for call in calls for event in call] == [e.message for e in events]
    for call in calls:
        assert len(call) <= 10_000
        assert sum(len(event["message"].encode()) + 26 for event in call) <= 1_048_576
        assert call[-1]["timestamp"] - call[0]["timestamp"] < 24 * 3_600_000
    points: Points = points_of(simulation, FRIDAY)
    requests = list(metric_requests(points))
    assert sum(len(request["MetricData"]) for request in requests) == len(points)
    for request in requests:
        assert len(request["MetricData"]) <= 1000
        assert len(json.dumps(request, default=str)) < 1_000_000
    assert {request["Namespace"] for request in requests} == {WORKTEAM, LABELING_JOBS}


def test_the_example_is_awss() -> None:
    plan = example_plan(FRIDAY)
    simulation = Example(plan)
    points = points_of(simulation, FRIDAY)
    for size in (1, 2, 3):
        totals: Counter[str] = Counter()
        for (metric, _), point in points.items():
            if metric.namespace == WORKTEAM and len(metric.dimensions) == size:
                totals[metric.name] += point.total
        assert totals["TasksSubmitted"] == 14
        assert totals["TimeSpent"] == pytest.approx(136.92)
        assert round(totals["TimeSpent"] / 60, 2) == 2.28
        assert totals["TimeSpent"] / 14 == pytest.approx(9.78)
        assert totals["ActiveWorkers"] == 1
    events = list(simulation.delivered(FRIDAY, FRIDAY))
    assert Counter(e.kind for e in events) == {"accepted": 14, "submitted": 14}
    assert sum(e.at - e.accepted_at for e in events if e.kind == "submitted") == 137
    assert {e.job for e in events} == {"metrics-demo"}
    assert not list(simulation.delivered(FRIDAY - timedelta(days=1), FRIDAY - timedelta(days=1)))
