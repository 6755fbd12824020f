from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

from groundswell.aws.hooks.sagemaker import GroundswellSageMakerHook
from groundswell.aws.operators import sagemaker as operators
from groundswell.aws.operators.sagemaker import (
    SageMakerDeleteEndpointConfigOperator,
    SageMakerDeleteEndpointOperator,
    SageMakerDeleteModelIfExistsOperator,
    SageMakerDeployEndpointOperator,
    SageMakerTrainOperator,
)
from groundswell.aws.operators.sagemaker_endpoint import ROUNDS
from groundswell.aws.triggers.sagemaker import SageMakerEndpointTrigger, SageMakerTrainingJobTrigger
from tests.groundswell.aws.sagemaker_support import (
    ARN,
    FakeContext,
    add_endpoint,
    add_job,
    add_missing,
    stubbed,
)

NO_ENDPOINT = f'Could not find endpoint "{ARN}".'
BUSY = f'Cannot update in-progress endpoint "{ARN}".'
EXISTS = f'Cannot create already existing endpoint "{ARN}".'
ROLE = "arn:aws:iam::000000000000:role/r"
CONFIG: dict[str, Any] = {
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "RoleArn": ROLE,
    "OutputDataConfig": {"S3OutputPath": "s3://b/models"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
    "StoppingCondition": {"MaxRuntimeInSeconds": 1800},
}
DONE = {"training_job_name": "j", "model_artifacts": "s3://b/j/output/model.tar.gz", "metrics": {}}


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"conn_type": "aws", "login": "test", "password": "test", "extra": {"region_name": "us-east-1"}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(value))
    monkeypatch.setattr(GroundswellSageMakerHook, "training_log_streams", lambda *_: [])


def train(**changes: Any) -> SageMakerTrainOperator:
    arguments: dict[str, Any] = {"job_name": "j", "config": CONFIG, "deferrable": True, **changes}
    return SageMakerTrainOperator(task_id="train", **arguments)


def deploy(**changes: Any) -> SageMakerDeployEndpointOperator:
    return SageMakerDeployEndpointOperator(
        task_id="deploy",
        **{
            "endpoint_name": "e",
            "training_job_name": "j",
            "model_data_url": "s3://b/m.tar.gz",
            "image": "image",
            "role_arn": ROLE,
            "instance_type": "ml.m5.large",
            "deferrable": True,
            **changes,
        },
    )


CONFIG_NAME = deploy()._wanted().names["endpoint_config_name"]
NAMES = {"endpoint_name": "e", "endpoint_config_name": CONFIG_NAME, "model_name": CONFIG_NAME}


