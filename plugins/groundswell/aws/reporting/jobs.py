"""Labeling jobs of Ground Truth: what is asked, how far they are, and who labelled: people or the machine."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from groundswell.aws.exceptions import clear_errors
from groundswell.aws.hooks.cloudwatch import CloudWatchHook, Metric
from groundswell.aws.hooks.ground_truth import GroundTruthHook
from groundswell.reports.days import bounds, days
from groundswell.reports.problems import Problem, masked, merged
from groundswell.reports.workteam import Seen, period_for

SOURCE = "labeling_jobs"
UNKNOWN = "unknown"
GONE = "Gone"
#: Tasks are there for 30 days at most (quotas of Ground Truth); older jobs are read if they are named.
LONGEST_JOB = timedelta(days=31)

#: Task types by the names of the built-in Lambda functions (PreHumanTaskLambdaArn, API reference).
TASK_TYPES = {
    "ImageMultiClass": "image-classification",
    "ImageMultiClassMultiLabel": "image-classification-multi-label",
    "BoundingBox": "bounding-box",
    "SemanticSegmentation": "semantic-segmentation",
    "TextMultiClass": "text-classification",
    "TextMultiClassMultiLabel": "text-classification-multi-label",
    "NamedEntityRecognition": "named-entity-recognition",
    "VideoMultiClass": "video-classification",
    "VideoObjectDetection": "video-object-detection",
    "VideoObjectTracking": "video-object-tracking",
    "3DPointCloudObjectDetection": "3d-point-cloud-object-detection",
    "3DPointCloudObjectTracking": "3d-point-cloud-object-tracking",
    "3DPointCloudSemanticSegmentation": "3d-point-cloud-semantic-segmentation",
}
_FUNCTION = re.compile(r":function:PRE-(Verification|Adjustment)?(\w+)$", re.ASCII)
_ENDED = frozenset({"Completed", "Failed", "Stopped"})

_HUMAN, _MACHINE = "DatasetObjectsHumanAnnotated", "DatasetObjectsAutoAnnotated"
_FAILED, _TOTAL = "DatasetObjectsLabelingFailed", "TotalDatasetObjectsLabeled"
_METRICS = (_HUMAN, _MACHINE, _FAILED, _TOTAL)
_COUNTERS = {
    _HUMAN: "HumanLabeled",
    _MACHINE: "MachineLabeled",
    _FAILED: "FailedNonRetryableError",
    _TOTAL: "TotalLabeled",
}
_COLUMNS = {_HUMAN: "human_labels", _MACHINE: "machine_labels", _FAILED: "failed_labels", _TOTAL: "total"}

Row = dict[str, Any]
Pulled = tuple[list[Row], list[Problem]]
Progress = list[tuple[datetime, float]]  # when a period ended, and the highest value in it
Told = tuple[dict[str, dict[str, Progress]], set[str]]


@dataclass(frozen=True)
class _Job:
    """What is known of a job: a summary of a list, an answer about one, or its name."""

    name: str
    described: Mapping[str, Any]

    @property
    def status(self) -> str:
        return str(self.described.get("LabelingJobStatus", GONE))

    @property
    def task(self) -> Mapping[str, Any]:
        return {**self.described, **self.described.get("HumanTaskConfig", {})}

    def span(self) -> tuple[datetime, datetime] | None:
        """Return from when to when it has worked; open jobs work on."""
        created = self.described.get("CreationTime")
        if created is None:
            return None
        ended = self.described.get("LastModifiedTime") if self.status in _ENDED else None
        return created, ended or datetime.max.replace(tzinfo=UTC)


def pull(
    hook: GroundTruthHook,
    metrics: CloudWatchHook,
    namespace: str,
    first: date,
    last: date,
    zone: ZoneInfo,
    *,
    events: Mapping[date, Collection[Seen]] | None = None,
    now: datetime | None = None,
) -> dict[date, Pulled]:
    """
    Read what labeling jobs did on some days.

    A row says ``job``, ``team``, ``task_type``, ``status`` (``Gone`` for a job that is not there any more),
    ``human_labels``, ``machine_labels``, ``failed_labels`` (objects of that day; None where not known),
    ``total`` (objects labelled since the job began) and ``as_of`` (when that was, ISO 8601).

    What was done on a day is the growth of the job's metrics (maximum) on it. A job without metrics that
    began and ended on one day did on it what its counters say.

    :param hook: where the jobs are
    :param metrics: where their metrics are
    :param namespace: the namespace of the metrics
    :param first: the first day
    :param last: the last day
    :param zone: of the days
    :param events: who worked on what by other sources, by day (:func:`groundswell.reports.workteam.seen`):
        these jobs have a row on these days
    :param now: when SageMaker and CloudWatch are asked
    :return: for each day the rows, by job, and the problems.
    """
    now = now or datetime.now(UTC)
    named = {day: {worker.job for worker in (events or {}).get(day, ())} for day in days(first, last)}
    with clear_errors(connection=str(hook.aws_conn_id)):
        jobs = _jobs(hook, bounds(first, last, zone), set().union(*named.values()))
    with clear_errors(connection=str(metrics.aws_conn_id)):
        by_day = _progress_by_day(metrics, namespace, sorted(jobs), first, last, zone, now)
    pulled: dict[date, Pulled] = {}
    for day, (progress, failed) in by_day.items():
        start, end = bounds(day, day, zone)
        rows = []
        problems = [_problem("not answered", job, day) for job in failed]
        for name, job in sorted(jobs.items()):
            row, problem = _row(job, progress.get(name, {}), start, end)
            row["as_of"] = min(end, now).isoformat()
            if name in named[day] or _worked(job, row, start, end):
                rows.append(row)
                if problem:
                    problems.append(_problem(problem, name, day))
        pulled[day] = rows, merged(problems)
    return pulled


_WHAT_TO_DO = {
    "no progress by day": "These jobs have no metrics, so it is not known on which day their labels were "
    "made; their labels by people and by the machine are left out.",
    "not answered": "CloudWatch did not give all values of these jobs; clear the task to read them again.",
}


def _problem(kind: str, job: str, day: date) -> Problem:
    return Problem(kind, 1, masked(job), _WHAT_TO_DO[kind], SOURCE, day)


def task_type(lambda_arn: str) -> str:
    """Return what a job asks, from the ARN of its pre-annotation Lambda function; "unknown" for one's own."""
    match = _FUNCTION.search(lambda_arn)
    known = TASK_TYPES.get(match[2]) if match else None
    if match is None or known is None:
        return UNKNOWN
    return f"{known}-{match[1].lower()}" if match[1] else known


