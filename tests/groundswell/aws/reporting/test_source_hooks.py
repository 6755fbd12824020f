"""Hooks of CloudWatch, Cognito and Ground Truth, on words that only the real services say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from groundswell.aws.hooks import cloudwatch
from groundswell.aws.hooks.cloudwatch import CloudWatchHook, CloudWatchLogsHook, Metric
from groundswell.aws.hooks.cognito import CognitoHook
from groundswell.aws.hooks.ground_truth import GroundTruthHook
from tests.support.listeners import web_server

GROUP = "/aws/sagemaker/groundtruth/WorkerActivity"
START = datetime(2026, 11, 10, tzinfo=UTC)
DAY = timedelta(days=1)
METRIC = Metric.of("TimeSpent", {"WorkerId": "ann", "LabelingJob": "cats"})


class Stubbed:
    """Hooks whose client answers what a test says, in order, and nothing else."""

    def __init__(self) -> None:
        self.stubs: list[Stubber] = []

    def hook(self, kind: Any, service: str) -> tuple[Any, Stubber]:
        client = boto3.client(
            service, region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t"
        )
        hook = kind(aws_conn_id=None, region_name="us-east-1")
        hook.__dict__["conn"] = client
        stub = Stubber(client)
        stub.activate()
        self.stubs.append(stub)
        return hook, stub


@pytest.fixture
def stubbed() -> Iterator[Stubbed]:
    found = Stubbed()
    yield found
    for stub in found.stubs:
        stub.assert_no_pending_responses()


def log_event(number: int, timestamp: int = 0) -> dict[str, Any]:
    return {"eventId": str(number), "timestamp": timestamp or 1000 + number, "message": str(number)}


def page(*events: dict[str, Any], token: str | None = None) -> dict[str, Any]:
    return {"events": list(events)} | ({"nextToken": token} if token else {})


def asked(**more: Any) -> dict[str, Any]:
    return {"logGroupName": GROUP, "startTime": 1000, "endTime": 1999, "limit": ANY, **more}


def ids(events: Iterator[dict[str, Any]] | None) -> list[int]:
    assert events is not None
    return [int(event["eventId"]) for event in events]


def test_all_pages_of_a_log_group(stubbed: Stubbed) -> None:
    """Also after empty ones; a token that comes twice ends; events outside of the window are left out."""
    hook, stub = stubbed.hook(CloudWatchLogsHook, "logs")
    stub.add_response("filter_log_events", page(token="a"), asked())
    stub.add_response("filter_log_events", page(log_event(1), token="b"), asked(nextToken="a"))
    stub.add_response("filter_log_events", page(token="c"), asked(nextToken="b"))
    last = page(log_event(2), log_event(3, 2000), log_event(4, 999), token="c")
    stub.add_response("filter_log_events", last, asked(nextToken="c"))
    assert ids(hook.filter_log_events(GROUP, start_ms=1000, end_ms=2000)) == [1, 2]


def test_pages_are_read_as_they_are_wanted(stubbed: Stubbed) -> None:
    hook, stub = stubbed.hook(CloudWatchLogsHook, "logs")
    stub.add_response("filter_log_events", page(log_event(1), token="a"), asked())
    events = hook.filter_log_events(GROUP, start_ms=1000, end_ms=2000)
    assert next(events)["eventId"] == "1"


def test_a_log_group_that_is_not_there(stubbed: Stubbed) -> None:
    hook, stub = stubbed.hook(CloudWatchLogsHook, "logs")
    stub.add_client_error(
        "filter_log_events", "ResourceNotFoundException", "The specified log group does not exist."
    )
    assert hook.filter_log_events(GROUP, start_ms=0, end_ms=1) is None
    stub.add_client_error("filter_log_events", "AccessDeniedException", "User is not authorized")
    with pytest.raises(ClientError):
        hook.filter_log_events(GROUP, start_ms=0, end_ms=1)


def test_full_pages_without_a_token_are_continued_by_time(
    stubbed: Stubbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an emulator answers that knows no tokens; events of the same millisecond come once."""
    monkeypatch.setattr(cloudwatch, "EVENTS_PER_PAGE", 3)
    hook, stub = stubbed.hook(CloudWatchLogsHook, "logs")
    pages = [
        (1000, [(1, 1001), (2, 1002), (3, 1002)]),
        (1002, [(2, 1002), (3, 1002), (4, 1002)]),
        (1002, [(2, 1002), (3, 1002), (4, 1002)]),  # more than a page of one millisecond: the rest is lost
        (1003, [(6, 1003), (7, 1004), (8, 1005)]),
        (1005, [(8, 1005)]),
    ]
    for start, events in pages:
        stub.add_response("filter_log_events", page(*(log_event(*e) for e in events)), asked(startTime=start))
    assert ids(hook.filter_log_events(GROUP, start_ms=1000, end_ms=2000)) == [1, 2, 3, 4, 6, 7, 8]


