"""Labeling jobs and what they labelled by day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from airflow.sdk.exceptions import AirflowFailException

from groundswell.aws.hooks.cloudwatch import CloudWatchHook, Metric
from groundswell.aws.hooks.ground_truth import GroundTruthHook
from groundswell.aws.reporting import jobs
from tests.groundswell.aws.reporting.source_hooks import (
    ANN,
    DAY,
    DENIED,
    KOLKATA,
    MIDNIGHT,
    NEXT,
    NOW,
    UTC_ZONE,
    LabelingJobs,
    Metrics,
    kinds,
)

LAMBDA = "arn:aws:lambda:us-east-1:432418664414:function:PRE-"


def job(
    name: str = "cats", status: str = "InProgress", begin: float = 1, end: float = 2, **counters: int
) -> Any:
    return {
        "LabelingJobName": name,
        "LabelingJobStatus": status,
        "CreationTime": MIDNIGHT + timedelta(hours=begin),
        "LastModifiedTime": MIDNIGHT + timedelta(hours=end),
        "LabelCounters": counters,
        "WorkteamArn": "arn:aws:sagemaker:us-east-1:1:workteam/private-crowd/blue",
        "PreHumanTaskLambdaArn": f"{LAMBDA}ImageMultiClass",
    }


def progress(
    kind: str, values: dict[float, float], name: str = "cats"
) -> dict[Metric, dict[datetime, float]]:
    found = {MIDNIGHT + timedelta(hours=hour): value for hour, value in values.items()}
    return {Metric.of(kind, {"LabelingJobName": name}): found}


def pull_jobs(
    hook: LabelingJobs, metrics: Metrics | None = None, zone: ZoneInfo = UTC_ZONE, **more: Any
) -> dict[date, Any]:
    return jobs.pull(
        cast("GroundTruthHook", hook),
        cast("CloudWatchHook", metrics or Metrics({})),
        "N",
        DAY,
        NEXT,
        zone,
        **{"now": NOW, **more},
    )


@pytest.mark.parametrize(
    ("arn", "kind"),
    [
        (f"{LAMBDA}ImageMultiClass", "image-classification"),
        (f"{LAMBDA}TextMultiClassMultiLabel", "text-classification-multi-label"),
        (f"{LAMBDA}BoundingBox", "bounding-box"),
        (f"{LAMBDA}VerificationBoundingBox", "bounding-box-verification"),
        (f"{LAMBDA}AdjustmentSemanticSegmentation", "semantic-segmentation-adjustment"),
        (f"{LAMBDA}NamedEntityRecognition", "named-entity-recognition"),
        (f"{LAMBDA}SomethingNew", "unknown"),
        ("arn:aws:lambda:us-east-1:1:function:my-pre-function", "unknown"),
        ("", "unknown"),
    ],
)
def test_task_types(arn: str, kind: str) -> None:
    assert jobs.task_type(arn) == kind


def test_labels_of_a_day_are_the_growth_on_it() -> None:
    metrics = Metrics(
        progress("DatasetObjectsHumanAnnotated", {-30: 3, -1: 5, 0: 6, 23: 9, 30: 20})
        | progress("DatasetObjectsAutoAnnotated", {40: 7})
        | progress("TotalDatasetObjectsLabeled", {-1: 5, 23: 9, 40: 27})
    )
    pulled = pull_jobs(LabelingJobs(job(begin=-48)), metrics)
    assert pulled[DAY] == (
        [
            {
                "job": "cats",
                "team": "blue",
                "task_type": "image-classification",
                "status": "InProgress",
                "human_labels": 4,
                "machine_labels": 0,
                "failed_labels": 0,
                "total": 9,
                "as_of": "2026-11-11T00:00:00+00:00",
            }
        ],
        [],
    )
    [row], _ = pulled[NEXT]
    assert (row["human_labels"], row["machine_labels"], row["total"]) == (11, 7, 27)


def test_midnight_at_half_past() -> None:
    """The half hour before midnight belongs to the day before, in whole hours it could not be told."""
    metrics = Metrics(progress("DatasetObjectsHumanAnnotated", {-6: 5, -5.5: 6, 18: 8, 18.5: 9}))
    pulled = pull_jobs(LabelingJobs(job(begin=-48)), metrics, KOLKATA)
    assert [pulled[day][0][0]["human_labels"] for day in (DAY, NEXT)] == [3, 1]
    assert [period for period, *_ in metrics.periods] == [3600, 1800]
    assert all(start.minute == 0 for _, start, _ in metrics.periods)


def test_a_day_past_the_resolution_leaves_the_others_theirs() -> None:
    """Half hours are kept for 63 days: of two days 64 and 63 days ago the second can still be cut."""
    metrics = Metrics(progress("DatasetObjectsHumanAnnotated", {-6: 5, 10: 6, 18: 8, 18.5: 9}))
    now = MIDNIGHT - timedelta(hours=5.5) + timedelta(days=64)
    pulled = pull_jobs(LabelingJobs(job(begin=-48)), metrics, KOLKATA, now=now)
    assert [pulled[day][0][0]["human_labels"] for day in (DAY, NEXT)] == [None, 1]
    assert [kinds(pulled[day][1]) for day in (DAY, NEXT)] == [{"no progress by day": 1}, {}]
    assert [period for period, *_ in metrics.periods] == [3600, 1800]


def test_a_day_that_is_not_over_counts_what_there_is() -> None:
    metrics = Metrics(progress("DatasetObjectsHumanAnnotated", {-1: 5, 30: 7}))
    metrics.failed = frozenset({Metric.of("TotalDatasetObjectsLabeled", {"LabelingJobName": "cats"})})
    now = MIDNIGHT + timedelta(hours=30, minutes=20)
    [row], problems = pull_jobs(LabelingJobs(job(begin=-48)), metrics, now=now)[NEXT]
    assert (row["human_labels"], row["total"], row["as_of"]) == (2, None, now.isoformat())
    assert kinds(problems) == {"not answered": 1}


def test_counters_count_where_a_job_began_and_ended() -> None:
    counters = {"HumanLabeled": 6, "MachineLabeled": 2, "FailedNonRetryableError": 1, "TotalLabeled": 8}
    pulled = pull_jobs(LabelingJobs(job(status="Completed", **counters)))
    [row], problems = pulled[DAY]
    assert (
        [row[name] for name in ("human_labels", "machine_labels", "failed_labels", "total")],
        problems,
    ) == (
        [6, 2, 1, 8],
        [],
    )
    assert pulled[NEXT] == ([], [])


def test_counters_cannot_be_split_by_day() -> None:
    pulled = pull_jobs(
        LabelingJobs(job(status="Stopped", end=30, HumanLabeled=6), job("dogs", HumanLabeled=6))
    )
    for rows, problems in pulled.values():
        assert [(row["job"], row["human_labels"]) for row in rows] == [("cats", None), ("dogs", None)]
        assert kinds(problems) == {"no progress by day": 2}


def test_jobs_of_other_days_have_no_row() -> None:
    before = job("a", "Completed", begin=-9, end=-8)
    after = job("b", begin=50)
    assert pull_jobs(LabelingJobs(before, after)) == {DAY: ([], []), NEXT: ([], [])}


def test_named_jobs_have_a_row_also_if_they_are_gone() -> None:
    described = {
        "LabelingJobName": "old",
        "LabelingJobStatus": "Completed",
        "CreationTime": MIDNIGHT - timedelta(days=90),
        "LastModifiedTime": MIDNIGHT - timedelta(days=80),
        "HumanTaskConfig": {
            "WorkteamArn": "arn:aws:sagemaker:us-east-1:1:workteam/public-crowd/default",
            "PreHumanTaskLambdaArn": f"{LAMBDA}TextMultiClass",
        },
    }
    hook = LabelingJobs(named={"old": described})
    pulled = pull_jobs(hook, events={DAY: {ANN, ANN._replace(job="old")}})
    rows, problems = pulled[DAY]
    assert [(row["job"], row["status"], row["task_type"], row["team"]) for row in rows] == [
        ("cats", "Gone", "unknown", ""),
        ("old", "Completed", "text-classification", "public"),
    ]
    assert (problems, pulled[NEXT]) == ([], ([], []))


def test_refused_listings_name_the_connection() -> None:
    class Refusing(LabelingJobs):
        def labeling_jobs(self, **filters: datetime) -> Iterator[dict[str, Any]]:
            raise DENIED

    with pytest.raises(AirflowFailException, match="check login"):
        pull_jobs(Refusing())