def deferred(operator: Any, method: Any, *arguments: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as raised:
        method(FakeContext(), *arguments)
    return raised.value


def resume(operator: Any, stop: TaskDeferred) -> Any:
    return operator.execute_complete(FakeContext(), {"status": "success"}, **(stop.kwargs or {}))


@pytest.mark.parametrize(
    "operator",
    [
        train(),
        deploy(),
        SageMakerDeleteEndpointOperator(task_id="t", endpoint_name="e"),
        SageMakerDeleteEndpointConfigOperator(task_id="t", endpoint_config_name="c"),
        SageMakerDeleteModelIfExistsOperator(task_id="t", model_name="m"),
    ],
)
def test_operators_are_shaped_like_the_providers(operator: Any) -> None:
    assert {"aws_conn_id", "region_name", "verify"} < set(operator.template_fields)
    for field in operator.template_fields:
        assert hasattr(operator, field), field
    operator.validate_attributes()
    assert isinstance(operator.hook, GroundswellSageMakerHook)


# --- training -------------------------------------------------------------------------------------------


def test_an_absent_job_is_started_and_waited_for_in_the_triggerer() -> None:
    task = train(region_name="eu-west-1", waiter_delay=60, hyperparameters={"units": 16, "label": "species"})
    with stubbed(task.hook) as stub:
        add_missing(stub, "describe_training_job")
        request = {
            **CONFIG,
            "TrainingJobName": "j",
            "HyperParameters": {"units": "16", "label": '"species"'},
        }
        stub.add_response("create_training_job", {"TrainingJobArn": "arn:aws:sagemaker:j"}, request)
        add_job(stub, "InProgress")
        stop = deferred(task, task.execute)
    assert isinstance(stop.trigger, SageMakerTrainingJobTrigger)
    _, arguments = stop.trigger.serialize()
    assert arguments["job_name"] == "j"
    assert arguments["region_name"] == "eu-west-1"
    assert arguments["stop_on_kill"] is True
    # Not the provider's 30 minutes, which a job may need for itself.
    waits = timedelta(seconds=arguments["waiter_delay"] * arguments["waiter_max_attempts"])
    assert timedelta(seconds=1800 + operators.TRAINING_MARGIN) <= waits < stop.timeout


def test_a_completed_job_is_the_result_without_another() -> None:
    task = train()
    with stubbed(task.hook) as stub:
        metrics = [{"MetricName": "test_accuracy", "Value": 0.9375}]
        for _ in range(2):
            add_job(stub, "Completed", FinalMetricDataList=metrics)
        assert task.execute(FakeContext()) == {**DONE, "metrics": {"test_accuracy": 0.9375}}


def test_a_running_job_is_adopted() -> None:
    task = train()
    with stubbed(task.hook) as stub:
        add_job(stub, "InProgress")
        assert isinstance(deferred(task, task.execute).trigger, SageMakerTrainingJobTrigger)


def test_a_lost_answer_adopts_the_job() -> None:
    task = train()
    with stubbed(task.hook) as stub:
        add_missing(stub, "describe_training_job")
        stub.add_client_error(
            "create_training_job", "ResourceInUse", "a training job with this name already exists"
        )
        add_job(stub, "InProgress")
        assert deferred(task, task.execute).trigger.serialize()[1]["job_name"] == "j"


@pytest.mark.parametrize("status", ["Failed", "Stopped", "Stopping"])
def test_after_a_failure_the_next_number_is_used(status: str) -> None:
    task = train()
    with stubbed(task.hook) as stub:
        add_job(stub, status)
        add_job(stub, "Failed")
        add_missing(stub, "describe_training_job")
        stub.add_response(
            "create_training_job",
            {"TrainingJobArn": "arn:aws:sagemaker:j"},
            {**CONFIG, "TrainingJobName": "j-3"},
        )
        add_job(stub, "InProgress")
        assert deferred(task, task.execute).trigger.serialize()[1]["job_name"] == "j-3"


def test_there_is_an_end_to_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators, "MAX_JOBS", 2)
    task = train()
    with stubbed(task.hook) as stub:
        add_job(stub, "Failed")
        add_job(stub, "Failed")
        with pytest.raises(AirflowFailException, match="2 training jobs named 'j' have failed"):
            task.execute(FakeContext())


@pytest.mark.parametrize(
    ("members", "error", "says"),
    [
        (
            {"TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError: Exit Code: 1"},
            AirflowFailException,
            "training job j failed: AlgorithmError: Exit Code: 1; correct",
        ),
        (
            {"TrainingJobStatus": "Failed", "FailureReason": "InternalServerError: try again"},
            AirflowException,
            "training job j failed: InternalServerError: try again",
        ),
        ({"TrainingJobStatus": "Failed"}, AirflowException, "training job j failed: no reason given"),
        (
            {"TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxRuntimeExceeded"},
            AirflowFailException,
            r"training job j was stopped \(it reached MaxRuntimeInSeconds",
        ),
        (
            {"TrainingJobStatus": "Stopped", "SecondaryStatus": "Stopped"},
            AirflowFailException,
            "training job j was stopped",
        ),
    ],
)
@pytest.mark.parametrize("deferrable", [True, False])
def test_a_job_that_ends_badly_says_why(
    members: dict[str, Any], error: type[Exception], says: str, deferrable: bool
) -> None:
    task = train(deferrable=deferrable)
    with stubbed(task.hook) as stub:
        if deferrable:
            add_job(stub, **{"status": "Failed", **members})
            with pytest.raises(error, match=says) as raised:
                task.execute_complete(FakeContext(), {"status": "success", "job_name": "j"})
        else:
            add_job(stub, "InProgress")
            for _ in range(2):
                add_job(stub, **{"status": "Failed", **members})
            with pytest.raises(error, match=says) as raised:
                task.execute(FakeContext())
    assert type(raised.value) is error


def test_a_failure_quotes_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    log = [
        "train.py: error: iris.csv: is empty; give labelled rows",
        "2026-11-21 21:45:38 sagemaker-training-toolkit ERROR    ExecuteUserScriptError: x",
        'ErrorMessage ""',
    ]
    monkeypatch.setattr(GroundswellSageMakerHook, "training_log_end", lambda *_: log)
    task = train()
    with stubbed(task.hook) as stub:
        add_job(stub, "Failed", FailureReason='AlgorithmError: ExecuteUserScriptError:\nErrorMessage ""')
        with pytest.raises(AirflowFailException, match=r"failed: train\.py: error: iris\.csv: is empty"):
            task.execute_complete(FakeContext(), {"status": "success", "job_name": "j"})


