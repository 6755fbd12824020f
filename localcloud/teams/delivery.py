"""Puts the events and data points of a day into CloudWatch, in calls as large as it takes.

A day is read first when its stream exists: what is there is not put again, and what this plan would
never have put stops the play, since reports would show two plans at once.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from localcloud.sagemaker.logs import batches
from localcloud.teams.directory import PlayError
from localcloud.teams.lines import LOG_GROUP, Event
from localcloud.teams.metrics import Metric, Point, Points
from localcloud.teams.people import Person
from localcloud.teams.simulation import start_ms

MAX_DATA = 1000
"""PutMetricData, Amazon CloudWatch API reference: data in a request, which may have 1 MB."""
_WORKER = re.compile(r'\{"worker_id":"([0-9a-f]{16})"')
_QUERIES = 300
"""Per GetMetricData: of 500 metrics and 100,800 data points, the latter is reached first."""


@dataclass(frozen=True)
class Delivered:
    """What became of a day: how much was put now, and how much was there before."""

    day: date
    lines: int
    lines_before: int
    points: int
    points_before: int


class Delivery:
    """Delivers days. ``clients`` returns the boto3 client of a service; ``period`` is in seconds."""

    def __init__(self, clients: Callable[[str], Any], period: int) -> None:
        self._logs = clients("logs")
        self._cloudwatch = clients("cloudwatch")
        self._period = period

    def streams(self, prefix: str) -> set[str]:
        """Return the streams that exist; makes the log group where it is missing."""
        with contextlib.suppress(self._logs.exceptions.ResourceAlreadyExistsException):
            self._logs.create_log_group(logGroupName=LOG_GROUP)
        pages = self._logs.get_paginator("describe_log_streams").paginate(
            logGroupName=LOG_GROUP, logStreamNamePrefix=prefix
        )
        return {stream["logStreamName"] for page in pages for stream in page["logStreams"]}

    def check(self, day: date, stream: str, people: Iterable[Person]) -> None:
        """Raise PlayError when the first lines of a day are of other workers."""
        page = self._logs.get_log_events(
            logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True, limit=20
        )
        ids = {found[1] for event in page["events"] if (found := _WORKER.match(event["message"]))}
        if strangers := ids - {person.worker_id for person in people}:
            raise _other_plan(day, f"worker {min(strangers)} is not one")

    def deliver(
        self, day: date, stream: str, exists: bool, events: Sequence[Event], points: Points
    ) -> Delivered:
        """Put what is missing of a day: first the log, then the metrics.

        Raises PlayError when the day was played with another plan, or CloudWatch refuses events.
        """
        lines = [(event.timestamp_ms, event.message) for event in events]
        missing_lines, missing_points = lines, points
        if exists:
            missing_lines = self._missing_lines(day, stream, lines)
            missing_points = self._missing_points(day, points)
        else:
            self._logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=stream)
        for batch in batches([{"timestamp": at, "message": text} for at, text in missing_lines]):
            self._put_lines(stream, batch)
        for request in metric_requests(missing_points):
            self._cloudwatch.put_metric_data(**request)
        return Delivered(
            day,
            len(missing_lines),
            len(lines) - len(missing_lines),
            len(missing_points),
            len(points) - len(missing_points),
        )

    def _put_lines(self, stream: str, batch: list[dict[str, Any]]) -> None:
        answer = self._logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=stream, logEvents=batch)
        if refused := answer.get("rejectedLogEventsInfo"):
            raise PlayError(
                f"CloudWatch Logs refused events ({refused}): it takes none older than 14 days; "
                "play fewer days or later ones"
            )

    def _missing_lines(self, day: date, stream: str, lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
        there = Counter(self._lines(stream))
        missing = []
        for line in lines:
            if there[line] > 0:
                there[line] -= 1
            else:
                missing.append(line)
        if foreign := there.total():
            raise _other_plan(day, f"{foreign} of the log lines there are not")
        return missing

    def _lines(self, stream: str) -> Iterator[tuple[int, str]]:
        token: dict[str, str] = {}
        while True:
            page = self._logs.get_log_events(
                logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True, **token
            )
            yield from ((event["timestamp"], event["message"]) for event in page["events"])
            if page["nextForwardToken"] == token.get("nextToken"):
                return
            token = {"nextToken": page["nextForwardToken"]}

    def _missing_points(self, day: date, points: Points) -> Points:
        there: set[tuple[Metric, int]] = set()
        start = datetime.fromtimestamp(start_ms(day) / 1000, UTC)
        metrics = sorted({metric for metric, _ in points}, key=repr)
        for low in range(0, len(metrics), _QUERIES):
            chosen = metrics[low : low + _QUERIES]
            pages = self._cloudwatch.get_paginator("get_metric_data").paginate(
                StartTime=start,
                EndTime=start + timedelta(days=1),
                MetricDataQueries=[_query(n, metric, self._period) for n, metric in enumerate(chosen)],
            )
            for page in pages:
                for result in page["MetricDataResults"]:
                    metric = chosen[int(result["Id"][1:])]
                    there.update((metric, int(at.timestamp())) for at in result["Timestamps"])
        return {key: point for key, point in points.items() if key not in there}


def _other_plan(day: date, what: str) -> PlayError:
    return PlayError(
        f"{day} was already played with another plan: {what} of this one; give the same plan, --seed, "
        "--workers and --teams as then, or other days"
    )


def metric_requests(points: Points) -> Iterator[dict[str, Any]]:
    """Return PutMetricData requests, each of one namespace and of at most 1000 data."""
    ordered = sorted(points.items(), key=lambda item: (item[0][0].namespace, item[0][1]))
    for namespace in sorted({metric.namespace for metric, _ in points}):
        data = [_datum(key[0], point) for key, point in ordered if key[0].namespace == namespace]
        for low in range(0, len(data), MAX_DATA):
            yield {"Namespace": namespace, "MetricData": data[low : low + MAX_DATA]}


def _datum(metric: Metric, point: Point) -> dict[str, Any]:
    return {
        "MetricName": metric.name,
        "Dimensions": _dimensions(metric),
        "Timestamp": datetime.fromtimestamp(point.second, UTC),
        "StatisticValues": {
            "SampleCount": point.count,
            "Sum": point.total,
            "Minimum": point.low,
            "Maximum": point.high,
        },
        "Unit": metric.unit,
    }


def _query(number: int, metric: Metric, period: int) -> dict[str, Any]:
    named = {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": _dimensions(metric),
    }
    return {
        "Id": f"m{number}",
        "MetricStat": {"Metric": named, "Period": period, "Stat": "SampleCount"},
    }


def _dimensions(metric: Metric) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in metric.dimensions]


def total(delivered: Iterable[Delivered]) -> Delivered:
    """Return all days as one; its day is the last."""
    days = list(delivered)
    return Delivered(
        days[-1].day,
        sum(d.lines for d in days),
        sum(d.lines_before for d in days),
        sum(d.points for d in days),
        sum(d.points_before for d in days),
    )
