"""What a training container finds: directories, configuration files, environment.

Protocol: "How Amazon SageMaker Provides Training Information" and "How Amazon SageMaker Processes
Training Output", Amazon SageMaker developer guide. ``/opt/ml`` is a directory of the job, which the
toolkit finds by ``SAGEMAKER_BASE_DIR``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.sagemaker.process import clean_environment

HOST = "algo-1"
GROUP = "homogeneousCluster"


@dataclass(frozen=True)
class JobFolder:
    """The directory of one job; ``base`` plays ``/opt/ml``."""

    root: Path

    @property
    def base(self) -> Path:
        """``/opt/ml``."""
        return self.root / "opt" / "ml"

    @property
    def code(self) -> Path:
        """Where the toolkit puts the script, and runs it."""
        return self.base / "code"

    @property
    def model(self) -> Path:
        """What becomes model.tar.gz."""
        return self.base / "model"

    @property
    def output_data(self) -> Path:
        """What becomes output.tar.gz."""
        return self.base / "output" / "data"

    @property
    def packages(self) -> Path:
        """Where requirements.txt of a script is installed, so that jobs do not change each other's."""
        return self.root / "packages"

    def channel(self, name: str) -> Path:
        """The files of an input channel."""
        return self.base / "input" / "data" / name

    def failure(self) -> str | None:
        """Return what the container wrote about its failure."""
        path = self.base / "output" / "failure"
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def prepare(folder: JobFolder, job: Mapping[str, Any]) -> None:
    """Make the directories and the three configuration files."""
    config = folder.base / "input" / "config"
    for path in (config, folder.base / "input" / "data", folder.model, folder.code, folder.output_data):
        path.mkdir(parents=True, exist_ok=True)
    _write(config / "hyperparameters.json", job.get("HyperParameters", {}))
    _write(config / "inputdataconfig.json", input_data_config(job))
    _write(config / "resourceconfig.json", resource_config(job["ResourceConfig"]))


def input_data_config(job: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the channels as inputdataconfig.json describes them."""
    default_mode = job["AlgorithmSpecification"]["TrainingInputMode"]
    channels = {}
    for channel in job.get("InputDataConfig", []):
        source = channel["DataSource"]["S3DataSource"]
        entry = {
            "TrainingInputMode": channel.get("InputMode", default_mode),
            "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
        }
        if "ContentType" in channel:
            entry["ContentType"] = channel["ContentType"]
        channels[channel["ChannelName"]] = entry
    return channels


def resource_config(resources: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cluster of one host as resourceconfig.json describes it."""
    instance = resources.get("InstanceType", "local")
    group = {"instance_group_name": GROUP, "instance_type": instance, "hosts": [HOST]}
    return {
        "current_host": HOST,
        "current_instance_type": instance,
        "current_group_name": GROUP,
        "hosts": [HOST],
        "instance_groups": [group],
        "network_interface_name": "lo",
    }


def environment(folder: JobFolder, job: Mapping[str, Any], python: Path, endpoint_url: str) -> dict[str, str]:
    """Return the environment variables of the training process."""
    region = job["TrainingJobArn"].split(":")[3]
    return clean_environment(
        python,
        {
            **aws_environment(endpoint_url, region),
            "S3_ENDPOINT_URL": endpoint_url,
            "SAGEMAKER_BASE_DIR": str(folder.base),
            # the toolkit would wait for the name of the host to be in DNS
            "SM_STUDIO_LOCAL_MODE": "True",
            "PIP_TARGET": str(folder.packages),
            "PYTHONPATH": str(folder.packages),
            **job.get("Environment", {}),
            "TRAINING_JOB_NAME": job["TrainingJobName"],
            "TRAINING_JOB_ARN": job["TrainingJobArn"],
        },
    )


def aws_environment(endpoint_url: str, region: str) -> dict[str, str]:
    """Return what makes an SDK inside the "container" talk to this cloud."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def command(python: Path) -> list[str]:
    """Return what an image's ``train`` is: the entry point of AWS's training toolkit."""
    # -P keeps the script's own folder from shadowing the toolkit's imports
    return [str(python), "-P", "-m", "sagemaker_training.cli.train"]


def failure_reason(folder: JobFolder, exit_code: int) -> str:
    """Return the reason that SageMaker gives for an exit code other than 0."""
    written = folder.failure()
    return f"AlgorithmError: {written}" if written else f"AlgorithmError: Exit Code: {exit_code}"


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
