from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.sagemaker import SageMakerHook
from botocore.exceptions import ClientError, WaiterError
from botocore.stub import Stubber

from groundswell.aws.hooks.sagemaker import GroundswellSageMakerHook
from groundswell.aws.source_archive import SourceArchive
from tests.groundswell.aws.sagemaker_support import ARN, add_endpoint, add_job, add_missing, stubbed

NO_ENDPOINT = f'Could not find endpoint "{ARN}".'
BUSY = f'Cannot update in-progress endpoint "{ARN}".'


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> GroundswellSageMakerHook:
    value = {"conn_type": "aws", "login": "test", "password": "test", "extra": {"region_name": "us-east-1"}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(value))
    return GroundswellSageMakerHook(region_name="eu-west-1", verify=False, config={"read_timeout": 7})


@pytest.fixture
def stub(hook: GroundswellSageMakerHook) -> Any:
    with stubbed(hook) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_it_is_a_hook_of_the_provider(hook: GroundswellSageMakerHook) -> None:
    assert isinstance(hook, SageMakerHook)
    assert hook.client_type == "sagemaker"


def test_the_hooks_inside_honour_region_verification_and_configuration(
    hook: GroundswellSageMakerHook,
) -> None:
    for inner in (hook.s3_hook, hook.logs_hook, hook._runtime_hook):
        assert inner.conn.meta.region_name == "eu-west-1"
        assert inner._verify is False
        assert inner.conn.meta.config.read_timeout == 7
    assert hook._runtime_hook.conn.meta.service_model.service_name == "sagemaker-runtime"


def test_waiters_of_ours_the_providers_and_botocores(hook: GroundswellSageMakerHook) -> None:
    assert {"endpoint_deleted", "endpoint_settled", "training_job_over"} <= set(hook.list_waiters())
    for name in ("endpoint_settled", "TrainingJobComplete", "endpoint_in_service"):
        assert hook.get_waiter(name)
    with pytest.raises(ValueError, match="Waiter does not exist"):
        hook.get_waiter("no_such_waiter")


def wait(hook: GroundswellSageMakerHook, name: str, **arguments: str) -> None:
    hook.get_waiter(name).wait(**arguments, WaiterConfig={"Delay": 0, "MaxAttempts": 1})


@pytest.mark.parametrize("status", ["Completed", "Failed", "Stopped"])
def test_a_job_is_over(hook: GroundswellSageMakerHook, stub: Stubber, status: str) -> None:
    add_job(stub, status)
    wait(hook, "training_job_over", TrainingJobName="j")


@pytest.mark.parametrize("status", ["InProgress", "Stopping"])
def test_a_job_is_not_over(hook: GroundswellSageMakerHook, stub: Stubber, status: str) -> None:
    add_job(stub, status)
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        wait(hook, "training_job_over", TrainingJobName="j")


def test_a_job_that_is_gone_is_a_failure(hook: GroundswellSageMakerHook, stub: Stubber) -> None:
    add_missing(stub, "describe_training_job")
    with pytest.raises(WaiterError, match="terminal failure"):
        wait(hook, "training_job_over", TrainingJobName="j")


@pytest.mark.parametrize(
    ("waiter", "status", "done"),
    [
        *[
            ("endpoint_settled", s, True)
            for s in ("InService", "OutOfService", "Failed", "UpdateRollbackFailed")
        ],
        *[
            ("endpoint_settled", s, False)
            for s in ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
        ],
        *[("endpoint_deleted", s, False) for s in ("Deleting", "Failed", "InService")],
    ],
)
def test_endpoint_waiters(
    hook: GroundswellSageMakerHook, stub: Stubber, waiter: str, status: str, done: bool
) -> None:
    add_endpoint(stub, status, "c")
    if done:
        wait(hook, waiter, EndpointName="e")
    else:
        with pytest.raises(WaiterError, match="Max attempts exceeded"):
            wait(hook, waiter, EndpointName="e")


@pytest.mark.parametrize("waiter", ["endpoint_settled", "endpoint_deleted"])
def test_an_endpoint_that_is_gone(hook: GroundswellSageMakerHook, stub: Stubber, waiter: str) -> None:
    add_missing(stub, "describe_endpoint", NO_ENDPOINT)
    wait(hook, waiter, EndpointName="e")


def test_absent_things(hook: GroundswellSageMakerHook, stub: Stubber) -> None:
    add_missing(stub, "describe_training_job")
    add_missing(stub, "describe_endpoint", NO_ENDPOINT)
    add_missing(stub, "describe_endpoint", NO_ENDPOINT)
    add_missing(stub, "delete_endpoint_config", 'Could not find endpoint configuration "c".')
    add_missing(stub, "delete_model", 'Could not find model "m".')
    stub.add_client_error("describe_training_job", "ResourceNotFound", "training job not found")
    assert hook.find_training_job("j") is None
    assert hook.find_endpoint("e") is None
    assert hook.delete_endpoint("e") == "absent"
    assert hook.delete_endpoint_config("c") is False
    assert hook.delete_model_if_exists("m") is False
    assert hook.find_training_job("j") is None


