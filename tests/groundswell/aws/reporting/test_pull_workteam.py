"""Metrics of work teams by day."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from groundswell.aws.hooks.cloudwatch import CloudWatchHook, Metric
from groundswell.aws.reporting import workteam
from tests.groundswell.aws.reporting.source_hooks import (
    ANN,
    DAY,
    KOLKATA,
    MIDNIGHT,
    NEXT,
    NOW,
    POOL,
    UTC_ZONE,
    Metrics,
    kinds,
)


def metric(name: str = "TasksSubmitted", **dimensions: str) -> Metric:
    return Metric.of(name, dimensions or {"LabelingJob": "cats", "WorkerId": "ann", "CognitoUserPool": POOL})


def pull_metrics(
    hook: Metrics, first: date = DAY, last: date = NEXT, zone: ZoneInfo = UTC_ZONE, **more: Any
) -> dict[date, Any]:
    return workteam.pull(cast("CloudWatchHook", hook), "N", first, last, zone, **{"now": NOW, **more})


def test_points_of_each_day() -> None:
    values = {MIDNIGHT - timedelta(hours=1): 9.0, MIDNIGHT: 1.0, MIDNIGHT + timedelta(hours=24): 2.0}
    hook = Metrics({metric(): values, metric("Unknown"): values, metric(): values})
    pulled = pull_metrics(hook, events={DAY: {ANN}})
    assert {day: [point["sum"] for point in points] for day, (points, _) in pulled.items()} == {
        DAY: [1],
        NEXT: [2],
    }
    assert {problems == [] for _, problems in pulled.values()} == {True}
    assert json.loads(json.dumps(pulled[DAY][0])) == [
        {
            "metric": "TasksSubmitted",
            "dimensions": {"LabelingJob": "cats", "WorkerId": "ann", "CognitoUserPool": POOL},
            "at": int(MIDNIGHT.timestamp()),
            "period": 3600,
            "sum": 1.0,
        }
    ]


def test_half_hour_zones_need_half_hours() -> None:
    hook = Metrics({})
    pull_metrics(hook, zone=KOLKATA)
    assert hook.periods == [(1800, MIDNIGHT - timedelta(hours=5.5), MIDNIGHT + timedelta(hours=42.5))]


def test_resolution_that_is_not_kept() -> None:
    """Half hours are kept for 63 days, hours for 455; days on both sides may be in one window."""
    hook = Metrics({})
    now = MIDNIGHT - timedelta(hours=5.5) + timedelta(days=64)
    pulled = pull_metrics(hook, zone=KOLKATA, now=now, events={DAY: {ANN}})
    assert kinds(pulled[DAY][1]) == {"resolution not kept": 1}
    assert kinds(pulled[NEXT][1]) == {}
    assert len(hook.periods) == 1
    assert kinds(pull_metrics(hook, now=now)[DAY][1]) == {}
    pulled = pull_metrics(hook, now=MIDNIGHT + timedelta(days=500))
    assert {kind for _, problems in pulled.values() for kind in kinds(problems)} == {"resolution not kept"}


def test_events_without_metrics() -> None:
    dogs = ANN._replace(job="dogs")
    hook = Metrics({metric(): {MIDNIGHT: 1.0}})
    pulled = pull_metrics(hook, events={DAY: {ANN, dogs}, NEXT: {ANN, dogs}})
    assert [(p.kind, p.count, p.example) for p in pulled[DAY][1]] == [("no metrics", 1, "dogs")]
    assert [(p.kind, p.count, p.example) for p in pulled[NEXT][1]] == [("no metrics", 2, "cats")]
    old = pull_metrics(hook, events={DAY: {dogs}}, now=NOW + timedelta(days=20))
    assert kinds(old[DAY][1]) == {"metrics forgotten": 1}


def test_sets_that_name_no_job_are_for_all_jobs() -> None:
    hook = Metrics({metric(WorkerId="ann"): {MIDNIGHT: 1.0}})
    assert pull_metrics(hook, events={DAY: {ANN}})[DAY][1] == []


@pytest.mark.parametrize("listed", [[], [metric("TimeSpent", LabelingJob="cats", WorkerId="ann")]])
def test_metrics_that_are_no_longer_listed(listed: list[Metric]) -> None:
    """By the dimensions of those that are listed; where there are none, by those in use elsewhere."""
    names = ["CognitoUserPool", "LabelingJob", "WorkerId"] if not listed else ["LabelingJob", "WorkerId"]
    values = {"CognitoUserPool": POOL, "LabelingJob": "cats", "WorkerId": "ann"}
    forgotten = Metric.of("TasksSubmitted", {name: values[name] for name in names})
    hook = Metrics({forgotten: {MIDNIGHT: 3.0}}, listed)
    assert pull_metrics(hook, events={DAY: {ANN}})[DAY][0] == []
    points, problems = pull_metrics(hook, events={DAY: {ANN}}, now=NOW + timedelta(days=20))[DAY]
    assert ([point["sum"] for point in points], problems) == ([3.0], [])


def test_what_cloudwatch_does_not_answer() -> None:
    hook = Metrics({metric(): {MIDNIGHT: 1.0}})
    hook.failed = frozenset({metric(), metric("TimeSpent")})
    assert kinds(pull_metrics(hook)[DAY][1]) == {"not answered": 2}
