"""Metrics of work teams, as CloudWatch gives them, turned into totals of a day.

SageMaker counts each event of a worker once per set of dimensions, and which sets there are is not
documented: they are discovered. Sets overlap (all of a job, and each of its workers), so of each measure of a
job exactly one set is used, the finest, and sets are never added.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from math import fsum, gcd, isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, TypeVar
from zoneinfo import ZoneInfo

from groundswell.reports import schema
from groundswell.reports.days import bounds
from groundswell.reports.problems import Problem, masked, merged

if TYPE_CHECKING:
    import pandas as pd

SOURCE = "workteam"

_K = TypeVar("_K")

#: Measures by the names of the metrics ("Monitor labeling jobs", SageMaker developer guide).
MEASURES = {
    "TasksAccepted": "accepted",
    "TasksSubmitted": "submitted",
    "TasksReturned": "returned",
    "TasksDeclined": "declined",
    "TimeSpent": "active_seconds",
    "ActiveWorkers": "active_workers",
}
#: For how long CloudWatch keeps which shortest period, in seconds (GetMetricData, API reference).
RETENTION = ((timedelta(days=15), 60), (timedelta(days=63), 300), (timedelta(days=455), 3600))
#: ListMetrics forgets metrics that were silent for so long.
FORGETS_AFTER = timedelta(days=14)

_LONGEST_PERIOD_S = 3600
# What a dimension says, by its name in lower case without punctuation
_SAYS = {
    "labelingjob": "job",
    "labelingjobname": "job",
    "labelingjobarn": "job",
    "flowdefinition": "job",
    "flowdefinitionname": "job",
    "workteam": "team",
    "workteamname": "team",
    "workteamarn": "team",
    "workerid": "worker",
    "worker": "worker",
    "cognitosub": "worker",
    "cognitosubid": "worker",
    "cognitouserpool": "pool",
    "cognitouserpoolid": "pool",
    "userpool": "pool",
}
#: As in use ("Cosmos", a dashboard for Ground Truth); the documentation names no dimensions.
USUAL_DIMENSIONS = ("CognitoUserPool", "LabelingJob", "WorkerId")


class Point(TypedDict):
    """A value of a metric over one period, as it is kept in JSON.

    Attributes:
        metric: the metric's name.
        dimensions: its dimensions.
        at: when the period began, seconds since 1970 in UTC.
        period: how long it was, in seconds.
        sum: the sum of what was counted in it.
    """

    metric: str
    dimensions: dict[str, str]
    at: int
    period: int
    sum: float


class Seen(NamedTuple):
    """Who was seen working on what, in another source."""

    job: str
    team: str
    worker: str
    pool: str


def seen(rows: pd.DataFrame) -> set[Seen]:
    """Return who worked on what, by rows of ``schema.ACTIVITY``."""
    distinct = rows[list(Seen._fields)].drop_duplicates()
    return set(map(Seen._make, distinct.itertuples(index=False, name=None)))


def likely_dimensions(
    shapes: Iterable[Collection[str]], workers: Iterable[Seen]
) -> set[tuple[tuple[str, str], ...]]:
    """
    Return the dimensions under which CloudWatch may keep metrics of workers that it no longer lists.

    :param shapes: names of the dimensions of metrics that it lists, or :data:`USUAL_DIMENSIONS`
    :param workers: who was seen working on what
    :return: names and values, sorted by name.
    """
    says = {shape: [_says(name) for name in shape] for shape in map(tuple, map(sorted, shapes))}
    return {
        tuple((name, getattr(worker, str(what))) for name, what in zip(shape, whats, strict=True))
        for shape, whats in says.items()
        if all(whats)
        for worker in workers
        if all(getattr(worker, str(what)) for what in whats)
    }


def period_for(day: date, zone: ZoneInfo, now: datetime) -> int | None:
    """
    Return the longest period that cuts metrics at the midnights of a day, in seconds.

    :param day: the day
    :param zone: the time zone of the day
    :param now: when CloudWatch is asked
    :return: None where CloudWatch no longer keeps such short periods, or nothing at all.
    """
    start, end = bounds(day, day, zone)
    period = gcd(int(start.timestamp()), int(end.timestamp()), _LONGEST_PERIOD_S)
    for keeps, shortest in RETENTION:
        if now - start <= keeps:
            return period if period % shortest == 0 else None
    return None


def totals(
    points: pd.DataFrame | Sequence[Mapping[str, Any]],
    day: date,
    zone: ZoneInfo,
    teams: Mapping[str, str] | None = None,
    workers: Iterable[Seen] = (),
) -> tuple[pd.DataFrame, list[Problem]]:
    """
    Return the totals of a day by job, team and worker, and what could not be used.

    The finest set of dimensions is the one that names the worker; else the team; else the job. Where any set
    of a measure names a job, those that do not are left out. ``active_workers`` of a worker is 1; where no
    worker is named it is the metric's sum, which is how the documentation counts it.

    :param points: rows or mappings of :class:`Point`, in any order; points of other days are left out
    :param day: the day
    :param zone: the time zone of the day
    :param teams: the team of each job, for sets that do not name a team
    :param workers: who was seen working on what: tells teams apart that share a job
    :return: ``schema.WORKTEAM``, sorted.
    """
    known, problems = _usable(_mappings(points), day, zone)
    chosen = _finest(known)
    team_of = _Teams(known, teams or {}, workers)
    sums: dict[tuple[str, str, str, str, str], list[float]] = {}
    for point in known:
        measure = MEASURES[point["metric"]]
        said = _said(point)
        names = _names(point)
        if chosen.get((said.get("job", ""), measure)) != names:
            continue
        job, worker = said.get("job", ""), said.get("worker", "")
        team = said.get("team", "") or team_of(job, worker)
        key = (job, team, worker, measure, " ".join(names))
        sums.setdefault(key, []).append(float(point["sum"]))
    return _frame(day, sums), problems


def jobs_named(points: Iterable[Mapping[str, Any]]) -> set[str] | None:
    """Return the jobs that points name; None where there are points and none of them names a job."""
    said = [_said(point) for point in points]
    jobs = {names["job"] for names in said if "job" in names}
    return None if said and not jobs else jobs


def _mappings(points: pd.DataFrame | Sequence[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    return points.to_dict("records") if hasattr(points, "to_dict") else points


def _usable(
    points: Iterable[Mapping[str, Any]], day: date, zone: ZoneInfo
) -> tuple[list[Mapping[str, Any]], list[Problem]]:
    """Return the points of a day that can be used, each once, and what is wrong with others."""
    start, end = (moment.timestamp() for moment in bounds(day, day, zone))
    found: dict[tuple[str, tuple[tuple[str, str], ...], int], Mapping[str, Any]] = {}
    problems = []
    for point in points:
        ends = point["at"] + point["period"]
        if point["metric"] not in MEASURES or ends <= start or point["at"] >= end:
            continue
        if point["at"] < start or ends > end:
            problems.append(_problem("period across midnight", point, day))
        elif not isfinite(point["sum"]) or point["sum"] < 0:
            problems.append(_problem("not a count", point, day))
        elif {"job", "team", "worker"} & _said(point).keys():
            found[point["metric"], tuple(sorted(point["dimensions"].items())), point["at"]] = point
    return [found[key] for key in sorted(found)], merged(problems)


_WHAT_TO_DO = {
    "period across midnight": "Values of periods that belong to two days are not counted; were they read "
    "before the time zone in the settings file was changed?",
    "not a count": "Values that are negative or no numbers are not counted; tell AWS support.",
}


def _problem(kind: str, point: Mapping[str, Any], day: date) -> Problem:
    example = masked(f"{point['metric']} by {', '.join(_names(point))}: {point['sum']}")
    return Problem(kind, 1, example, _WHAT_TO_DO[kind], SOURCE, day)


def _said(point: Mapping[str, Any]) -> dict[str, str]:
    """Return what a point's dimensions say of job, team, worker and pool; ARNs by their last part."""
    said = {}
    for name, value in point["dimensions"].items():
        what = _says(name)
        if what is not None and value:
            said[what] = value.rpartition("/")[2] if what != "worker" else value
    return said


