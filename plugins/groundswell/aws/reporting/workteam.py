"""The metrics of work teams, from CloudWatch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from groundswell.aws.exceptions import clear_errors
from groundswell.aws.hooks.cloudwatch import CloudWatchHook, Metric, MetricData
from groundswell.reports.days import bounds, days
from groundswell.reports.problems import Problem, masked, merged
from groundswell.reports.workteam import (
    FORGETS_AFTER,
    MEASURES,
    SOURCE,
    USUAL_DIMENSIONS,
    Point,
    Seen,
    jobs_named,
    likely_dimensions,
    period_for,
)

Pulled = tuple[list[Point], list[Problem]]
#: The problem that CloudWatch did not give all values.
NOT_ANSWERED = "not answered"


def pull(
    hook: CloudWatchHook,
    namespace: str,
    first: date,
    last: date,
    zone: ZoneInfo,
    *,
    events: Mapping[date, Collection[Seen]] | None = None,
    now: datetime | None = None,
) -> dict[date, Pulled]:
    """
    Read the metrics of some days, under every set of dimensions that is there.

    :param hook: where the metrics are
    :param namespace: their namespace
    :param first: the first day
    :param last: the last day
    :param zone: of the days
    :param events: who worked on what by other sources, by day (:func:`groundswell.reports.workteam.seen`).
        Jobs without metrics are a problem then; and where CloudWatch may have forgotten which metrics there
        were, it is asked for those of these workers: it keeps values for longer than names
    :param now: when CloudWatch is asked
    :return: for each day the points, sorted, and the problems.
    """
    now = now or datetime.now(UTC)
    events = {day: set((events or {}).get(day, ())) for day in days(first, last)}
    with clear_errors(connection=str(hook.aws_conn_id)):
        listed = {
            metric for metric in hook.list_metrics(namespace) if metric.name in MEASURES and metric.dimensions
        }
        forgotten = {day: some for day, some in events.items() if _is_old(day, zone, now)}
        metrics = sorted(listed | _unlisted(listed, set().union(*forgotten.values())))
        pulled: dict[date, Pulled] = {}
        for period, group in groupby(days(first, last), lambda day: period_for(day, zone, now)):
            some = list(group)
            if period is None:
                pulled |= {day: ([], [_not_kept(day)]) for day in some}
                continue
            start, end = bounds(some[0], some[-1], zone)
            data = hook.metric_data(namespace, metrics, statistic="Sum", period=period, start=start, end=end)
            pulled |= {day: _of_day(data, day, zone, period) for day in some}
    for day, (points, problems) in pulled.items():
        if not any(problem.kind == _NOT_KEPT for problem in problems):
            problems += _unmeasured(points, day, zone, {worker.job for worker in events[day]}, now)
    return pulled


def _is_old(day: date, zone: ZoneInfo, now: datetime) -> bool:
    return now - bounds(day, day, zone)[1] > FORGETS_AFTER - timedelta(days=1)


def _unlisted(listed: Collection[Metric], workers: Collection[Seen]) -> set[Metric]:
    shapes = {tuple(name for name, _ in metric.dimensions) for metric in listed} or {USUAL_DIMENSIONS}
    return {Metric(name, found) for name in MEASURES for found in likely_dimensions(shapes, workers)}


def _of_day(data: MetricData, day: date, zone: ZoneInfo, period: int) -> Pulled:
    points = sorted(_points(data, day, zone, period), key=lambda point: (point["metric"], point["at"]))
    problems = [
        Problem(NOT_ANSWERED, 1, masked(metric.name), _WHAT_TO_DO[NOT_ANSWERED], SOURCE, day)
        for metric in data.failed
    ]
    return points, merged(problems)


def _points(data: MetricData, day: date, zone: ZoneInfo, period: int) -> Iterator[Point]:
    start, end = bounds(day, day, zone)
    for metric in sorted(data.values):
        for at, value in data.values[metric].items():
            if start <= at < end:
                yield {
                    "metric": metric.name,
                    "dimensions": dict(metric.dimensions),
                    "at": int(at.timestamp()),
                    "period": period,
                    "sum": value,
                }


_NOT_KEPT = "resolution not kept"
_WHAT_TO_DO = {
    _NOT_KEPT: "CloudWatch keeps minutes for 15 days, 5 minutes for 63 days and hours for 455 days; the "
    "metrics of this day can no longer be cut at its midnights. Events are counted all the same.",
    NOT_ANSWERED: "CloudWatch did not give all values; clear the task to read them again.",
    "no metrics": "There are events of these jobs and no metrics: they are late, or were not sent. Clear the "
    "task to read them again; the numbers by events stand.",
    "metrics forgotten": "There are events of these jobs and no metrics. CloudWatch does not list metrics "
    "that were silent for two weeks, so a day this old may have had some; the numbers by events stand.",
}


def _not_kept(day: date) -> Problem:
    return Problem(_NOT_KEPT, 1, day.isoformat(), _WHAT_TO_DO[_NOT_KEPT], SOURCE, day)


def _unmeasured(
    points: Iterable[Point], day: date, zone: ZoneInfo, jobs: Collection[str], now: datetime
) -> list[Problem]:
    """Return the problem that jobs with events have no metrics."""
    measured = jobs_named(points)
    missing = sorted(set(jobs) - measured) if measured is not None else []
    if not missing:
        return []
    kind = "metrics forgotten" if _is_old(day, zone, now) else "no metrics"
    return [Problem(kind, len(missing), masked(missing[0]), _WHAT_TO_DO[kind], SOURCE, day)]
