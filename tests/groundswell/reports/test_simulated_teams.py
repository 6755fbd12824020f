"""Events and metrics of simulated teams add up to what the simulation knows it did."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from groundswell.reports.activity import LogEvent, parse_blocks
from groundswell.reports.days import days
from groundswell.reports.workteam import seen, totals
from localcloud.teams.metrics import WORKTEAM, points_of
from localcloud.teams.plan import Oddities, default_plan
from localcloud.teams.simulation import Simulation, simulate
from localcloud.teams.truth import truth_of

LAST = date(2026, 11, 18)
ODD = Oddities(duplicates=0.02, malformed=0.01, unknown_type=0.01, clock_ahead=0.01, clock_skew=2, deleted=0)
PLAN = default_plan(workers=9, until=LAST, days=2, oddities=ODD)
KINDS = ("accepted", "submitted", "returned", "declined")


@pytest.fixture(scope="module")
def rows() -> Any:
    import pandas as pd

    events = (LogEvent("", event.timestamp_ms, event.message) for event in simulate(PLAN))
    blocks = list(parse_blocks(events, block=1500))
    problems: Counter[str] = Counter()
    for block in blocks:
        for problem in block.problems:
            problems[problem.kind] += problem.count
    return pd.concat([block.rows for block in blocks]), problems


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_events(rows: Any, zone: str) -> None:
    found, problems = rows
    truth = truth_of(PLAN, zone)
    day = found["at"].dt.tz_convert(zone).dt.date
    counted = Counter(zip(day, found["team"], found["job"], found["worker"], found["kind"], strict=True))
    expected = {
        (key[0], key[1], key[2], key[4], kind): getattr(row, kind)
        for key, row in truth.rows.items()
        for kind in KINDS
    }
    assert dict(counted) == {key: count for key, count in expected.items() if count}
    total = truth.totals()["all"]
    assert (found["seconds"].sum(), found["seconds"].count()) == (total.seconds, total.timed)
    assert min(truth.problems[kind] for kind in ("duplicates", "malformed", "unknown_type", "clock_skew")) > 0
    assert problems["duplicate delivery"] == truth.problems["duplicates"]
    assert problems["unknown event type"] == truth.problems["unknown_type"]
    assert problems["time in the future"] == truth.problems["clock_ahead"]
    assert problems["submitted before accepted"] == truth.problems["clock_skew"]
    malformed = ("not JSON", "missing field", "time in another format")
    assert sum(problems[kind] for kind in malformed) == truth.problems["malformed"]
    assert sum(problems.values()) == truth.problems.total() - truth.problems["late"]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_metrics(rows: Any, zone: str) -> None:
    """They come in three sets of dimensions, and teams share jobs."""
    simulation = Simulation(PLAN)
    points = [
        {
            "metric": metric.name,
            "dimensions": dict(metric.dimensions),
            "at": second,
            "period": PLAN.metric_minutes * 60,
            "sum": point.total,
        }
        for each in days(LAST - timedelta(days=1), LAST)
        for (metric, second), point in points_of(simulation, each).items()
        if metric.namespace == WORKTEAM
    ]
    assert len({tuple(point["dimensions"]) for point in points}) == 3
    workers = seen(rows[0])
    truth = truth_of(PLAN, zone)
    measures = {kind: f"metric_{kind}" for kind in KINDS} | {"active_seconds": "metric_seconds"}
    for day in days(LAST - timedelta(days=1), LAST):
        table, problems = totals(points, day, ZoneInfo(zone), workers=workers)
        assert problems == []
        keys = table[["team", "job", "worker", "measure"]].itertuples(index=False, name=None)
        found = {key: value for key, value in zip(keys, table["value"], strict=True) if value}
        expected = {
            (team, job, sub, measure): pytest.approx(getattr(row, name), abs=0.001)
            for (on, team, job, _, sub), row in truth.rows.items()
            for measure, name in measures.items()
            if on == day and getattr(row, name)
        }
        assert {key: value for key, value in found.items() if key[3] != "active_workers"} == expected
