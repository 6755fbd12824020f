"""The sources of the reports over the real APIs of the local cloud."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from groundswell.aws.hooks.cloudwatch import CloudWatchHook, CloudWatchLogsHook
from groundswell.aws.hooks.cognito import CognitoHook
from groundswell.aws.hooks.ground_truth import GroundTruthHook
from groundswell.aws.reporting import activity, directory, jobs, workteam
from groundswell.reports.days import bounds
from groundswell.reports.workteam import seen, totals
from tests.support.cloud_process import CloudProcess

pytestmark = pytest.mark.contract

GROUP = "/aws/sagemaker/groundtruth/WorkerActivity"
NAMESPACE = "AWS/SageMaker/Workteam"
ZONE = ZoneInfo("Asia/Kolkata")
DAY = datetime.now(ZONE).date() - timedelta(days=2)
START, END = bounds(DAY, DAY, ZONE)
EVENTS = 5_000  # 1 MiB, a page, holds about 1,300
TEAM_ARN = "arn:aws:sagemaker:us-east-1:000000000000:workteam/private-crowd/blue"
JOB_ARN = "arn:aws:sagemaker:us-east-1:000000000000:labeling-job/"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    process = CloudProcess(tmp_path_factory.mktemp("cloud") / "state")
    process.start()
    yield process
    process.stop()


@pytest.fixture(autouse=True)
def connection(cloud: CloudProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, cloud.endpoint_url)


def connect(monkeypatch: pytest.MonkeyPatch, url: str, **changes: Any) -> None:
    extra = {"region_name": "us-east-1", "endpoint_url": url}
    value = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra, **changes}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(value))


def written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%a %b %d %H:%M:%S UTC %Y")


def message(at: datetime, seconds: float, job: str, worker: str, pool: str = "us-east-1_a") -> str:
    return json.dumps(
        {
            "worker_id": "cd449a289e129409",
            "cognito_user_pool_id": pool,
            "cognito_sub_id": worker,
            "task_accepted_time": written(at - timedelta(seconds=seconds)),
            "task_submitted_time": written(at),
            "task_returned_time": "",
            "task_declined_time": "",
            "workteam_arn": TEAM_ARN,
            "labeling_job_arn": JOB_ARN + job,
            "job_type": "Private",
            "event_type": "TasksSubmitted",
            "event_timestamp": str(int(at.timestamp())),
        }
    )


def put_events(cloud: CloudProcess, group: str, streams: dict[str, list[tuple[datetime, str]]]) -> None:
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName=group)
    for name, events in streams.items():
        logs.create_log_stream(logGroupName=group, logStreamName=name)
        entries = [{"timestamp": int(at.timestamp() * 1000), "message": text} for at, text in sorted(events)]
        for begin in range(0, len(entries), 1000):
            some = entries[begin : begin + 1000]
            logs.put_log_events(logGroupName=group, logStreamName=name, logEvents=some)


def test_all_events_of_a_day_with_several_pages(cloud: CloudProcess) -> None:
    """Of two streams, a second apart, from before the day until after it; one is delivered twice."""
    begin = START - timedelta(minutes=30)
    step = (END - START + timedelta(hours=1)) / EVENTS
    moments = [(begin + n * step).replace(microsecond=0) for n in range(EVENTS)]
    lines = [(at, message(at, 5, f"job-{n % 3}", f"worker-{n}")) for n, at in enumerate(moments)]
    put_events(cloud, GROUP, {"a": lines[::2], "b": [*lines[1::2], lines[3000]]})
    expected = {f"worker-{n}" for n, at in enumerate(moments) if START <= at < END}
    assert 4_500 < len(expected) < EVENTS

    blocks = list(activity.pull(CloudWatchLogsHook(), GROUP, DAY, DAY, ZONE, block=2000))
    workers = [worker for block in blocks for worker in block.rows["worker"]]
    assert len(workers) == len(expected)
    assert set(workers) == expected
    assert [(p.kind, p.count) for block in blocks for p in block.problems] == [("duplicate delivery", 1)]
    assert len(blocks) == 3


def test_no_log_group() -> None:
    [parsed] = activity.pull(CloudWatchLogsHook(), "/no/such/group", DAY, DAY, ZONE)
    assert [problem.kind for problem in parsed.problems] == ["no log group"]


def test_documented_example_by_events_and_by_metrics(cloud: CloudProcess) -> None:
    """14 tasks, 2.28 minutes, 9.78 seconds per task; sets of dimensions overlap and are not added."""
    worker = "d6947aeb-0650-447a-ab5d-894db61017fd"
    moments = [START + timedelta(minutes=40 * n) for n in range(14)]
    lines = [(at, message(at, 9 + (n < 11), "metrics-demo", worker)) for n, at in enumerate(moments)]
    put_events(cloud, "/example", {"a": lines})
    by_worker = [
        {"Name": "CognitoUserPool", "Value": "us-east-1_a"},
        {"Name": "LabelingJob", "Value": "metrics-demo"},
        {"Name": "WorkerId", "Value": worker},
    ]
    data = [
        {"MetricName": name, "Dimensions": dimensions, "Timestamp": at, "Value": value}
        for at in [*moments, START - timedelta(minutes=10), END + timedelta(minutes=10)]
        for name, value in (("TasksSubmitted", 1.0), ("TimeSpent", 9.78))
        for dimensions in (by_worker, by_worker[1:2], [{"Name": "Workteam", "Value": "blue"}])
    ]
    cloud.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=data)

    [parsed] = activity.pull(CloudWatchLogsHook(), "/example", DAY, DAY, ZONE)
    pulled = workteam.pull(CloudWatchHook(), NAMESPACE, DAY, DAY, ZONE, events={DAY: seen(parsed.rows)})
    points, problems = pulled[DAY]
    table, more = totals(points, DAY, ZONE, {"metrics-demo": "blue"})
    assert problems + more == []
    assert table[["job", "team", "worker", "measure", "value"]].values.tolist() == [
        ["metrics-demo", "blue", worker, "active_seconds", 136.92],
        ["metrics-demo", "blue", worker, "submitted", 14.0],
    ]
    assert (round(136.92 / 60, 2), round(136.92 / 14, 2)) == (2.28, 9.78)
    assert (len(parsed.rows), parsed.rows["seconds"].sum()) == (14, 137.0)


def test_more_users_than_a_page(cloud: CloudProcess) -> None:
    cognito = cloud.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="workers")["UserPool"]["Id"]
    subs = {}
    for number in range(130):
        attributes = [{"Name": "name", "Value": f"Worker {number}"}]
        user = cognito.admin_create_user(
            UserPoolId=pool, Username=f"w{number}", UserAttributes=attributes, MessageAction="SUPPRESS"
        )["User"]
        subs[f"w{number}"] = next(item["Value"] for item in user["Attributes"] if item["Name"] == "sub")
    cognito.admin_delete_user(UserPoolId=pool, Username="w129")

    found, problems = directory.pull(CognitoHook(), {pool: subs.values(), "us-east-1_gone": ["1"]})
    assert {worker["name"] for worker in found.values()} == {f"Worker {number}" for number in range(129)}
    assert found[subs["w99"]] == {"name": "Worker 99", "pool": pool}
    assert sorted((problem.kind, problem.count) for problem in problems) == [
        ("no longer in the pool", 1),
        ("no such pool", 1),
    ]


def test_labeling_jobs_that_are_not_there(cloud: CloudProcess) -> None:
    """Their metrics still tell what people and the machine have done."""
    values = {"DatasetObjectsHumanAnnotated": (3.0, 8.0), "DatasetObjectsAutoAnnotated": (0.0, 4.0)}
    data = [
        {
            "MetricName": name,
            "Dimensions": [{"Name": "LabelingJobName", "Value": "cats"}],
            "Timestamp": at,
            "Value": value,
        }
        for name, (before, after) in values.items()
        for at, value in ((START - timedelta(hours=1), before), (END - timedelta(minutes=29), after))
    ]
    namespace = "AWS/SageMaker/LabelingJobs"
    cloud.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data)
    events: dict[date, Any] = {DAY: {workteam.Seen("cats", "blue", "ann", "")}}
    pulled = jobs.pull(GroundTruthHook(), CloudWatchHook(), namespace, DAY, DAY, ZONE, events=events)
    [row], problems = pulled[DAY]
    assert (row["human_labels"], row["machine_labels"], row["status"]) == (5, 4, "Gone")
    assert problems == []


def test_wrong_keys_and_wrong_addresses(cloud: CloudProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    connect(monkeypatch, cloud.endpoint_url, login=None, password=None, extra={"region_name": ""})
    with pytest.raises(AirflowException, match="connection 'aws_default'"):
        workteam.pull(CloudWatchHook(), NAMESPACE, DAY, DAY, ZONE)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        connect(monkeypatch, f"http://127.0.0.1:{nobody.getsockname()[1]}")
        hook = CognitoHook(config={"retries": {"max_attempts": 0}})
        with pytest.raises(AirflowException, match="check that the server runs") as caught:
            directory.pull(hook, {"us-east-1_a": ["1"]})
    assert not isinstance(caught.value, AirflowFailException)
