"""What the sources of a day give, from hooks that say what AWS would."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from airflow.sdk.exceptions import AirflowFailException
from botocore.exceptions import ClientError

from groundswell.aws.hooks.cloudwatch import CloudWatchHook, CloudWatchLogsHook, Metric, MetricData
from groundswell.aws.hooks.cognito import CognitoHook
from groundswell.aws.hooks.ground_truth import GroundTruthHook
from groundswell.aws.reporting import activity, directory, jobs, workteam
from groundswell.reports.workteam import Seen

DAY = date(2026, 11, 10)
NEXT = DAY + timedelta(days=1)
UTC_ZONE = ZoneInfo("UTC")
KOLKATA = ZoneInfo("Asia/Kolkata")
MIDNIGHT = datetime(2026, 11, 10, tzinfo=UTC)
NOW = datetime(2026, 11, 12, 6, tzinfo=UTC)
POOL = "us-east-1_abcdefghi"
ANN = Seen("cats", "blue", "ann", POOL)
DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "Ask")


class Logs:
    aws_conn_id = "aws_default"

    def __init__(self, events: Iterable[dict[str, Any]] | None) -> None:
        self.events = events
        self.window = (0, 0)

    def filter_log_events(
        self, log_group: str, *, start_ms: int, end_ms: int
    ) -> Iterator[dict[str, Any]] | None:
        self.window = (start_ms, end_ms)
        return None if self.events is None else iter(self.events)


class Metrics:
    """A CloudWatch that knows values by metric and hour, and lists some of them."""

    aws_conn_id = "aws_default"

    def __init__(
        self, values: dict[Metric, dict[datetime, float]], listed: Collection[Metric] | None = None
    ) -> None:
        self.values = values
        self.listed = values.keys() if listed is None else listed
        self.failed: frozenset[Metric] = frozenset()
        self.periods: list[tuple[int, datetime, datetime]] = []

    def list_metrics(self, namespace: str) -> list[Metric]:
        return sorted(self.listed)

    def metric_data(self, namespace: str, metrics: Iterable[Metric], **request: Any) -> MetricData:
        start, end = request["start"], request["end"]
        self.periods.append((request["period"], start, end))
        found = {
            metric: {at: value for at, value in self.values.get(metric, {}).items() if start <= at < end}
            for metric in metrics
        }
        return MetricData({metric: points for metric, points in found.items() if points}, self.failed)


class Users:
    aws_conn_id = "aws_default"
    is_absent = staticmethod(CognitoHook.is_absent)

    def __init__(self, pools: dict[str, list[dict[str, Any]]]) -> None:
        self.pools = pools
        self.read: list[str] = []

    def users(self, pool_id: str) -> Iterator[dict[str, Any]]:
        if pool_id not in self.pools:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "ListUsers")
        for user in self.pools[pool_id]:
            self.read.append(user["Username"])
            yield user


class LabelingJobs:
    aws_conn_id = "aws_default"

    def __init__(self, *listed: dict[str, Any], named: dict[str, dict[str, Any]] | None = None) -> None:
        self.listed = listed
        self.named = named or {}

    def labeling_jobs(self, **filters: datetime) -> Iterator[dict[str, Any]]:
        return iter(self.listed)

    def find_labeling_job(self, job_name: str) -> dict[str, Any] | None:
        return self.named.get(job_name)


def kinds(problems: Any) -> dict[str, int]:
    return {problem.kind: problem.count for problem in problems}


# --- activity ---------------------------------------------------------------------------------------


def test_events_are_read_with_an_hour_around_the_days() -> None:
    hook = Logs([])
    assert list(activity.pull(cast("CloudWatchLogsHook", hook), "g", DAY, NEXT, KOLKATA)) == []
    start, end = (datetime.fromtimestamp(ms / 1000, UTC) for ms in hook.window)
    assert start == datetime(2026, 11, 9, 17, 30, tzinfo=UTC)
    assert end == datetime(2026, 11, 11, 19, 30, tzinfo=UTC)


def test_events_come_in_blocks() -> None:
    bad = [
        {"eventId": str(n), "timestamp": 1000 * int(MIDNIGHT.timestamp()), "message": str(n)}
        for n in range(5)
    ]
    blocks = list(activity.pull(cast("CloudWatchLogsHook", Logs(bad)), "g", DAY, DAY, UTC_ZONE, block=2))
    assert [kinds(block.problems) for block in blocks] == [{"not JSON": n} for n in (2, 2, 1)]


def test_no_log_group_is_a_problem_of_the_last_day() -> None:
    [parsed] = activity.pull(cast("CloudWatchLogsHook", Logs(None)), "/aws/x", DAY, NEXT, UTC_ZONE)
    assert len(parsed.rows) == 0
    assert [(problem.kind, problem.example, problem.day) for problem in parsed.problems] == [
        ("no log group", "/aws/x", NEXT)
    ]


def test_refused_calls_name_the_connection() -> None:
    def refused() -> Iterator[dict[str, Any]]:
        raise DENIED
        yield

    with pytest.raises(AirflowFailException, match=r"'aws_default'.*not authorized"):
        list(activity.pull(cast("CloudWatchLogsHook", Logs(refused())), "g", DAY, DAY, UTC_ZONE))


# --- workteam ---------------------------------------------------------------------------------------


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


# --- directory --------------------------------------------------------------------------------------


def user(username: str, /, **attributes: str) -> dict[str, Any]:
    return {"Username": username, "Attributes": [{"Name": k, "Value": v} for k, v in attributes.items()]}


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"name": "Ann Lee", "given_name": "A", "email": "a@x.org"}, "Ann Lee"),
        ({"name": " ", "given_name": "Ann", "family_name": "Lee", "preferred_username": "al"}, "Ann Lee"),
        ({"family_name": "Lee", "preferred_username": "al"}, "Lee"),
        ({"preferred_username": "al", "email": "a@x.org"}, "al"),
        ({"email": "a@x.org"}, "a@x.org"),
        ({}, "ann-user"),
        ({"name": "Ann\n\tLee\ud800\x00"}, "Ann Lee"),
        ({"name": "\x00\ud800", "email": "a@x.org"}, "a@x.org"),
        ({"name": "x" * 2048}, "x" * 200),
        ({"name": "<b>Ann</b>"}, "<b>Ann</b>"),
    ],
)
def test_names_of_users(attributes: dict[str, str], name: str) -> None:
    hook = cast("CognitoHook", Users({POOL: [user("ann-user", sub="1", **attributes)]}))
    assert directory.pull(hook, {POOL: ["1"]}) == ({"1": {"name": name, "pool": POOL}}, [])


def test_pools_are_read_until_all_are_found() -> None:
    hook = Users({POOL: [user(str(n), sub=str(n)) for n in range(9)], "eu-west-1_b": [user("x", sub="7")]})
    wanted = {POOL: {"3", "1"}, "eu-west-1_b": {"7"}, "": {"w"}, "eu-west-1_c": set()}
    found, problems = directory.pull(cast("CognitoHook", hook), wanted)
    assert {sub: worker["name"] for sub, worker in found.items()} == {"1": "1", "3": "3", "7": "x"}
    assert problems == []
    assert hook.read == ["x", "0", "1", "2", "3"]


def test_workers_and_pools_that_are_gone() -> None:
    hook = Users({POOL: [user("ann", sub="1")]})
    wanted = {POOL: ["1", "2", "3"], "us-east-1_gone": ["4"], "../etc; DROP": ["5"]}
    found, problems = directory.pull(cast("CognitoHook", hook), wanted)
    assert list(found) == ["1"]
    assert sorted((problem.kind, problem.count) for problem in problems) == [
        ("no longer in the pool", 2),
        ("no such pool", 1),
        ("no such pool", 1),
    ]
    assert POOL not in str(problems)


# --- jobs -------------------------------------------------------------------------------------------

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