@lru_cache(1000)
def _says(name: str) -> str | None:
    return _SAYS.get(re.sub(r"[^a-z]", "", name.lower()))


def _names(point: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(sorted(point["dimensions"]))


def _finest(points: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return which set of dimensions is used, by job and measure."""
    sets: dict[tuple[str, str], set[tuple[tuple[bool, bool, int], tuple[str, ...]]]] = {}
    for point in points:
        said = _said(point)
        rank = ("worker" in said, "team" in said, len(point["dimensions"]))
        sets.setdefault((said.get("job", ""), MEASURES[point["metric"]]), set()).add((rank, _names(point)))
    of_jobs = {measure for job, measure in sets if job}
    return {
        (job, measure): max(found)[1]
        for (job, measure), found in sets.items()
        if job or measure not in of_jobs
    }


class _Teams:
    """Which team a total belongs to whose dimensions do not say it; "" where there may be several."""

    def __init__(
        self, points: Iterable[Mapping[str, Any]], teams: Mapping[str, str], workers: Iterable[Seen]
    ) -> None:
        said = [_said(point) for point in points]
        workers = list(workers)
        pairs = [(names["job"], names["team"]) for names in said if {"job", "team"} <= names.keys()]
        self._of_job = {**teams, **_only((who.job, who.team) for who in workers), **_only(pairs)}
        self._of_worker = _only(((who.job, who.worker), who.team) for who in workers)

    def __call__(self, job: str, worker: str) -> str:
        known = self._of_worker.get((job, worker))
        return self._of_job.get(job, "") if known is None else known


def _only(pairs: Iterable[tuple[_K, str]]) -> dict[_K, str]:
    """Return the value of each key; "" where it has several."""
    found: dict[_K, str] = {}
    for key, value in pairs:
        found[key] = value if found.get(key, value) == value else ""
    return found


def _frame(day: date, sums: Mapping[tuple[str, str, str, str, str], Collection[float]]) -> pd.DataFrame:
    columns: dict[str, list[Any]] = {name: [] for name in schema.WORKTEAM.names}
    for key in sorted(sums):
        job, team, worker, measure, dimensions = key
        value = round(fsum(sums[key]), 6)
        if measure == "active_workers" and worker:
            value = float(value > 0)
        row = (day.isoformat(), job, team, worker, measure, value, dimensions)
        for name, cell in zip(columns, row, strict=True):
            columns[name].append(cell)
    return schema.WORKTEAM.frame(columns)
