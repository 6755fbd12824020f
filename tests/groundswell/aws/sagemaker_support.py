"""What tests of the SageMaker operators share."""

from __future__ import annotations

import functools
from typing import Any

import boto3
from botocore.stub import Stubber

NOT_FOUND = "Requested resource not found."
ARN = "arn:aws:sagemaker:us-east-1:000000000000:endpoint/e"


class FakeContext(dict[str, Any]):
    """A task's context, as far as the operators use it."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}
        super().__init__(ti=self)

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


@functools.cache
def sagemaker_client() -> Any:
    """A client of its own; one for all tests, since SageMaker's model takes half a second to load."""
    return boto3.client(
        "sagemaker", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )


def stubbed(hook: Any) -> Stubber:
    """Make a hook talk to a stub; calls must come in the order in which their answers are added."""
    hook.__dict__["conn"] = sagemaker_client()
    return Stubber(sagemaker_client())


def add_missing(stubber: Stubber, operation: str, message: str = NOT_FOUND) -> None:
    stubber.add_client_error(operation, "ValidationException", message, http_status_code=400)


def add_job(stubber: Stubber, status: str, **members: Any) -> None:
    stubber.add_response("describe_training_job", job(status, **members))


def add_endpoint(stubber: Stubber, status: str, config: str, **members: Any) -> None:
    stubber.add_response("describe_endpoint", endpoint(status, config, **members))


def job(status: str, **members: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": "j",
        "TrainingJobArn": "arn:aws:sagemaker:us-east-1:000000000000:training-job/j",
        "TrainingJobStatus": status,
        "SecondaryStatus": members.pop("SecondaryStatus", "Training"),
        "ModelArtifacts": {"S3ModelArtifacts": "s3://b/j/output/model.tar.gz"},
        "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": "image"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 1800},
        "CreationTime": 1_700_000_000,
        **members,
    }


def endpoint(status: str, config: str, **members: Any) -> dict[str, Any]:
    return {
        "EndpointName": "e",
        "EndpointArn": ARN,
        "EndpointConfigName": config,
        "EndpointStatus": status,
        "CreationTime": 1_700_000_000,
        "LastModifiedTime": 1_700_000_000,
        **members,
    }
