"""Models and endpoints over HTTP: processes that serve, updates without a failed request."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.sagemaker.bench import BUCKET, IMAGE, ROLE, Bench, until

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def old(bench: Bench) -> tuple[str, str]:
    """An endpoint that answers "old", and its configuration."""
    config = bench.config(bench.model("old"))
    return bench.endpoint(config), config


class Caller(threading.Thread):
    """Somebody who asks all the time."""

    def __init__(self, bench: Bench, endpoint: str) -> None:
        super().__init__(daemon=True)
        self._ask = lambda: bench.invoke(endpoint, "sleep" if len(self.answers) % 5 == 0 else "")
        self.answers: list[str] = []
        self.errors: list[Exception] = []
        self.enough = threading.Event()

    def has_heard_of_the_new(self) -> bool:
        return bool(self.errors) or self.answers[-1:] == ["new"]

    def run(self) -> None:
        while not self.enough.is_set():
            try:
                self.answers.append(self._ask())
            except Exception as error:
                self.errors.append(error)
                return


def test_an_endpoint_answers_and_describes_itself(bench: Bench, old: tuple[str, str]) -> None:
    endpoint, config = old
    answer = bench.runtime.invoke_endpoint(EndpointName=endpoint, Body=b"x", Accept="text/plain")
    assert answer["Body"].read() == b"old"
    assert answer["ContentType"] == "text/plain"
    assert answer["InvokedProductionVariant"] == "v1"
    described = bench.sagemaker.describe_endpoint(EndpointName=endpoint)
    assert described["EndpointConfigName"] == config
    (variant,) = described["ProductionVariants"]
    assert variant["DeployedImages"][0]["SpecifiedImage"] == IMAGE
    assert (variant["CurrentWeight"], variant["CurrentInstanceCount"]) == (1.0, 1)
    listed = bench.sagemaker.list_endpoints(NameContains=endpoint, StatusEquals="InService")["Endpoints"]
    assert [e["EndpointName"] for e in listed] == [endpoint]


def test_an_error_of_the_model_is_a_model_error(bench: Bench, old: tuple[str, str]) -> None:
    with pytest.raises(bench.runtime.exceptions.ModelError) as caught:
        bench.invoke(old[0], "raise")
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == 500
    assert "no prediction for this" in response["OriginalMessage"]
    assert response["Error"]["Message"].startswith("Received server error (500) from primary with message")
    group = f"/aws/sagemaker/Endpoints/{old[0]}"
    until(lambda: "ValueError: no prediction for this" in lines(bench, group), "the traceback in the log")


def lines(bench: Bench, group: str) -> list[str]:
    try:
        streams = bench.logs.describe_log_streams(logGroupName=group)["logStreams"]
    except bench.logs.exceptions.ResourceNotFoundException:
        return []
    return [
        event["message"]
        for stream in streams
        for event in bench.logs.get_log_events(
            logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
        )["events"]
    ]


def test_a_missing_endpoint_is_said_to_be_missing(bench: Bench) -> None:
    with pytest.raises(ClientError) as caught:
        bench.invoke("nobody")
    error = caught.value.response["Error"]
    assert error == {
        "Code": "ValidationError",
        "Message": "Endpoint nobody of account 000000000000 not found.",
    }


def test_update_replaces_the_model_without_a_failed_request(bench: Bench, old: tuple[str, str]) -> None:
    endpoint, old_config = old
    new_config = bench.config(bench.model("new"))
    callers = [Caller(bench, endpoint) for _ in range(3)]
    for caller in callers:
        caller.start()
    until(lambda: all(caller.answers for caller in callers), "answers of the old model")
    bench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=new_config)
    assert bench.sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "Updating"
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        bench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=old_config)
    bench.sagemaker.delete_endpoint_config(EndpointConfigName=old_config)
    described = bench.settled(endpoint)
    for caller in callers:
        until(caller.has_heard_of_the_new, "an answer of the new model")
        caller.enough.set()
        caller.join()
        assert caller.errors == []
        switch = caller.answers.index("new")
        assert set(caller.answers[:switch]) == {"old"}
        assert set(caller.answers[switch:]) == {"new"}
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", new_config)
    assert "FailureReason" not in described


def test_a_failed_update_leaves_the_old_model_in_service(bench: Bench, old: tuple[str, str]) -> None:
    endpoint = old[0]
    before = bench.sagemaker.describe_endpoint(EndpointName=endpoint)
    answer = bench.invoke(endpoint)
    broken = bench.config(bench.model("broken"))
    bench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=broken)
    assert bench.invoke(endpoint) == answer
    described = bench.settled(endpoint)
    assert described["EndpointStatus"] == "InService"
    assert described["EndpointConfigName"] == before["EndpointConfigName"]
    assert "did not pass the ping health check" in described["FailureReason"]
    assert bench.invoke(endpoint) == answer
    logged = lines(bench, f"/aws/sagemaker/Endpoints/{endpoint}")
    assert "RuntimeError: this model was saved by another version" in logged


def test_a_process_that_dies_is_started_again(bench: Bench) -> None:
    endpoint = bench.endpoint(bench.config(bench.model("back again")))
    with pytest.raises(ClientError) as caught:
        bench.invoke(endpoint, "die")
    assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"

    def answers() -> bool:
        try:
            return bench.invoke(endpoint) == "back again"
        except ClientError:
            return False

    until(answers, "an answer of the new process")
    bench.sagemaker.delete_endpoint(EndpointName=endpoint)


def test_a_broken_model_fails_its_endpoint_which_can_only_be_deleted(bench: Bench) -> None:
    name = bench.name("broken")
    config = bench.config(bench.model("broken"))
    bench.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    endpoint = bench.settled(name)
    assert endpoint["EndpointStatus"] == "Failed"
    assert endpoint["FailureReason"] == (
        "The primary container for production variant v1 did not pass the ping health check. "
        "Please check CloudWatch logs for this endpoint."
    )
    with pytest.raises(ClientError, match="status Failed"):
        bench.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)
    bench.sagemaker.delete_endpoint(EndpointName=name)
    until(lambda: is_gone(bench, name), "the end of the endpoint")


def test_a_model_without_its_script_says_what_is_missing(bench: Bench) -> None:
    name = bench.name("lost")
    config = bench.config(bench.model("x", SAGEMAKER_PROGRAM="inference.py"))
    bench.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    assert bench.settled(name)["EndpointStatus"] == "Failed"
    logged = "\n".join(lines(bench, f"/aws/sagemaker/Endpoints/{name}"))
    assert "there is no inference.py in" in logged
    bench.sagemaker.delete_endpoint(EndpointName=name)


def test_variants_share_the_requests_or_are_named(bench: Bench) -> None:
    endpoint = bench.endpoint(bench.config(bench.model("one"), bench.model("two")))
    assert {bench.invoke(endpoint) for _ in range(40)} == {"one", "two"}
    assert {bench.invoke(endpoint, TargetVariant="v2") for _ in range(5)} == {"two"}
    with pytest.raises(ClientError, match="Variant v3 of endpoint"):
        bench.invoke(endpoint, TargetVariant="v3")
    bench.sagemaker.delete_endpoint(EndpointName=endpoint)
    until(lambda: is_gone(bench, endpoint), "the end of the endpoint")
    with pytest.raises(ClientError, match="not found"):
        bench.invoke(endpoint)


def is_gone(bench: Bench, endpoint: str) -> bool:
    try:
        bench.sagemaker.describe_endpoint(EndpointName=endpoint)
    except ClientError as error:
        return error.response["Error"]["Message"].startswith("Could not find endpoint")
    return False


def test_names_that_exist_or_do_not_are_answered_as_aws_does(bench: Bench, old: tuple[str, str]) -> None:
    sagemaker = bench.sagemaker
    model = bench.model("m")
    config = bench.config(model)

    def message(call: Any, **arguments: Any) -> str:
        with pytest.raises(ClientError) as caught:
            call(**arguments)
        assert caught.value.response["Error"]["Code"] == "ValidationException"
        return str(caught.value.response["Error"]["Message"])

    prefix = "arn:aws:sagemaker:us-east-1:000000000000:"
    assert message(sagemaker.create_endpoint, EndpointName=old[0], EndpointConfigName=config) == (
        f'Cannot create already existing endpoint "{prefix}endpoint/{old[0]}".'
    )
    assert message(sagemaker.create_model, ModelName=model, PrimaryContainer={"Image": IMAGE}).startswith(
        "Cannot create already existing model"
    )
    for call, member, label in (
        (sagemaker.describe_model, "ModelName", "model"),
        (sagemaker.delete_model, "ModelName", "model"),
        (sagemaker.describe_endpoint_config, "EndpointConfigName", "endpoint configuration"),
        (sagemaker.delete_endpoint_config, "EndpointConfigName", "endpoint configuration"),
        (sagemaker.describe_endpoint, "EndpointName", "endpoint"),
        (sagemaker.delete_endpoint, "EndpointName", "endpoint"),
    ):
        assert message(call, **{member: "nothing"}).startswith(f'Could not find {label} "{prefix}')
    create = sagemaker.create_endpoint
    assert message(create, EndpointName="e", EndpointConfigName="nothing").startswith(
        "Could not find endpoint configuration"
    )
    variant = {"VariantName": "v", "ModelName": "nothing"}
    create_config = sagemaker.create_endpoint_config
    assert message(create_config, EndpointConfigName="c", ProductionVariants=[variant]).startswith(
        "Could not find model"
    )
    gone = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/no/model.tar.gz"}
    create_model = sagemaker.create_model
    assert message(create_model, ModelName="lost", ExecutionRoleArn=ROLE, PrimaryContainer=gone).startswith(
        f"Could not access model data at s3://{BUCKET}/no/model.tar.gz"
    )


def test_models_and_configs_are_listed_and_deleted(bench: Bench) -> None:
    model = bench.model("m")
    config = bench.config(model)
    models = bench.sagemaker.list_models(NameContains=model)["Models"]
    assert [m["ModelName"] for m in models] == [model]
    described = bench.sagemaker.describe_endpoint_config(EndpointConfigName=config)
    assert described["ProductionVariants"][0]["InitialVariantWeight"] == 1.0
    bench.sagemaker.delete_endpoint_config(EndpointConfigName=config)
    bench.sagemaker.delete_model(ModelName=model)
    assert bench.sagemaker.list_models(NameContains=model)["Models"] == []
    assert bench.sagemaker.list_endpoint_configs(NameContains=config)["EndpointConfigs"] == []
