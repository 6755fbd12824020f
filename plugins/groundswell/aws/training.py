"""The tasks that train, deploy and delete a batch's model, made from its batch file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from groundswell.aws.operators.sagemaker import SageMakerTrainOperator
from groundswell.aws.operators.sagemaker_base import ResourceState, ResourceType, SageMakerOperator
from groundswell.aws.operators.sagemaker_endpoint import (
    SageMakerDeleteEndpointConfigOperator,
    SageMakerDeleteEndpointOperator,
    SageMakerDeleteModelIfExistsOperator,
    SageMakerDeployEndpointOperator,
)
from groundswell.aws.runs import LabelingRun, now_text
from groundswell.batches.model import Batch
from groundswell.batches.sections import Endpoint, Training

#: Seconds between two looks at a job or endpoint: no shorter than Airflow's deferral race allows.
LOOK = 15


class _Recorded(SageMakerOperator):
    """
    Records what an operator makes and deletes as ``resources`` of a run's ledger.

    There is no UniqueRequestToken in SageMaker: names are the tokens. A row is written before the call, so
    that what a process made before it died is known, and after it.

    :param batch_path: The batch file. (templated)
    :param run_id: The run. (templated)
    """

    def __init__(self, *, batch_path: str, run_id: str = "{{ run_id }}", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_path = batch_path
        self.run_id = run_id

    @cached_property
    def labeling_run(self) -> LabelingRun:
        """The run whose ledger is written."""
        return LabelingRun(self.batch_path, self.run_id)

    def on_resource(self, kind: ResourceType, name: str, state: ResourceState) -> None:
        """Write a row, unless the ledger says so already."""
        ledger = self.labeling_run.ledger
        known = ledger.fold("resources").resources.get((kind, name), {}).get("state")
        if state == "deleted" and known is None:
            return  # another run made it, or nobody did
        if known == state or (state == "intended" and known == "created"):
            return
        ledger.append("resources", [{"type": kind, "name": name, "state": state, "at": now_text()}])


def _with_run(operator: type[Any]) -> tuple[str, ...]:
    return (*operator.template_fields, "batch_path", "run_id")


class RunTrainOperator(_Recorded, SageMakerTrainOperator):
    """Trains the model of a run."""

    template_fields: Sequence[str] = _with_run(SageMakerTrainOperator)


class RunDeployOperator(_Recorded, SageMakerDeployEndpointOperator):
    """Deploys the model of a run."""

    template_fields: Sequence[str] = _with_run(SageMakerDeployEndpointOperator)


class RunDeleteEndpointOperator(_Recorded, SageMakerDeleteEndpointOperator):
    """Deletes the endpoint that a run deployed to."""

    template_fields: Sequence[str] = _with_run(SageMakerDeleteEndpointOperator)


class RunDeleteEndpointConfigOperator(_Recorded, SageMakerDeleteEndpointConfigOperator):
    """Deletes the endpoint configuration of a run."""

    template_fields: Sequence[str] = _with_run(SageMakerDeleteEndpointConfigOperator)


class RunDeleteModelOperator(_Recorded, SageMakerDeleteModelIfExistsOperator):
    """Deletes the model of a run from SageMaker; its artifacts stay in S3."""

    template_fields: Sequence[str] = _with_run(SageMakerDeleteModelIfExistsOperator)


def train_operator(batch: Batch, training: Training, *, job_name: Any) -> RunTrainOperator:
    """
    Return the task ``train``: a script-mode job on the dataset that ``write_dataset`` wrote.

    :param job_name: XCom argument; it names the data, so the same data is not trained on twice.
    """
    output = batch.output
    config = {
        "AlgorithmSpecification": {
            "TrainingImage": training.image,
            "TrainingInputMode": "File",
            "MetricDefinitions": [_metric("train_accuracy"), _metric("test_accuracy")],
        },
        "RoleArn": training.role,
        "InputDataConfig": [
            _channel("train", output.object_uri(output.train)),
            _channel("test", output.object_uri(output.test)),
        ],
        "OutputDataConfig": {"S3OutputPath": output.object_uri("models")},
        "ResourceConfig": {
            "InstanceType": training.instance_type,
            "InstanceCount": training.instance_count,
            "VolumeSizeInGB": training.volume_gb,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": training.max_runtime_seconds},
    }
    return RunTrainOperator(
        task_id="train",
        batch_path=str(batch.file),
        job_name=job_name,
        config=config,
        source_dir=str(training.source),
        entry_point=training.entry_point,
        source_s3_uri=output.object_uri("code"),
        hyperparameters=dict(training.hyperparameters),
        waiter_delay=LOOK,
        aws_conn_id=batch.connections.aws,
    )


def _metric(name: str) -> dict[str, str]:
    """Return how SageMaker finds a metric in the script's output: ``name=0.98;``."""
    return {"Name": name, "Regex": rf"{name}=([0-9.]+);"}


def _channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "ContentType": "text/csv", "DataSource": {"S3DataSource": source}}


def deploy_operator(batch: Batch, training: Training, endpoint: Endpoint) -> RunDeployOperator:
    """Return the task ``deploy``: the model that ``train`` returned, behind the batch's endpoint."""
    trained = "{{ ti.xcom_pull(task_ids='train')['%s'] }}"
    return RunDeployOperator(
        task_id="deploy",
        batch_path=str(batch.file),
        endpoint_name=endpoint.name,
        training_job_name=trained % "training_job_name",
        model_data_url=trained % "model_artifacts",
        image=training.image,
        role_arn=training.role,
        instance_type=endpoint.instance_type,
        instance_count=endpoint.instance_count,
        source_dir=str(training.source),
        entry_point=training.entry_point,
        source_s3_uri=batch.output.object_uri("code"),
        waiter_delay=LOOK,
        aws_conn_id=batch.connections.aws,
    )


def delete_operators(batch: Batch) -> list[Any]:
    """Return the tasks that delete what ``deploy`` made: endpoint, configuration and model, in this order."""
    name = "{{ (ti.xcom_pull(task_ids='deploy', key='deployment') or {}).get('%s') or '' }}"
    aws, path = batch.connections.aws, str(batch.file)
    return [
        RunDeleteEndpointOperator(
            task_id="delete_endpoint",
            batch_path=path,
            endpoint_name=name % "endpoint_name",
            waiter_delay=LOOK,
            aws_conn_id=aws,
        ),
        RunDeleteEndpointConfigOperator(
            task_id="delete_endpoint_config",
            batch_path=path,
            endpoint_config_name=name % "endpoint_config_name",
            aws_conn_id=aws,
        ),
        RunDeleteModelOperator(
            task_id="delete_model", batch_path=path, model_name=name % "model_name", aws_conn_id=aws
        ),
    ]
