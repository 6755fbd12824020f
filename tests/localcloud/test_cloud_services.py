"""Every service of the local cloud on its one port, and what it says about those that it does not have."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.support.cloud_process import CloudProcess

pytestmark = pytest.mark.contract


def error_of(caught: pytest.ExceptionInfo[ClientError]) -> dict[str, Any]:
    found: dict[str, Any] = caught.value.response["Error"]
    return found


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def test_health_names_every_service(cloud: CloudProcess) -> None:
    with urllib.request.urlopen(f"{cloud.endpoint_url}/health") as response:
        health = json.load(response)
    assert health == {
        "status": "ok",
        "services": {"emulator": "ready", "workforce": "ready", "sagemaker": "ready"},
    }


def test_browser_is_sent_to_the_workers_site(cloud: CloudProcess) -> None:
    with urllib.request.urlopen(cloud.endpoint_url) as response:
        assert response.url.startswith(f"{cloud.endpoint_url}/worker")
        assert "text/html" in response.headers["content-type"]


def test_logs(cloud: CloudProcess) -> None:
    logs = cloud.client("logs")
    group = unique("/aws/sagemaker/TrainingJobs")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="job/algo-1")
    now = int(time.time() * 1000)
    logs.put_log_events(
        logGroupName=group, logStreamName="job/algo-1", logEvents=[{"timestamp": now, "message": "hello"}]
    )
    events = logs.get_log_events(logGroupName=group, logStreamName="job/algo-1", startFromHead=True)["events"]
    assert [event["message"] for event in events] == ["hello"]
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=group)


def test_cloudwatch_metrics(cloud: CloudProcess) -> None:
    cloudwatch = cloud.client("cloudwatch")
    namespace = unique("Groundswell")
    cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[{"MetricName": "Answers", "Value": value, "Unit": "Count"} for value in (2.0, 3.0)],
    )
    now = datetime.now(UTC)
    answer = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName="Answers",
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=3600,
        Statistics=["Sum", "SampleCount"],
    )
    assert sum(point["Sum"] for point in answer["Datapoints"]) == 5.0


def test_sqs(cloud: CloudProcess) -> None:
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    assert url.startswith(cloud.endpoint_url), "a queue must be reached through the front"
    sqs.send_message(QueueUrl=url, MessageBody="work")
    message = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2)["Messages"][0]
    assert message["Body"] == "work"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    sqs.delete_queue(QueueUrl=url)


def test_identity_and_roles(cloud: CloudProcess) -> None:
    assert cloud.client("sts").get_caller_identity()["Account"] == "000000000000"
    iam = cloud.client("iam")
    name = unique("role")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    assert iam.get_role(RoleName=name)["Role"]["Arn"] == f"arn:aws:iam::000000000000:role/{name}"
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName=unique("missing"))


def test_cognito(cloud: CloudProcess) -> None:
    cognito = cloud.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName=unique("annotators"))["UserPool"]["Id"]
    cognito.admin_create_user(UserPoolId=pool, Username="ann")
    assert [user["Username"] for user in cognito.list_users(UserPoolId=pool)["Users"]] == ["ann"]
    assert pool in [found["Id"] for found in cognito.list_user_pools(MaxResults=60)["UserPools"]]


def test_mturk(cloud: CloudProcess) -> None:
    assert Decimal(cloud.client("mturk").get_account_balance()["AvailableBalance"]) > 9000


def test_sagemaker(cloud: CloudProcess) -> None:
    found = cloud.client("sagemaker").list_training_jobs(NameContains=unique("none-of-this-name"))
    assert found["TrainingJobSummaries"] == []


@pytest.mark.parametrize("keys", [{"key": "nobody"}, {"secret": "wrong"}])
@pytest.mark.parametrize(
    ("service", "call"), [("mturk", "get_account_balance"), ("sagemaker", "list_models")]
)
def test_wrong_credentials_are_refused(
    cloud: CloudProcess, service: str, call: str, keys: dict[str, str]
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(cloud.client(service, **keys), call)()
    assert error_of(caught)["Code"] in (
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "IncompleteSignature",
    )


def test_unsigned_invocation_is_refused(cloud: CloudProcess) -> None:
    request = urllib.request.Request(
        f"{cloud.endpoint_url}/endpoints/any/invocations", data=b"1", method="POST"
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    with caught.value as response:
        assert 400 <= response.code < 500
        assert json.load(response)["Code"] == "MissingAuthenticationTokenException"


@pytest.mark.parametrize(
    ("service", "call", "arguments", "code"),
    [
        ("comprehend", "list_endpoints", {}, "UnknownOperationException"),
        ("polly", "describe_voices", {}, "UnknownOperationException"),
        ("redshift", "describe_clusters", {}, "InvalidAction"),
        (
            "sagemaker-a2i-runtime",
            "describe_human_loop",
            {"HumanLoopName": "loop"},
            "UnknownOperationException",
        ),
    ],
)
def test_absent_services_answer_with_a_typed_error(
    cloud: CloudProcess, service: str, call: str, arguments: dict[str, str], code: str
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(cloud.client(service), call)(**arguments)
    assert error_of(caught)["Code"] == code
    assert "local cloud" in error_of(caught)["Message"]


@pytest.mark.parametrize("path", ["/_ministack/reset", "/_ministack/config"])
def test_the_emulators_own_reset_is_out_of_reach(cloud: CloudProcess, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(f"{cloud.endpoint_url}{path}", data=b"", method="POST"))
    with caught.value as response:
        assert response.code == 403


def test_everything_listens_on_loopback(cloud: CloudProcess) -> None:
    listening = [
        connection.laddr.ip
        for process in (psutil.Process(cloud.pid), *cloud.children())
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 2
    assert set(listening) <= {"127.0.0.1", "::1"}


EVIL = {"Origin": "https://evil.example", "Content-Type": "text/plain"}


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("OPTIONS", "/bucket/key", {**EVIL, "Access-Control-Request-Method": "PUT"}),
        ("PUT", "/bucket-of-a-page", EVIL),
        ("POST", "/2015-03-31/functions/f/invocations", EVIL),
        ("GET", "/health", {"Host": "evil.example"}),
        ("GET", "/worker", {"Host": "127.0.0.1.evil.example"}),
    ],
)
def test_web_pages_are_refused(cloud: CloudProcess, method: str, path: str, headers: dict[str, str]) -> None:
    data = None if method == "GET" else b""
    request = urllib.request.Request(f"{cloud.endpoint_url}{path}", data, headers, method=method)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    with caught.value as response:
        assert response.code == 403
        assert b"<Code>AccessDenied</Code>" in response.read()
        assert not [name for name in response.headers if name.lower().startswith("access-control")]


def test_a_signed_call_of_a_page_does_nothing(cloud: CloudProcess) -> None:
    client = cloud.client("sagemaker")
    client.meta.events.register(
        "before-sign.sagemaker", lambda request, **_: request.headers.add_header("Origin", EVIL["Origin"])
    )
    with pytest.raises(ClientError) as caught:
        client.list_models()
    assert error_of(caught)["Code"] == "AccessDenied"