def test_events_at_the_end_of_several_pages_come_once(
    stubbed: Stubbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the last page is full, what comes after it is asked for by its time."""
    monkeypatch.setattr(cloudwatch, "EVENTS_PER_PAGE", 2)
    hook, stub = stubbed.hook(CloudWatchLogsHook, "logs")
    first = page(log_event(1), log_event(2, 1003), token="a")
    stub.add_response("filter_log_events", first, asked())
    full = page(log_event(3, 1003), log_event(4, 1003))
    stub.add_response("filter_log_events", full, asked(nextToken="a"))
    again = page(log_event(2, 1003), log_event(3, 1003), token="b")
    stub.add_response("filter_log_events", again, asked(startTime=1003))
    stub.add_response("filter_log_events", page(log_event(5, 1003)), asked(startTime=1003, nextToken="b"))
    assert ids(hook.filter_log_events(GROUP, start_ms=1000, end_ms=2000)) == [1, 2, 3, 4, 5]


def test_metrics_come_once_each(stubbed: Stubbed) -> None:
    hook, stub = stubbed.hook(CloudWatchHook, "cloudwatch")
    described = {
        "Namespace": "N",
        "MetricName": "TimeSpent",
        "Dimensions": [{"Name": "WorkerId", "Value": "ann"}, {"Name": "LabelingJob", "Value": "cats"}],
    }
    mirrored = {**described, "Dimensions": described["Dimensions"][::-1]}
    bare = {"Namespace": "N", "MetricName": "Bare"}
    stub.add_response(
        "list_metrics", {"Metrics": [described, described], "NextToken": "a"}, {"Namespace": "N"}
    )
    stub.add_response("list_metrics", {"Metrics": [mirrored, bare]}, {"Namespace": "N", "NextToken": "a"})
    assert hook.list_metrics("N") == [Metric("Bare", ()), METRIC]


def result(number: int, *values: tuple[int, float], status: str = "Complete") -> dict[str, Any]:
    return {
        "Id": f"m{number}",
        "Timestamps": [START + timedelta(hours=hour) for hour, _ in values],
        "Values": [value for _, value in values],
        "StatusCode": status,
    }


def test_metric_data_in_batches_and_pages(stubbed: Stubbed) -> None:
    hook, stub = stubbed.hook(CloudWatchHook, "cloudwatch")
    metrics = [Metric.of("TimeSpent", {"WorkerId": str(number)}) for number in range(501)]

    def request(queries: int, **more: Any) -> dict[str, Any]:
        return {
            "MetricDataQueries": [ANY] * queries,
            "StartTime": START,
            "EndTime": START + DAY,
            "ScanBy": "TimestampAscending",
            **more,
        }

    first = [result(0, (0, 1.5), (1, 2.0), status="PartialData"), result(1, status="PartialData")]
    stub.add_response("get_metric_data", {"MetricDataResults": first, "NextToken": "a"}, request(500))
    second = [
        result(0, (1, 2.0), (2, 3.0)),
        result(1, (-1, 9.0), (24, 9.0)),
        result(2, status="InternalError"),
    ]
    stub.add_response("get_metric_data", {"MetricDataResults": second}, request(500, NextToken="a"))
    stub.add_response("get_metric_data", {"MetricDataResults": [result(0, (5, 7.0))]}, request(1))
    data = hook.metric_data("N", metrics, statistic="Sum", period=3600, start=START, end=START + DAY)
    hours = {metric: {at.hour: value for at, value in found.items()} for metric, found in data.values.items()}
    assert hours == {metrics[0]: {0: 1.5, 1: 2.0, 2: 3.0}, metrics[500]: {5: 7.0}}
    assert data.failed == {metrics[2]}


def test_metric_data_asks_for_the_very_metric(stubbed: Stubbed) -> None:
    hook, stub = stubbed.hook(CloudWatchHook, "cloudwatch")
    dimensions = [{"Name": "LabelingJob", "Value": "cats"}, {"Name": "WorkerId", "Value": "ann"}]
    described = {"Namespace": "N", "MetricName": "TimeSpent", "Dimensions": dimensions}
    request = {
        "MetricDataQueries": [
            {"Id": "m0", "MetricStat": {"Metric": described, "Period": 1800, "Stat": "Sum"}}
        ],
        "StartTime": START,
        "EndTime": START + DAY,
        "ScanBy": "TimestampAscending",
    }
    stub.add_response("get_metric_data", {"MetricDataResults": []}, request)
    hook.metric_data("N", [METRIC], statistic="Sum", period=1800, start=START, end=START + DAY)
    nothing = hook.metric_data("N", [], statistic="Sum", period=1800, start=START, end=START + DAY)
    assert (nothing.values, nothing.failed) == ({}, frozenset())


def test_a_message_about_the_whole_call_leaves_the_rest_unanswered(stubbed: Stubbed) -> None:
    hook, stub = stubbed.hook(CloudWatchHook, "cloudwatch")
    metrics = [Metric.of("TimeSpent", {"WorkerId": str(number)}) for number in range(3)]
    # Whatever is left of partial data on the last page was not given
    results = [result(0, (1, 2.0)), result(1, (1, 3.0), status="PartialData")]
    messages = [{"Code": "MaxMetricsExceeded", "Value": "Maximum number of allowed metrics exceeded"}]
    stub.add_response("get_metric_data", {"MetricDataResults": results, "Messages": messages})
    data = hook.metric_data("N", metrics, statistic="Sum", period=3600, start=START, end=START + DAY)
    assert data.values.keys() == set(metrics[:2])
    assert data.failed == set(metrics[1:])


@pytest.mark.parametrize("value", ["", " ", "w\u00f6rker", "a\nb", "x" * 1025, "\ud800"])
def test_metrics_that_cannot_be_are_not_asked_for(stubbed: Stubbed, value: str) -> None:
    """CloudWatch would refuse the whole call; such values come from broken events."""
    hook, stub = stubbed.hook(CloudWatchHook, "cloudwatch")
    stub.add_response("get_metric_data", {"MetricDataResults": [result(0, (1, 2.0))]})
    some = [Metric.of("TimeSpent", {"WorkerId": value}), METRIC]
    data = hook.metric_data("N", some, statistic="Sum", period=3600, start=START, end=START + DAY)
    assert (data.values.keys(), data.failed) == ({METRIC}, frozenset())


@pytest.mark.contract
@pytest.mark.parametrize(
    ("code", "more", "tries"),
    [
        ("TooManyRequestsException", {}, 2),
        ("TooManyRequestsException", {"config_kwargs": {"retries": {"max_attempts": 0}}}, 1),
        ("TooManyRequestsException", {"config_kwargs": {"user_agent_extra": "ours"}}, 2),
        ("NotAuthorizedException", {}, 1),
    ],
)
def test_who_asks_too_often_waits(
    monkeypatch: pytest.MonkeyPatch, code: str, more: dict[str, Any], tries: int
) -> None:
    """Unless the connection says otherwise; what else it says of the client counts as well."""
    with web_server() as server:
        extra = {"region_name": "us-east-1", "endpoint_url": server.url, **more}
        value = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(value))
        server.first = [(400, json.dumps({"__type": code, "message": "no"}))]
        server.answer = 200, json.dumps({"Users": [{"Username": "ann"}]})
        users = CognitoHook().users("us-east-1_a")
        if tries == 1:
            with pytest.raises(ClientError, match=code):
                next(users)
        else:
            assert [user["Username"] for user in users] == ["ann"]
        assert len(server.posted) == tries
        assert ("ours" in server.posted[0].headers["User-Agent"]) == ("user_agent_extra" in str(more))


@pytest.mark.parametrize(
    ("kind", "service"),
    [(CloudWatchHook, "cloudwatch"), (CloudWatchLogsHook, "logs"), (GroundTruthHook, "sagemaker")],
)
def test_all_hooks_of_the_reports_wait(monkeypatch: pytest.MonkeyPatch, kind: Any, service: str) -> None:
    keys = {"conn_type": "aws", "login": "test", "password": "test"}  # else the network is asked for some
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(keys))
    hook = kind(region_name="us-east-1")
    assert hook.conn.meta.service_model.service_name == service
    assert hook.conn.meta.config.retries["mode"] == "standard"
    assert hook.conn.meta.config.retries["total_max_attempts"] == 11


def test_users_of_a_pool(stubbed: Stubbed) -> None:
    hook, stub = stubbed.hook(CognitoHook, "cognito-idp")
    pages = [("ann", None, "a"), (None, "a", "b"), ("bob", "b", "b")]
    for name, token, following in pages:
        request = {"UserPoolId": "us-east-1_a", "Limit": 60} | ({"PaginationToken": token} if token else {})
        users = [{"Username": name}] if name else []
        stub.add_response("list_users", {"Users": users, "PaginationToken": following}, request)
    assert [user["Username"] for user in hook.users("us-east-1_a")] == ["ann", "bob"]


def test_labeling_jobs(stubbed: Stubbed) -> None:
    hook, stub = stubbed.hook(GroundTruthHook, "sagemaker")
    summary = {
        "LabelingJobName": "cats",
        "LabelingJobArn": "arn:aws:sagemaker:us-east-1:1:labeling-job/cats",
        "CreationTime": START,
        "LastModifiedTime": START,
        "LabelingJobStatus": "Completed",
        "LabelCounters": {"TotalLabeled": 3},
        "WorkteamArn": "arn:aws:sagemaker:us-east-1:1:workteam/private-crowd/blue",
    }
    filters = {"CreationTimeAfter": START, "CreationTimeBefore": START + DAY, "MaxResults": 100}
    stub.add_response("list_labeling_jobs", {"LabelingJobSummaryList": [summary], "NextToken": "a"}, filters)
    stub.add_response("list_labeling_jobs", {"LabelingJobSummaryList": []}, {**filters, "NextToken": "a"})
    jobs = hook.labeling_jobs(created_after=START, created_before=START + DAY)
    assert [job["LabelingJobName"] for job in jobs] == ["cats"]
    stub.add_client_error(
        "describe_labeling_job", "ResourceNotFound", "Could not find requested job with name: cats"
    )
    assert hook.find_labeling_job("cats") is None
    for odd in ("", "a job", "-cats", "c" * 64, "c\u00e4ts", "cats_2"):
        assert hook.find_labeling_job(odd) is None, "not asked for: SageMaker refuses such names"
    stub.add_client_error("describe_labeling_job", "AccessDeniedException", "not authorized")
    with pytest.raises(ClientError):
        hook.find_labeling_job("cats")
