"""Names and requests for SageMaker, made of plain values."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from groundswell.aws.source_archive import encoded_hyperparameters

MAX_NAME = 63
"""Characters in the name of a job, model, endpoint or endpoint configuration."""

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
#: Failures that the next try would meet again: the script's own, and wrong input.
_LASTING = ("AlgorithmError", "ClientError")
#: What the script itself printed last when it failed: "ValueError: …", "train.py: error: …".
_SAID = re.compile(r"\b\w*(error|exception): \S", re.IGNORECASE)
_TOOLKIT = "sagemaker-training-toolkit"
_VARIANT = "AllTraffic"


def check_name(parameter: str, name: str) -> None:
    """
    Check a name before anything is made with it.

    :raises AirflowFailException: SageMaker would refuse it.
    """
    if not isinstance(name, str) or len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise AirflowFailException(
            f"{parameter}: {name!r} is not a SageMaker name; use 1 to {MAX_NAME} letters, digits and "
            "hyphens, with a letter or digit first and last"
        )


def suffixed(name: str, suffix: str) -> str:
    """Return ``name-suffix``, with the name cut where the two would be too long."""
    return f"{name[: MAX_NAME - len(suffix) - 1].rstrip('-')}-{suffix}"


def numbered(name: str, number: int) -> str:
    """Return the name of a job's n-th try: the name itself, then ``name-2``, ``name-3`` and so on."""
    return name if number == 1 else suffixed(name, str(number))


def training_request(
    config: Mapping[str, Any],
    *,
    name: str,
    role_arn: str,
    hyperparameters: Mapping[str, Any],
    entry_point: str,
    source: str | None,
    region: str,
) -> dict[str, Any]:
    """Return the request of CreateTrainingJob; with ``source`` (an S3 URI), one for script mode."""
    parameters = {**config.get("HyperParameters", {}), **encoded_hyperparameters(hyperparameters)}
    if source is not None:
        parameters |= encoded_hyperparameters(
            {
                "sagemaker_program": entry_point,
                "sagemaker_submit_directory": source,
                "sagemaker_region": region,
                "sagemaker_job_name": name,
                "sagemaker_container_log_level": 20,
            }
        )
    request = {**config, "TrainingJobName": name, "RoleArn": role_arn}
    return {**request, "HyperParameters": parameters} if parameters else request


def differences(job: Mapping[str, Any], config: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """
    Say in what a job that exists is not the one that would be started now.

    :param job: its description
    :param config: what would be asked for
    :param wanted: hyperparameters that would be passed, not yet encoded
    """
    found = []
    for part in ("AlgorithmSpecification", "ResourceConfig", "InputDataConfig"):
        if part in config and not _covers(job.get(part), config[part]):
            found.append(part)
    given = job.get("HyperParameters", {})
    expected = {**config.get("HyperParameters", {}), **encoded_hyperparameters(wanted)}
    found += [f"HyperParameters.{name}" for name, value in expected.items() if given.get(name) != value]
    return found


def _covers(actual: Any, asked: Any) -> bool:
    """Whether ``actual`` holds what was asked for; descriptions add defaults."""
    if isinstance(asked, Mapping):
        return isinstance(actual, Mapping) and all(_covers(actual.get(key), asked[key]) for key in asked)
    if isinstance(asked, list | tuple):
        same_length = isinstance(actual, list | tuple) and len(actual) == len(asked)
        return same_length and all(_covers(actual[at], each) for at, each in enumerate(asked))
    return str(actual) == str(asked)  # templated numbers are text


def training_failure(name: str, job: Mapping[str, Any], log: Sequence[str]) -> AirflowException:
    """
    Return the exception for a job that ended without a model.

    Trying again can help only where the service itself failed.

    :param log: the end of the job's log. The container's FailureReason often does not quote the script.
    """
    status, secondary = job["TrainingJobStatus"], job.get("SecondaryStatus", "")
    if status == "Stopped":
        why = "it reached MaxRuntimeInSeconds; raise it" if secondary == "MaxRuntimeExceeded" else secondary
        return AirflowFailException(
            f"training job {name} was stopped ({why or 'no reason given'}); clear this task to start another"
        )
    reason = job.get("FailureReason") or "no reason given"
    said = next((line.strip() for line in reversed(log) if _tells(line)), "")
    message = f"training job {name} {str(status).lower()}: {said or reason}"
    if said:
        message += f" ({' '.join(reason.split())})"
    if reason.startswith(_LASTING):
        return AirflowFailException(f"{message}; correct the cause and clear this task")
    return AirflowException(message)


def _tells(line: str) -> bool:
    return _TOOLKIT not in line and bool(_SAID.search(line))


@dataclass(frozen=True)
class Deployment:
    """
    What an endpoint shall serve.

    :param model: the request of CreateModel
    :param endpoint_config: the request of CreateEndpointConfig
    """

    endpoint_name: str
    model: dict[str, Any]
    endpoint_config: dict[str, Any]

    @property
    def names(self) -> dict[str, str]:
        """The names of what is made, for cleaning up."""
        return {
            "endpoint_name": self.endpoint_name,
            "endpoint_config_name": self.endpoint_config["EndpointConfigName"],
            "model_name": self.model["ModelName"],
        }


def deployment(
    *,
    endpoint_name: str,
    training_job_name: str,
    container: Mapping[str, Any],
    role_arn: str,
    instance_type: str,
    instance_count: int,
) -> Deployment:
    """
    Name model and configuration after the job and a hash of everything else.

    They cannot be changed once made, so another content needs another name; the same content gets the same.
    """
    content = [container, role_arn, instance_type, instance_count]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    name = suffixed(training_job_name, digest)
    variant = {
        "VariantName": _VARIANT,
        "ModelName": name,
        "InstanceType": instance_type,
        "InitialInstanceCount": instance_count,
        "InitialVariantWeight": 1.0,
    }
    return Deployment(
        endpoint_name=endpoint_name,
        model={"ModelName": name, "PrimaryContainer": dict(container), "ExecutionRoleArn": role_arn},
        endpoint_config={"EndpointConfigName": name, "ProductionVariants": [variant]},
    )


def serving_environment(entry_point: str, source: str, region: str) -> dict[str, str]:
    """Return what a script-mode container needs to know in order to serve."""
    return {
        "SAGEMAKER_PROGRAM": entry_point,
        "SAGEMAKER_SUBMIT_DIRECTORY": source,
        "SAGEMAKER_REGION": region,
        "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
    }