def test_a_log_that_cannot_be_read_does_not_fail_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("no permission")

    monkeypatch.setattr(GroundswellSageMakerHook, "training_log_streams", refuse)
    task = train()
    with stubbed(task.hook) as stub:
        add_job(stub, "Completed")
        assert task.execute_complete(FakeContext(), {"status": "success", "job_name": "j"}) == DONE


def test_a_trigger_that_gave_up_fails_the_task() -> None:
    with pytest.raises(AirflowException, match="out of reach"):
        train().execute_complete(
            FakeContext(), {"status": "error", "job_name": "j", "message": "out of reach"}
        )


@pytest.mark.parametrize(("stop_on_kill", "stops"), [(True, ["j"]), (False, [])])
def test_a_kill_stops_the_job(monkeypatch: pytest.MonkeyPatch, stop_on_kill: bool, stops: list[str]) -> None:
    stopped: list[str] = []
    monkeypatch.setattr(GroundswellSageMakerHook, "stop_training_job", lambda _, name: stopped.append(name))
    task = train(stop_on_kill=stop_on_kill)
    task.on_kill()
    assert stopped == [], "nothing runs yet"
    with stubbed(task.hook) as stub:
        add_job(stub, "InProgress")
        deferred(task, task.execute)
    task.on_kill()
    assert stopped == stops


def test_what_sagemaker_refuses_is_not_retried() -> None:
    task = train()
    with stubbed(task.hook) as stub:
        add_missing(stub, "describe_training_job")
        stub.add_client_error("create_training_job", "ValidationException", "instance type ml.x is unknown")
        with pytest.raises(AirflowFailException, match=r"training job j was refused: .*ml\.x is unknown"):
            task.execute(FakeContext())


def test_limits_of_the_account_are_retried() -> None:
    task = train()
    with stubbed(task.hook) as stub:
        add_missing(stub, "describe_training_job")
        stub.add_client_error("create_training_job", "ResourceLimitExceeded", "0 instances left")
        with pytest.raises(AirflowException, match="0 instances left") as raised:
            task.execute(FakeContext())
    assert not isinstance(raised.value, AirflowFailException)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"job_name": "iris_1"}, "job_name: 'iris_1' is not a SageMaker name"),
        ({"job_name": "x" * 64}, "is not a SageMaker name; use 1 to 63"),
        ({"source_dir": "/no/such/folder", "source_s3_uri": "s3://b"}, "/no/such/folder: is not a folder"),
        ({"source_dir": "/tmp"}, "source_s3_uri is missing"),
    ],
)
def test_bad_arguments(changes: dict[str, Any], says: str) -> None:
    task = train(**changes)
    with stubbed(task.hook) as stub:
        add_missing(stub, "describe_training_job")
        with pytest.raises(AirflowFailException, match=says):
            task.execute(FakeContext())


# --- endpoints ------------------------------------------------------------------------------------------


def made(task: Any, stub: Any) -> None:
    wanted = task._wanted()
    stub.add_response("create_model", {"ModelArn": "arn:aws:sagemaker:model/xxxxx"}, wanted.model)
    stub.add_response(
        "create_endpoint_config", {"EndpointConfigArn": "arn:aws:sagemaker:config"}, wanted.endpoint_config
    )


def test_an_absent_endpoint_is_created() -> None:
    task = deploy()
    context = FakeContext()
    with stubbed(task.hook) as stub:
        made(task, stub)
        add_missing(stub, "describe_endpoint", NO_ENDPOINT)
        stub.add_response(
            "create_endpoint",
            {"EndpointArn": ARN},
            {"EndpointName": "e", "EndpointConfigName": CONFIG_NAME},
        )
        with pytest.raises(TaskDeferred) as raised:
            task.execute(context)
        assert context.pushed == {"deployment": NAMES}, "cleaning up knows the names before the end"
        stop = raised.value
        assert isinstance(stop.trigger, SageMakerEndpointTrigger)
        assert stop.trigger.serialize()[1]["until"] == "settled"
        assert stop.timeout > timedelta(seconds=30 * 120)
        assert json.loads(json.dumps(stop.kwargs)) == stop.kwargs
        for _ in range(2):
            add_endpoint(stub, "InService", CONFIG_NAME)
        assert resume(task, stop) == NAMES