def test_other_refusals_are_not_absence(hook: GroundswellSageMakerHook, stub: Stubber) -> None:
    stub.add_client_error("delete_model", "ValidationException", "1 validation error detected: Value 'm_'")
    with pytest.raises(ClientError, match="1 validation error"):
        hook.delete_model_if_exists("m_")
    stub.add_client_error("describe_endpoint", "AccessDeniedException", "could not find your permission")
    with pytest.raises(ClientError, match="AccessDenied"):
        hook.find_endpoint("e")


def test_creating_what_exists(hook: GroundswellSageMakerHook, stub: Stubber) -> None:
    taken = "Training job names must be unique …, and a training job with this name already exists (arn)"
    stub.add_client_error("create_training_job", "ResourceInUse", taken)
    stub.add_client_error("create_model", "ValidationException", 'Cannot create already existing model "m".')
    stub.add_client_error(
        "create_endpoint", "ValidationException", f'Cannot create already existing endpoint "{ARN}".'
    )
    stub.add_client_error("update_endpoint", "ValidationException", BUSY)
    stub.add_response("update_endpoint", {"EndpointArn": ARN})
    stub.add_client_error("create_training_job", "ResourceLimitExceeded", "The account-level service limit …")
    request = {
        "TrainingJobName": "j",
        "AlgorithmSpecification": {"TrainingInputMode": "File"},
        "RoleArn": "arn:aws:iam::000000000000:role/r",
        "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
        "ResourceConfig": {"VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    assert hook.start_training_job(request) is False
    assert hook.ensure_model({"ModelName": "m"}) is False
    assert hook.start_endpoint("e", "c") is False
    assert hook.start_endpoint("e", "c", update=True) is False
    assert hook.start_endpoint("e", "c", update=True) is True
    with pytest.raises(ClientError, match="ResourceLimitExceeded"):
        hook.start_training_job(request)


def test_deleting_an_endpoint(hook: GroundswellSageMakerHook, stub: Stubber) -> None:
    add_endpoint(stub, "InService", "c")
    stub.add_response("delete_endpoint", {}, {"EndpointName": "e"})
    assert hook.delete_endpoint("e") == "deleting"
    add_endpoint(stub, "Deleting", "c")
    assert hook.delete_endpoint("e") == "deleting"
    add_endpoint(stub, "Creating", "c")
    stub.add_client_error("delete_endpoint", "ValidationException", BUSY)
    assert hook.delete_endpoint("e") == "busy"
    add_endpoint(stub, "InService", "c")
    stub.add_client_error("delete_endpoint", "ValidationException", NO_ENDPOINT)
    assert hook.delete_endpoint("e") == "absent"


def test_stopping_a_job(hook: GroundswellSageMakerHook, stub: Stubber) -> None:
    stub.add_response("stop_training_job", {}, {"TrainingJobName": "j"})
    stub.add_client_error(
        "stop_training_job",
        "ValidationException",
        "The request was rejected because the training job is in status Completed.",
    )
    stub.add_client_error("stop_training_job", "ThrottlingException", "Rate exceeded")
    assert hook.stop_training_job("j") is True
    assert hook.stop_training_job("j") is False
    with pytest.raises(ClientError, match="Throttling"):
        hook.stop_training_job("j")


def test_the_end_of_a_log_is_in_the_order_of_time(hook: GroundswellSageMakerHook) -> None:
    with Stubber(hook.logs_hook.conn) as stub:
        names = [{"logStreamName": "j/algo-1"}, {"logStreamName": "j/algo-2"}]
        group = {"logGroupName": "/aws/sagemaker/TrainingJobs"}
        stub.add_response(
            "describe_log_streams", {"logStreams": names}, {**group, "logStreamNamePrefix": "j/"}
        )
        for name, times in (("j/algo-1", (1, 4)), ("j/algo-2", (2, 3))):
            stub.add_response(
                "get_log_events",
                {"events": [{"timestamp": t, "message": f"m{t}"} for t in times]},
                {**group, "logStreamName": name, "limit": 3, "startFromHead": False},
            )
        assert hook.training_log_end("j", 3) == ["m2", "m3", "m4"]
        stub.add_client_error(
            "describe_log_streams", "ResourceNotFoundException", "The specified log group does not exist."
        )
        assert hook.training_log_end("j", 3) == []


def test_code_is_uploaded_once_per_content(hook: GroundswellSageMakerHook) -> None:
    archive = SourceArchive("ab" * 32, b"tar")
    key = "code/abababababababab/sourcedir.tar.gz"
    with Stubber(hook.s3_hook.conn) as stub:
        stub.add_client_error(
            "head_object", "404", "Not Found", 404, expected_params={"Bucket": "b", "Key": key}
        )
        stub.add_response("put_object", {})
        assert hook.upload_source(archive, "s3://b/code/") == f"s3://b/{key}"
        stub.add_response("head_object", {})
        assert hook.upload_source(archive, "s3://b/code") == f"s3://b/{key}"
        stub.assert_no_pending_responses()
