"""What of CreateTrainingJob can be honoured here; the rest is refused before anything starts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from localcloud.sagemaker.errors import NotSupported, Refused
from localcloud.sagemaker.s3_files import S3Problem, S3Uri

FILE_MODES = frozenset({"File", "FastFile"})
"""Input modes in which a script finds files; streaming them lazily would look the same to it."""

_KEPT = (
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "VpcConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "DebugHookConfig",
    "ExperimentConfig",
    "TensorBoardOutputConfig",
    "ProfilerConfig",
    "Environment",
    "RetryStrategy",
)
_REFUSED = {
    "ServerlessJobConfig": "give AlgorithmSpecification, ResourceConfig and StoppingCondition",
    "DebugRuleConfigurations": "leave it out",
    "ProfilerRuleConfigurations": "leave it out",
    "ModelPackageConfig": "leave it out",
}
DEFAULT_RUNTIME = 86_400


def check_training_request(params: Mapping[str, Any]) -> None:
    """Raise Refused when a job could not run as asked; botocore's model was checked before."""
    for member, fix in _REFUSED.items():
        if params.get(member):
            raise NotSupported(member, fix)
    for member in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
        if member not in params:
            raise Refused(f"{member} is required.")
    _check_algorithm(params["AlgorithmSpecification"], params)
    _check_resources(params["ResourceConfig"])
    _check_uri("OutputDataConfig.S3OutputPath", params["OutputDataConfig"]["S3OutputPath"])
    _check_channels(params)


def kept(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that DescribeTrainingJob gives back as they came."""
    return {name: params[name] for name in _KEPT if name in params}


def script_of(params: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the script mode's (program, source directory) of a job, as the toolkit finds them."""
    hyper_parameters = params.get("HyperParameters", {})
    environment = params.get("Environment", {})

    def value(name: str) -> str | None:
        given = hyper_parameters.get(name)
        return _plain(given) if given is not None else environment.get(name.upper())

    return value("sagemaker_program"), value("sagemaker_submit_directory")


def _plain(value: str) -> str:
    """Return a hyperparameter without the JSON quotes that the SDK puts around strings."""
    try:
        return str(json.loads(value))
    except ValueError:
        return value


def _check_algorithm(algorithm: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    if "TrainingImage" not in algorithm:
        raise NotSupported("Training without TrainingImage", "name an image; it is recorded, not pulled")
    for member in ("ContainerEntrypoint", "ContainerArguments"):
        if member in algorithm:
            raise NotSupported(member, "images are not run here; use script mode (sagemaker_program)")
    _check_mode("AlgorithmSpecification.TrainingInputMode", algorithm["TrainingInputMode"])
    program, source = script_of(params)
    if not program or not source:
        raise NotSupported(
            "Training with an image's own algorithm",
            "images are not run here; use script mode: hyperparameters sagemaker_program (the script) and "
            "sagemaker_submit_directory (s3:// URI of its .tar.gz)",
        )
    for definition in algorithm.get("MetricDefinitions", []):
        try:
            re.compile(definition["Regex"])
        except (re.error, OverflowError, RecursionError) as error:
            raise Refused(
                f"The regular expression of metric '{definition['Name']}' is not valid: {error}."
            ) from error


def _check_resources(resources: Mapping[str, Any]) -> None:
    if "InstanceGroups" in resources:
        raise NotSupported("ResourceConfig.InstanceGroups", "give InstanceType and InstanceCount 1")
    if resources.get("InstanceCount", 1) != 1:
        raise NotSupported("Training on several instances", "set ResourceConfig.InstanceCount to 1")


def _check_mode(member: str, mode: str) -> None:
    if mode not in FILE_MODES:
        raise NotSupported(f"{member} {mode}", "use File")


def _check_channels(params: Mapping[str, Any]) -> None:
    names = set()
    for channel in params.get("InputDataConfig", []):
        name = channel["ChannelName"]
        if name in (".", ".."):  # AWS's pattern has them, but a channel is a folder here as there
            raise Refused(f"Invalid ChannelName '{name}' in InputDataConfig; choose a name for a folder.")
        if name in names:
            raise Refused(f"Duplicate channel name '{name}' in InputDataConfig.")
        names.add(name)
        _check_channel(name, channel)


def _check_channel(name: str, channel: Mapping[str, Any]) -> None:
    source = channel.get("DataSource", {}).get("S3DataSource")
    if source is None:
        raise NotSupported(f"The data source of channel '{name}'", "use an S3DataSource")
    if "InputMode" in channel:
        _check_mode(f"Channel '{name}' InputMode", channel["InputMode"])
    if source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        raise NotSupported(
            f"Channel '{name}' S3DataType {source['S3DataType']}", "use S3Prefix or ManifestFile in File mode"
        )
    if channel.get("RecordWrapperType", "None") != "None":
        raise NotSupported(f"Channel '{name}' RecordWrapperType", "use None")
    _check_uri(f"channel '{name}' S3Uri", source["S3Uri"])


def _check_uri(what: str, uri: str) -> None:
    try:
        S3Uri.parse(uri)
    except S3Problem as error:
        raise Refused(f"Invalid {what}: {error}") from error
