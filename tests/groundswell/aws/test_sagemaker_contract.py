"""The operators against a real SageMaker of the local cloud: it trains, serves, fails and stops."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from groundswell.aws.hooks.sagemaker import GroundswellSageMakerHook
from groundswell.aws.operators.sagemaker import (
    SageMakerDeleteEndpointConfigOperator,
    SageMakerDeleteEndpointOperator,
    SageMakerDeleteModelIfExistsOperator,
    SageMakerDeployEndpointOperator,
    SageMakerTrainOperator,
)
from groundswell.aws.triggers import sagemaker as triggers
from tests.groundswell.aws.sagemaker_support import FakeContext
from tests.support.cloud_process import CHECKOUT, CloudProcess

pytestmark = pytest.mark.contract

TRAINING_PYTHON = CHECKOUT / ".venv-training/bin/python"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"
ROLE = "arn:aws:iam::000000000000:role/groundswell-sagemaker"
BUCKET = "groundswell-contract"
SOURCE: dict[str, Any] = {
    "source_dir": str(CHECKOUT / "include/training/iris"),
    "source_s3_uri": f"s3://{BUCKET}/code",
}
DATA = "length,width,species\n" + "".join(
    f"{size + n / 50},{size * 2 - n / 40},{name}\n"
    for n in range(20)
    for size, name in ((1.0, "setosa"), (3.0, "virginica"))
)
SLOW = "import time\nprint('working', flush=True)\ntime.sleep(120)\n"

if not TRAINING_PYTHON.exists():
    pytest.skip(f"no training environment at {TRAINING_PYTHON}", allow_module_level=True)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    process = CloudProcess(tmp_path_factory.mktemp("cloud") / "state")
    process.start()
    process.client("s3").create_bucket(Bucket=BUCKET)
    process.client("s3").put_object(Bucket=BUCKET, Key="train/iris.csv", Body=DATA.encode())
    yield process
    process.stop()


@pytest.fixture(autouse=True)
def connection(cloud: CloudProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"region_name": "us-east-1", "endpoint_url": cloud.endpoint_url}
    value = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(value))


@pytest.fixture
def hook() -> GroundswellSageMakerHook:
    return GroundswellSageMakerHook()


def config(prefix: str = "train") -> dict[str, Any]:
    return {
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "train_accuracy", "Regex": r"train_accuracy=([0-9.]+);"}],
        },
        "RoleArn": ROLE,
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": f"s3://{BUCKET}/{prefix}",
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
            }
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }


def train(job_name: str, **changes: Any) -> SageMakerTrainOperator:
    arguments: dict[str, Any] = {
        "task_id": "train",
        "job_name": job_name,
        "config": config(),
        "hyperparameters": {"hidden_units": 8, "max_iter": 300, "label_column": "species"},
        "waiter_delay": 1,
        "deferrable": False,
        **SOURCE,
        **changes,
    }
    return SageMakerTrainOperator(**arguments)


@pytest.fixture(scope="module")
def model(cloud: CloudProcess) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        extra = {"region_name": "us-east-1", "endpoint_url": cloud.endpoint_url}
        value = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
        patch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(value))
        return train("iris-model").execute(FakeContext())


def deploy(model: dict[str, Any], **changes: Any) -> SageMakerDeployEndpointOperator:
    arguments: dict[str, Any] = {
        "task_id": "deploy",
        "endpoint_name": "iris",
        "training_job_name": model["training_job_name"],
        "model_data_url": model["model_artifacts"],
        "image": IMAGE,
        "role_arn": ROLE,
        "instance_type": "ml.m5.large",
        "waiter_delay": 1,
        "deferrable": False,
        **SOURCE,
        **changes,
    }
    return SageMakerDeployEndpointOperator(**arguments)


def jobs(cloud: CloudProcess, prefix: str) -> list[str]:
    found = cloud.client("sagemaker").list_training_jobs(NameContains=prefix)["TrainingJobSummaries"]
    return sorted(job["TrainingJobName"] for job in found)


def test_training_gives_a_model_and_a_rerun_the_same(cloud: CloudProcess, model: dict[str, Any]) -> None:
    assert model["training_job_name"] == "iris-model"
    assert model["model_artifacts"].startswith(f"s3://{BUCKET}/models/iris-model/")
    assert model["metrics"]["train_accuracy"] > 0.9
    context = FakeContext()
    assert train("iris-model").execute(context) == model
    assert jobs(cloud, "iris-model") == ["iris-model"]
    assert context.pushed["cloudwatch_events"]["awslogs_stream_name"].startswith("iris-model")


def test_a_failed_job_says_why_and_the_next_try_is_another_job(
    cloud: CloudProcess, hook: GroundswellSageMakerHook
) -> None:
    bad = {"hyperparameters": {"label_column": "colour"}}
    with pytest.raises(AirflowFailException, match=r"training job bad failed: train\.py: error: .*'colour'"):
        train("bad", **bad).execute(FakeContext())
    done = train("bad").execute(FakeContext())
    assert done["training_job_name"] == "bad-2"
    assert jobs(cloud, "bad") == ["bad", "bad-2"]
    assert any("the column 'colour' is missing" in line for line in hook.training_log_end("bad", 200))


def test_missing_data_is_said_before_anything_starts(cloud: CloudProcess) -> None:
    with pytest.raises(AirflowFailException, match="s3://groundswell-contract/none does not exist"):
        train("nodata", config=config("none")).execute(FakeContext())
    assert jobs(cloud, "nodata") == []


def test_killing_the_task_stops_the_job_and_a_rerun_starts_another(
    cloud: CloudProcess, hook: GroundswellSageMakerHook, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(SLOW)
    task = train("slow", source_dir=str(tmp_path), hyperparameters={})
    failure: list[BaseException] = []

    def run() -> None:
        try:
            task.execute(FakeContext())
        except AirflowFailException as error:
            failure.append(error)

    worker = threading.Thread(target=run)
    worker.start()
    deadline = time.monotonic() + 60
    while not (task._running_job and hook.training_log_end("slow", 5)) and time.monotonic() < deadline:
        time.sleep(0.1)
    task.on_kill()
    worker.join(60)
    assert "training job slow was stopped" in str(failure[0])
    assert train("slow").execute(FakeContext())["training_job_name"] == "slow-2"


def test_the_trigger_sees_the_end_and_stops_on_kill(
    cloud: CloudProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triggers, "QUIET_SECONDS", 0)
    (tmp_path / "train.py").write_text(SLOW)
    train("followed", source_dir=str(tmp_path), hyperparameters={})._started("followed")
    trigger = triggers.SageMakerTrainingJobTrigger(job_name="followed", waiter_delay=1)

    async def follow() -> Any:
        await trigger.on_kill()
        return await anext(trigger.run())

    assert asyncio.run(follow()).payload == {"status": "success", "job_name": "followed"}
    status = cloud.client("sagemaker").describe_training_job(TrainingJobName="followed")
    assert status["TrainingJobStatus"] == "Stopped"


def test_deploy_ask_update_and_delete(cloud: CloudProcess, hook: Any, model: dict[str, Any]) -> None:
    context = FakeContext()
    names = deploy(model).execute(context)
    assert context.pushed["deployment"] == names
    asked = json.loads(hook.invoke_endpoint("iris", json.dumps([[1.1, 2.0], [3.0, 5.9]])))
    assert [each["label"] for each in asked["predictions"]] == ["setosa", "virginica"]
    assert hook.invoke_endpoint("iris", "1.1,2.0\n", content_type="text/csv", accept="text/csv").startswith(
        b"setosa,"
    )

    created = hook.find_endpoint("iris")["CreationTime"]
    assert deploy(model).execute(FakeContext()) == names, "nothing to do"
    updated = deploy(model, environment={"WHATEVER": "1"}).execute(FakeContext())
    assert updated["endpoint_config_name"] != names["endpoint_config_name"]
    endpoint = hook.find_endpoint("iris")
    assert (endpoint["EndpointConfigName"], endpoint["CreationTime"]) == (
        updated["endpoint_config_name"],
        created,
    )

    for _ in range(2):  # the second time everything is absent
        SageMakerDeleteEndpointOperator(
            task_id="e", endpoint_name="iris", waiter_delay=1, deferrable=False
        ).execute(FakeContext())
        assert hook.find_endpoint("iris") is None
        for made in (names, updated):
            SageMakerDeleteEndpointConfigOperator(
                task_id="c", endpoint_config_name=made["endpoint_config_name"]
            ).execute(FakeContext())
            SageMakerDeleteModelIfExistsOperator(task_id="m", model_name=made["model_name"]).execute(
                FakeContext()
            )
    client = cloud.client("sagemaker")
    assert client.list_models()["Models"] == []
    assert client.list_endpoint_configs()["EndpointConfigs"] == []


def test_an_endpoint_that_cannot_start_says_why_and_can_be_deployed_again(
    hook: Any, model: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text("def model_fn(folder):\n    raise RuntimeError('no such model')\n")
    with pytest.raises(Exception, match=r"endpoint broken does not serve .*: Failed: ."):
        deploy(model, endpoint_name="broken", source_dir=str(tmp_path)).execute(FakeContext())
    names = deploy(model, endpoint_name="broken").execute(FakeContext())
    assert hook.find_endpoint("broken")["EndpointConfigName"] == names["endpoint_config_name"]
    SageMakerDeleteEndpointOperator(
        task_id="e", endpoint_name="broken", waiter_delay=1, deferrable=False
    ).execute(FakeContext())


def test_deleting_waits_for_what_is_being_created(hook: Any, model: dict[str, Any]) -> None:
    wanted = deploy(model, endpoint_name="busy")._wanted()
    hook.ensure_model(wanted.model)
    hook.ensure_endpoint_config(wanted.endpoint_config)
    assert hook.start_endpoint("busy", wanted.names["endpoint_config_name"])
    assert not hook.start_endpoint("busy", wanted.names["endpoint_config_name"])
    assert hook.delete_endpoint("busy") == "busy"
    SageMakerDeleteEndpointOperator(
        task_id="e", endpoint_name="busy", waiter_delay=1, deferrable=False
    ).execute(FakeContext())
    assert hook.find_endpoint("busy") is None