def _jobs(hook: GroundTruthHook, window: tuple[datetime, datetime], named: set[str]) -> dict[str, _Job]:
    listed = hook.labeling_jobs(created_after=window[0] - LONGEST_JOB, created_before=window[1])
    jobs = {job["LabelingJobName"]: _Job(job["LabelingJobName"], job) for job in listed}
    overlapping = {}
    for name, job in jobs.items():
        span = job.span()
        if name in named or span is None or (span[0] < window[1] and span[1] >= window[0]):
            overlapping[name] = job
    for name in named - jobs.keys():
        overlapping[name] = _Job(name, hook.find_labeling_job(name) or {})
    return overlapping


def _progress_by_day(
    hook: CloudWatchHook,
    namespace: str,
    jobs: list[str],
    first: date,
    last: date,
    zone: ZoneInfo,
    now: datetime,
) -> dict[date, Told]:
    """Return for each day what :func:`_progress` does; nothing for one that CloudWatch can cut no longer.

    Days in a row that can be cut by the same periods are read at once.
    """
    found: dict[date, Told] = {}
    for period, group in groupby(days(first, last), lambda day: period_for(day, zone, now)):
        some = list(group)
        told: Told = ({}, set())
        if period is not None and jobs:
            told = _progress(hook, namespace, jobs, bounds(some[0], some[-1], zone), period)
        found |= dict.fromkeys(some, told)
    return found


def _progress(
    hook: CloudWatchHook, namespace: str, jobs: list[str], window: tuple[datetime, datetime], period: int
) -> Told:
    """Return the progress of each job, by metric; and the jobs of which CloudWatch did not give it."""
    start, end = window
    wanted = {
        Metric.of(metric, {"LabelingJobName": job}): (job, metric) for job in jobs for metric in _METRICS
    }
    # Of the days before only the last value counts: hours will do for them, and are kept longest
    hour = start.replace(minute=0)
    progress: dict[str, dict[str, Progress]] = {}
    failed = set()
    for begin, until, length in ((hour - LONGEST_JOB, hour, 3600), (hour, end, period)):
        data = hook.metric_data(namespace, wanted, statistic="Maximum", period=length, start=begin, end=until)
        for metric, values in data.values.items():
            job, name = wanted[metric]
            points = [(at + timedelta(seconds=length), value) for at, value in values.items()]
            progress.setdefault(job, {}).setdefault(name, []).extend(points)
        failed |= {wanted[metric][0] for metric in data.failed}
    return progress, failed


def _row(job: _Job, progress: Mapping[str, Progress], start: datetime, end: datetime) -> tuple[Row, str]:
    """Return the row of a job on a day, and what is wrong with it or ""."""
    counts, problem = _counts(job, progress, start, end)
    team = str(job.task.get("WorkteamArn", ""))
    row = {
        "job": job.name,
        "team": "public" if "/public-crowd/" in team else team.rpartition("/")[2],
        "task_type": task_type(str(job.task.get("PreHumanTaskLambdaArn", ""))),
        "status": job.status,
        **counts,
    }
    return row, problem


def _counts(job: _Job, progress: Mapping[str, Progress], start: datetime, end: datetime) -> tuple[Row, str]:
    counts: Row = dict.fromkeys(_COLUMNS.values())
    if progress:
        for metric, column in _COLUMNS.items():
            # What never happened has no metric
            before, after = (_until(progress.get(metric, []), moment) for moment in (start, end))
            counts[column] = int(after - before)
        counts["total"] = int(_until(progress[_TOTAL], end)) if _TOTAL in progress else None
        return counts, ""
    span = job.span()
    if span is None:
        return counts, ""
    counters = job.described.get("LabelCounters", {})
    if start <= span[0] and span[1] <= end:
        return {column: counters.get(_COUNTERS[metric]) for metric, column in _COLUMNS.items()}, ""
    return counts, "no progress by day" if span[0] < end and span[1] >= start else ""


def _until(progress: Progress, moment: datetime) -> float:
    return max((value for ended, value in progress if ended <= moment), default=0.0)


def _worked(job: _Job, row: Row, start: datetime, end: datetime) -> bool:
    span = job.span()
    if any(row[column] for metric, column in _COLUMNS.items() if metric != _TOTAL):
        return True
    return span is not None and span[0] < end and span[1] >= start
