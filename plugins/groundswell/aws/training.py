"""The tasks that train, deploy and delete a batch's model, made from its batch file."""

from __future__ import annotations

from typing import Any

from groundswell.aws.operators.sagemaker import SageMakerTrainOperator
from groundswell.aws.operators.sagemaker_endpoint import (
    SageMakerDeleteEndpointConfigOperator,
    SageMakerDeleteEndpointOperator,
    SageMakerDeleteModelIfExistsOperator,
    SageMakerDeployEndpointOperator,
)
from groundswell.batches.model import Batch
from groundswell.batches.sections import Endpoint, Training

#: Seconds between two looks at a job or endpoint: no shorter than Airflow's deferral race allows.
LOOK = 15


def train_operator(batch: Batch, training: Training, *, job_name: Any) -> SageMakerTrainOperator:
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
    return SageMakerTrainOperator(
        task_id="train",
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


def deploy_operator(batch: Batch, training: Training, endpoint: Endpoint) -> SageMakerDeployEndpointOperator:
    """Return the task ``deploy``: the model that ``train`` returned, behind the batch's endpoint."""
    trained = "{{ ti.xcom_pull(task_ids='train')['%s'] }}"
    return SageMakerDeployEndpointOperator(
        task_id="deploy",
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
    aws = batch.connections.aws
    return [
        SageMakerDeleteEndpointOperator(
            task_id="delete_endpoint",
            endpoint_name=name % "endpoint_name",
            waiter_delay=LOOK,
            aws_conn_id=aws,
        ),
        SageMakerDeleteEndpointConfigOperator(
            task_id="delete_endpoint_config",
            endpoint_config_name=name % "endpoint_config_name",
            aws_conn_id=aws,
        ),
        SageMakerDeleteModelIfExistsOperator(
            task_id="delete_model", model_name=name % "model_name", aws_conn_id=aws
        ),
    ]