def test_an_endpoint_that_serves_another_configuration_is_updated() -> None:
    task = deploy()
    with stubbed(task.hook) as stub:
        made(task, stub)
        add_endpoint(stub, "InService", "old")
        stub.add_response(
            "update_endpoint",
            {"EndpointArn": ARN},
            {"EndpointName": "e", "EndpointConfigName": CONFIG_NAME},
        )
        stop = deferred(task, task.execute)
        add_endpoint(stub, "InService", "old", FailureReason="the new model does not answer /ping")
        with pytest.raises(AirflowException, match="InService: the new model does not answer /ping"):
            resume(task, stop)


def test_an_endpoint_that_serves_it_already_is_left_alone() -> None:
    task = deploy()
    with stubbed(task.hook) as stub:
        stub.add_client_error("create_model", "ValidationException", "Cannot create already existing model")
        stub.add_client_error(
            "create_endpoint_config", "ValidationException", "Cannot create already existing endpoint conf…"
        )
        add_endpoint(stub, "InService", CONFIG_NAME)
        assert task.execute(FakeContext()) == NAMES


def test_an_endpoint_that_is_changing_is_waited_for_and_looked_at_again() -> None:
    task = deploy()
    with stubbed(task.hook) as stub:
        made(task, stub)
        add_endpoint(stub, "Updating", "old")
        stop = deferred(task, task.execute)
        assert stop.kwargs["state"]["ours"] is False
        # somebody else's change is over: now ours
        for _ in range(2):
            add_endpoint(stub, "InService", "old")
        stub.add_response("update_endpoint", {"EndpointArn": ARN})
        stop = deferred(task, lambda _: resume(task, stop))
        assert stop.kwargs["state"]["ours"] is True


@pytest.mark.parametrize(
    ("status", "members"),
    [
        ("Creating", {"EndpointConfigName": CONFIG_NAME}),
        ("Updating", {"PendingDeploymentSummary": {"EndpointConfigName": CONFIG_NAME}}),
    ],
)
def test_what_an_earlier_try_began_is_judged_as_ours(status: str, members: dict[str, Any]) -> None:
    task = deploy()
    with stubbed(task.hook) as stub:
        made(task, stub)
        add_endpoint(stub, status, **{"config": "old", **members})
        stop = deferred(task, task.execute)
        add_endpoint(stub, "Failed", CONFIG_NAME, FailureReason="model_fn: no such file")
        with pytest.raises(AirflowException, match="Failed: model_fn: no such file"):
            resume(task, stop)


def test_a_failed_endpoint_is_deleted_and_made_again() -> None:
    task = deploy()
    with stubbed(task.hook) as stub:
        made(task, stub)
        add_endpoint(stub, "Failed", "old")
        add_endpoint(stub, "Failed", "old")
        stub.add_response("delete_endpoint", {})
        stop = deferred(task, task.execute)
        assert stop.trigger.serialize()[1]["until"] == "deleted"
        for _ in range(2):
            add_missing(stub, "describe_endpoint", NO_ENDPOINT)
        stub.add_response("create_endpoint", {"EndpointArn": ARN})
        assert deferred(task, lambda _: resume(task, stop)).kwargs["state"]["ours"] is True


def test_an_endpoint_that_is_being_deleted_is_waited_for() -> None:
    task = deploy()
    with stubbed(task.hook) as stub:
        made(task, stub)
        add_endpoint(stub, "Deleting", "old")
        add_endpoint(stub, "Deleting", "old")
        assert deferred(task, task.execute).trigger.serialize()[1]["until"] == "deleted"


def test_a_twin_that_was_first_is_waited_for() -> None:
    task = deploy()
    with stubbed(task.hook) as stub:
        made(task, stub)
        add_missing(stub, "describe_endpoint", NO_ENDPOINT)
        stub.add_client_error("create_endpoint", "ValidationException", EXISTS)
        stop = deferred(task, task.execute)
        for _ in range(2):
            add_endpoint(stub, "InService", CONFIG_NAME)
        assert resume(task, stop) == NAMES


def test_somebody_who_keeps_changing_it_is_not_followed_for_ever() -> None:
    task = deploy(deferrable=False, waiter_delay=0)
    with stubbed(task.hook) as stub:
        made(task, stub)
        for _ in range(ROUNDS):
            add_endpoint(stub, "InService", "theirs")
            stub.add_client_error("update_endpoint", "ValidationException", BUSY)
            add_endpoint(stub, "InService", "theirs")  # the waiter
            add_endpoint(stub, "InService", "theirs")
        with pytest.raises(AirflowException, match=f"was changed {ROUNDS} times by somebody else"):
            task.execute(FakeContext())


