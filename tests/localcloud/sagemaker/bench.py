"""What a user of SageMaker does, and a SageMaker that may be killed."""

from __future__ import annotations

import io
import itertools
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.support.cloud_process import CHECKOUT

SCRIPTS = Path(__file__).with_name("scripts")
ROLE = "arn:aws:iam::000000000000:role/sagemaker"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"
BUCKET = "sagemaker-bench"
TRAINING_PYTHON = Path(
    os.environ.get("LOCALCLOUD_TRAINING_PYTHON", CHECKOUT / ".venv-training" / "bin" / "python")
)
LIMIT_S = 120.0


def until(done: Callable[[], Any], what: str, limit: float = LIMIT_S) -> Any:
    """Return the first true result."""
    deadline = time.monotonic() + limit
    while not (result := done()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {limit} s")
        time.sleep(0.1)
    return result


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return a .tar.gz."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


class Bench:
    """What a user of SageMaker does, with unmodified boto3."""

    _numbers = itertools.count(1)

    def __init__(self, client: Callable[[str], Any], sagemaker_client: Callable[[str], Any]) -> None:
        self.s3 = client("s3")
        self.logs = client("logs")
        self.sagemaker = sagemaker_client("sagemaker")
        self.runtime = sagemaker_client("sagemaker-runtime")

    def name(self, stem: str) -> str:
        return f"{stem}-{os.getpid()}-{next(self._numbers)}"

    def put(self, key: str, body: bytes | str) -> str:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return f"s3://{BUCKET}/{key}"

    def source(self, script: str) -> str:
        """Upload a script as a source archive."""
        content = (SCRIPTS / script).read_bytes()
        return self.put(f"code/{script}.tar.gz", archive({script: content}))

    def job(self, name: str, script: str, **more: Any) -> dict[str, Any]:
        """Return a request for a training job."""
        hyperparameters = {
            "sagemaker_program": f'"{script}"',
            "sagemaker_submit_directory": f'"{self.source(script)}"',
        }
        return {
            "TrainingJobName": name,
            "RoleArn": ROLE,
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "HyperParameters": hyperparameters,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out/"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            **more,
        }

    def described(self, name: str) -> dict[str, Any]:
        return self.sagemaker.describe_training_job(TrainingJobName=name)

    def ended(self, name: str) -> dict[str, Any]:
        """Wait for the end of a training job."""
        self.wait_job(name, lambda job: job["TrainingJobStatus"] not in ("InProgress", "Stopping"))
        return self.described(name)

    def wait_job(self, name: str, condition: Callable[[dict[str, Any]], bool]) -> None:
        until(lambda: condition(self.described(name)), f"training job {name}")

    def log(self, name: str) -> list[str]:
        """Return the lines of a training job."""
        group = "/aws/sagemaker/TrainingJobs"
        try:
            streams = self.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        lines = []
        for stream in streams["logStreams"]:
            events = self.logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
            )
            lines += [event["message"] for event in events["events"]]
        return lines

    def model(self, value: str, **environment: str) -> str:
        """Make a model that answers with a constant; its archive has the code too, as the SDK packs it."""
        name = self.name("model")
        code = (SCRIPTS / "serve_constant.py").read_bytes()
        files = {"value.txt": value.encode(), "code/serve_constant.py": code}
        script = {
            "SAGEMAKER_PROGRAM": "serve_constant.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
        }
        container = {
            "Image": IMAGE,
            "ModelDataUrl": self.put(f"models/{name}.tar.gz", archive(files)),
            "Environment": {**script, **environment},
        }
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        return name

    def config(self, *models: str) -> str:
        """Make an endpoint configuration of variants v1, v2, …"""
        name = self.name("config")
        variants = [
            {
                "VariantName": f"v{n}",
                "ModelName": model,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
            }
            for n, model in enumerate(models, 1)
        ]
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants)
        return name

    def endpoint(self, config: str) -> str:
        """Make an endpoint and wait until it is in service."""
        name = self.name("endpoint")
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        assert self.settled(name)["EndpointStatus"] == "InService"
        return name

    def settled(self, name: str) -> dict[str, Any]:
        """Wait until an endpoint neither starts nor changes."""

        def look() -> Any:
            endpoint = self.sagemaker.describe_endpoint(EndpointName=name)
            return endpoint if endpoint["EndpointStatus"] in ("InService", "Failed") else None

        return until(look, f"endpoint {name}")

    def invoke(self, endpoint: str, body: bytes | str = b"", **more: Any) -> str:
        answer = self.runtime.invoke_endpoint(EndpointName=endpoint, Body=body, **more)
        return answer["Body"].read().decode()


class ServerProcess:
    """SageMaker in a process of its own, to be killed; S3 and Logs are the cloud's."""

    def __init__(self, state: Path, endpoint_url: str) -> None:
        self._command = [sys.executable, str(SCRIPTS / "serve_process.py"), str(state), endpoint_url]
        self.process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self) -> None:
        self.process = subprocess.Popen(
            [*self._command, str(TRAINING_PYTHON)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=CHECKOUT,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), "A_SECRET_OF_THE_SERVER": "hidden"},
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self._end()

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self._end()

    def _end(self) -> int:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(30)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 0}, max_pool_connections=16),
        )
