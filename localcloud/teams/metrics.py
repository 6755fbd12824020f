"""What CloudWatch's metrics say about a day of work ("Monitor Ground Truth", SageMaker developer guide).

``AWS/SageMaker/Workteam`` holds counts and ``TimeSpent``, delivered best effort, in several sets of
dimensions that overlap: by worker ``{CognitoUserPool, LabelingJob, WorkerId}``, seen in the wild with
the Cognito sub as id, by team ``{LabelingJob, Workteam}`` and by job ``{LabelingJob}``, whose names are
not documented. ``AWS/SageMaker/LabelingJobs`` holds the progress of jobs, ``{LabelingJobName}``.

A worker is counted as active once for each job and working day, at the first task that was ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np

from localcloud.teams.lines import ACCEPTED, DAY_MS, DECLINED, RETURNED, SUBMITTED, UNKNOWN, Lines
from localcloud.teams.plan import Job
from localcloud.teams.simulation import Simulation, start_ms
from localcloud.teams.work import Floats, Ints

WORKTEAM = "AWS/SageMaker/Workteam"
LABELING_JOBS = "AWS/SageMaker/LabelingJobs"
COUNTS = {
    ACCEPTED: "TasksAccepted",
    SUBMITTED: "TasksSubmitted",
    RETURNED: "TasksReturned",
    DECLINED: "TasksDeclined",
}
_FAILED_OF = 2000
_HOUR = 3600

Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Metric:
    """One metric: its name within one set of dimensions."""

    namespace: str
    name: str
    dimensions: Dimensions
    unit: Literal["None", "Seconds"] = "None"


@dataclass(frozen=True)
class Point:
    """What is known of a metric from ``second`` (epoch) on, for a period: a statistic set."""

    second: int
    count: int
    total: float
    low: float
    high: float

    def plus(self, other: Point) -> Point:
        """Return both together."""
        return Point(
            self.second,
            self.count + other.count,
            self.total + other.total,
            min(self.low, other.low),
            max(self.high, other.high),
        )


Points = dict[tuple[Metric, int], Point]


def points_of(simulation: Simulation, day: date, until_ms: int | None = None) -> Points:
    """Return the data points of a day in UTC, only of periods that end by ``until_ms``."""
    points: Points = {}
    for lines in simulation.touching(day, day):
        for metric, point in _workteam(simulation, lines, start_ms(day) // 1000):
            known = points.get((metric, point.second))
            points[metric, point.second] = point if known is None else known.plus(point)
    for metric, point in _progress(simulation, day):
        points[metric, point.second] = point
    if until_ms is None:
        return points
    period = simulation.plan.metric_minutes * 60
    return {key: p for key, p in points.items() if (p.second + period) * 1000 <= until_ms}


def first_ends(lines: Lines) -> Ints:
    """Return which lines end the first task of a worker in a job on this date, in the order of time."""
    ended = np.flatnonzero((lines.copy == 0) & (lines.kind != ACCEPTED) & (lines.kind != UNKNOWN))
    order = ended[np.argsort(lines.at[ended], kind="stable")]
    who = lines.tasks.worker[lines.task[order]] * 1000 + lines.tasks.job[lines.task[order]]
    return order[np.unique(who, return_index=True)[1]]


def _workteam(simulation: Simulation, lines: Lines, start: int) -> Iterator[tuple[Metric, Point]]:
    here = (lines.at >= start) & (lines.at < start + DAY_MS // 1000) & (lines.copy == 0)
    counted = here & (lines.missed == 0)
    ones = np.ones(len(lines))
    for kind, name in COUNTS.items():
        yield from _grouped(simulation, lines, np.flatnonzero(counted & (lines.kind == kind)), name, ones)
    active = first_ends(lines)
    yield from _grouped(simulation, lines, active[counted[active]], "ActiveWorkers", ones)
    timed = np.flatnonzero(here & (lines.untimed == 0) & (lines.kind == SUBMITTED))
    spent = lines.tasks.active_ms[lines.task] / 1000
    yield from _grouped(simulation, lines, timed, "TimeSpent", spent)


def _grouped(
    simulation: Simulation,
    lines: Lines,
    chosen: Ints,
    name: str,
    values: Floats,
) -> Iterator[tuple[Metric, Point]]:
    """Return the points of one measure, for every set of dimensions."""
    period = simulation.plan.metric_minutes * 60
    slot = lines.at[chosen] // period
    worker, job = lines.tasks.worker[lines.task[chosen]], lines.tasks.job[lines.task[chosen]]
    by_worker = np.stack([slot, job, worker])
    for keys in (by_worker, by_worker[:2]):
        groups, member = np.unique(keys, axis=1, return_inverse=True)
        member = member.reshape(-1)
        size = groups.shape[1]
        count = np.bincount(member, minlength=size)
        total = np.bincount(member, weights=values[chosen], minlength=size)
        low, high = np.full(size, np.inf), np.zeros(size)
        np.minimum.at(low, member, values[chosen])
        np.maximum.at(high, member, values[chosen])
        for place, key in enumerate(groups.T.tolist()):
            point = Point(
                key[0] * period,
                int(count[place]),
                round(float(total[place]), 3),
                float(low[place]),
                float(high[place]),
            )
            for dimensions in _dimensions(simulation, lines, key[1:]):
                yield Metric(WORKTEAM, name, dimensions, "Seconds" if name == "TimeSpent" else "None"), point


def _dimensions(simulation: Simulation, lines: Lines, key: list[int]) -> list[Dimensions]:
    plan = simulation.plan
    job = ("LabelingJob", plan.jobs[key[0]].name_on(lines.tasks.day))
    if len(key) == 2:
        person = simulation.person(key[1])
        return [(("CognitoUserPool", simulation.account.pool_id), job, ("WorkerId", person.sub))]
    return [(job, ("Workteam", lines.team)), (job,)]


def _progress(simulation: Simulation, day: date) -> Iterator[tuple[Metric, Point]]:
    """Return how far the jobs are at the end of every hour of a day in which something was submitted."""
    start = start_ms(day) // 1000
    for number, job in enumerate(simulation.plan.jobs):
        near = {
            job.name_on(day + timedelta(days=n)): job.first_day(day + timedelta(days=n)) for n in (-1, 0, 1)
        }
        for name, first in near.items():
            times = _submissions(simulation, number, name, first, day)
            today = times[(times >= start) & (times < start + DAY_MS // 1000)]
            for hour in np.unique(today // _HOUR).tolist():
                done = int(np.searchsorted(times, (hour + 1) * _HOUR))
                second = (hour + 1) * _HOUR - simulation.plan.metric_minutes * 60
                for metric, value in _counters(job, done).items():
                    dimensions = (("LabelingJobName", name),)
                    yield Metric(LABELING_JOBS, metric, dimensions), Point(second, 1, value, value, value)


def _submissions(simulation: Simulation, number: int, name: str, first: date, day: date) -> Ints:
    """Return when tasks of one labeling job were submitted, sorted, in epoch seconds."""
    job = simulation.plan.jobs[number]
    parts = [np.empty(0, np.int64)]
    for team in simulation.plan.teams:
        for offset in range((day - first).days + 2):
            if job.name in team.jobs and job.name_on(first + timedelta(days=offset)) == name:
                parts.append(simulation.submissions(first + timedelta(days=offset), team, number))
    return np.sort(np.concatenate(parts))


def _counters(job: Job, done: int) -> dict[str, float]:
    people = min(done // job.annotators, int(job.objects * (1 - job.machine_share)))
    machine = int(people / (1 - job.machine_share) * job.machine_share)
    total = people + machine
    return {
        "DatasetObjectsHumanAnnotated": float(people),
        "DatasetObjectsAutoAnnotated": float(machine),
        "DatasetObjectsLabelingFailed": float(total // _FAILED_OF),
        "TotalDatasetObjectsLabeled": float(total),
    }