def test_names_follow_from_what_is_deployed() -> None:
    assert CONFIG_NAME.startswith("j-")
    assert deploy()._wanted().names == NAMES
    assert deploy(instance_count="1")._wanted().names == NAMES, "templates give text"
    for change in (
        {"instance_type": "ml.c5.large"},
        {"image": "other"},
        {"model_data_url": "s3://b/other"},
        {"environment": {"A": "1"}},
        {"instance_count": 2},
    ):
        assert deploy(**change)._wanted().names["model_name"] != NAMES["model_name"]
    long = deploy(training_job_name="x" * 63)._wanted().names["model_name"]
    assert len(long) == 63


def test_a_model_that_is_refused_is_not_retried() -> None:
    task = deploy()
    with stubbed(task.hook) as stub:
        stub.add_client_error("create_model", "ValidationException", "Could not find model data at s3://b/m")
        with pytest.raises(AirflowFailException, match=r"endpoint e: .*Could not find model data"):
            task.execute(FakeContext())


def delete(**changes: Any) -> SageMakerDeleteEndpointOperator:
    arguments: dict[str, Any] = {"endpoint_name": "e", "deferrable": True, **changes}
    return SageMakerDeleteEndpointOperator(task_id="delete", **arguments)


def test_deleting_waits_until_it_is_gone() -> None:
    task = delete(deferrable=False)
    with stubbed(task.hook) as stub:
        add_endpoint(stub, "InService", "c")
        stub.add_response("delete_endpoint", {})
        add_endpoint(stub, "Deleting", "c")
        for _ in range(2):  # the waiter, and a last look
            add_missing(stub, "describe_endpoint", NO_ENDPOINT)
        task.execute(FakeContext())
        stub.assert_no_pending_responses()


def test_deleting_may_wait_in_the_triggerer() -> None:
    task = delete()
    with stubbed(task.hook) as stub:
        add_endpoint(stub, "InService", "c")
        stub.add_response("delete_endpoint", {})
        add_endpoint(stub, "Deleting", "c")
        stop = deferred(task, task.execute)
        assert stop.trigger.serialize()[1]["until"] == "deleted"
        assert stop.timeout is not None
        add_missing(stub, "describe_endpoint", NO_ENDPOINT)
        assert resume(task, stop) is None


def test_deleting_what_is_being_created_waits_first() -> None:
    task = delete()
    with stubbed(task.hook) as stub:
        add_endpoint(stub, "Creating", "c")
        stub.add_client_error("delete_endpoint", "ValidationException", BUSY)
        stop = deferred(task, task.execute)
        assert stop.trigger.serialize()[1]["until"] == "settled"
        add_endpoint(stub, "InService", "c")
        stub.add_response("delete_endpoint", {})
        add_endpoint(stub, "Deleting", "c")
        assert deferred(task, lambda _: resume(task, stop)).trigger.serialize()[1]["until"] == "deleted"


@pytest.mark.parametrize("name", ["e", None, ""])
def test_nothing_to_delete_is_a_success(name: str | None) -> None:
    task = delete(endpoint_name=name)
    with stubbed(task.hook) as stub:
        if name:
            add_missing(stub, "describe_endpoint", NO_ENDPOINT)
        assert task.execute(FakeContext()) is None


@pytest.mark.parametrize("name", ["x", None])
def test_absent_configurations_and_models_are_a_success(name: str | None) -> None:
    configuration = SageMakerDeleteEndpointConfigOperator(task_id="c", endpoint_config_name=name)
    model = SageMakerDeleteModelIfExistsOperator(task_id="m", model_name=name)
    with stubbed(configuration.hook) as stub:
        add_missing(stub, "delete_endpoint_config", 'Could not find endpoint configuration "x".')
        configuration.execute(FakeContext())
    with stubbed(model.hook) as stub:
        add_missing(stub, "delete_model", 'Could not find model "x".')
        model.execute(FakeContext())


def test_credentials_that_will_not_do_name_the_connection() -> None:
    task = delete()
    with stubbed(task.hook) as stub:
        stub.add_client_error("describe_endpoint", "UnrecognizedClientException", "invalid token")
        with pytest.raises(
            AirflowFailException, match="connection 'aws_default': DescribeEndpoint was refused"
        ):
            task.execute(FakeContext())
