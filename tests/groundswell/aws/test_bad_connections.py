"""Connections that lead nowhere: one message that names the connection and the fix, and nothing published."""

from __future__ import annotations

import pytest
import yaml
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ParamValidationError,
    PartialCredentialsError,
    ReadTimeoutError,
)

from dags import labeling
from groundswell.aws.exceptions import WorkforceUnreachable, clear_errors
from groundswell.aws.operators.mturk import MTurkPublishHitsOperator
from tests.groundswell.aws.desk import Desk, operator

pytestmark = pytest.mark.contract


def test_endpoint_that_nobody_listens_at(desk: Desk) -> None:
    shards = desk.load(path := desk.batch_file(["a"]), "r")
    desk.connect("mturk", "http://127.0.0.1:9")
    desk.monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    task, named = labeling.plan_spend.function, {"run_id": "r", "error": WorkforceUnreachable}
    assert desk.refusal(task, str(path), shards, **named) == (
        "connection 'mturk_default': Could not connect to the endpoint URL: \"http://127.0.0.1:9/\"; check "
        "that the server runs and that endpoint_url in the connection's extra is right"
    )
    publish = operator(MTurkPublishHitsOperator, path, "r", shard=0)
    desk.refusal(publish.execute, {}, error=WorkforceUnreachable)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"password": "wrong"}, "GetAccountBalance was refused (InvalidSignatureException: "),
        ({"login": "nobody"}, "GetAccountBalance was refused (UnrecognizedClientException: "),
        ({"login": "", "password": ""}, "has no credentials; set login (access key) and password"),
    ],
    ids=["secret", "key", "none"],
)
def test_credentials_that_will_not_do(desk: Desk, changes: dict[str, str], says: str) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        desk.monkeypatch.delenv(name, raising=False)
    desk.monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    shards = desk.load(path := desk.batch_file(["a"]), "r")
    desk.connect("mturk", desk.url, **changes)
    message = desk.refusal(labeling.plan_spend.function, str(path), shards, run_id="r")
    assert message.startswith("connection 'mturk_default'")
    assert says in message
    publish = operator(MTurkPublishHitsOperator, path, "r", shard=0)
    assert desk.refusal(publish.execute, {}).startswith("connection 'mturk_default'")


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"endpoint_url": "{url}"}, 'names no region; set "region_name" in the connection\'s extra'),
        (
            {"endpoint_url": "127.0.0.1:9", "region_name": "us-east-1"},
            "Invalid endpoint: 127.0.0.1:9; write endpoint_url in the connection's extra as http://host:port",
        ),
    ],
    ids=["region", "endpoint"],
)
def test_connection_that_is_incomplete(desk: Desk, extra: dict[str, str], says: str) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        desk.monkeypatch.delenv(name, raising=False)
    shards = desk.load(path := desk.batch_file(["a"]), "r")
    extra = {name: value.format(url=desk.url) for name, value in extra.items()}
    desk.connect("mturk", desk.url, extra=extra)
    message = desk.refusal(labeling.plan_spend.function, str(path), shards, run_id="r")
    assert message.startswith("connection 'mturk_default'")
    assert says in message


@pytest.mark.parametrize("service", ["mturk", "aws"])
def test_unknown_connection_never_falls_back_to_what_the_machine_has(desk: Desk, service: str) -> None:
    shards = desk.load(path := desk.batch_file(["a"]), "r")
    # As on a worker with an instance profile: the provider would go on with these, and pay with them
    desk.monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    desk.monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    desk.monkeypatch.setenv("AWS_ENDPOINT_URL", desk.url)
    desk.monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    connections = {"mturk": "mturk_default", "aws": "aws_default"} | {service: "mistyped"}
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"connections": connections}))
    says = (
        "there is no connection 'mistyped'; add it to Airflow, or correct "
        f"connections.{service} in batch.yaml"
    )
    assert desk.refusal(labeling.plan_spend.function, str(path), shards, run_id="r") == says
    assert desk.refusal(operator(MTurkPublishHitsOperator, path, "r", shard=0).execute, {}) == says


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (
            ReadTimeoutError(endpoint_url="http://x"),
            WorkforceUnreachable,
            "connection 'crowd': Read timeout on",
        ),
        (
            ConnectionClosedError(endpoint_url="http://x"),
            WorkforceUnreachable,
            "connection 'crowd': Connection was",
        ),
        (
            ParamValidationError(report="Invalid length\nfor parameter"),
            AirflowFailException,
            "connection 'crowd': Parameter validation failed: Invalid length for parameter",
        ),
        (
            PartialCredentialsError(provider="env", cred_var="secret"),
            AirflowFailException,
            "connection 'crowd' has no credentials; set login (access key) and password (secret key)",
        ),
        (
            ClientError({"Error": {"Code": "ServiceFault", "Message": "try later"}}, "GetHIT"),
            AirflowException,
            "connection 'crowd': GetHIT failed: ServiceFault: try later",
        ),
        (ValueError("not of the connection"), ValueError, "not of the connection"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_airflow_may_try_again(error: Exception, kind: type[Exception], says: str) -> None:
    with pytest.raises(Exception) as caught, clear_errors(connection="crowd"):
        raise error
    assert type(caught.value) is kind
    assert str(caught.value).startswith(says)
