from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import AsyncMock

import pytest
from airflow.providers.amazon.aws.triggers import base as provider_triggers
from airflow.sdk.exceptions import AirflowException
from botocore.exceptions import ClientError, EndpointConnectionError

from groundswell.aws.hooks.sagemaker import GroundswellSageMakerHook
from groundswell.aws.triggers import sagemaker as triggers
from groundswell.aws.triggers.sagemaker import SageMakerEndpointTrigger, SageMakerTrainingJobTrigger
from tests.groundswell.aws.sagemaker_support import sagemaker_client

COMMON = {
    "waiter_delay": 5,
    "waiter_max_attempts": 6,
    "aws_conn_id": "my_aws",
    "region_name": "eu-west-1",
    "verify": False,
    "botocore_config": {"read_timeout": 7},
}
PATH = "groundswell.aws.triggers.sagemaker"
ALL = [
    (SageMakerTrainingJobTrigger, {"job_name": "j", "stop_on_kill": False}),
    (SageMakerEndpointTrigger, {"endpoint_name": "e", "until": "settled"}),
    (SageMakerEndpointTrigger, {"endpoint_name": "e", "until": "deleted"}),
]


@pytest.mark.parametrize(("cls", "own"), ALL)
def test_a_trigger_is_made_again_from_what_it_serialises(cls: Any, own: dict[str, Any]) -> None:
    path, arguments = cls(**own, **COMMON).serialize()
    assert path == f"{PATH}.{cls.__name__}"
    assert arguments == {**own, **COMMON}
    assert json.loads(json.dumps(arguments)) == arguments
    module, name = path.rsplit(".", 1)
    again = getattr(importlib.import_module(module), name)(**arguments)
    assert again.serialize() == (path, arguments)
    hook = again.hook()
    assert isinstance(hook, GroundswellSageMakerHook)
    assert (hook.aws_conn_id, hook._region_name, hook._verify) == ("my_aws", "eu-west-1", False)


class Waiting:
    """Stands in for the provider's waiting loop and for sleep."""

    def __init__(self, outcomes: list[BaseException | None]) -> None:
        self.outcomes: Iterator[BaseException | None] = iter(outcomes)
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def wait(self, *_: Any) -> None:
        outcome = next(self.outcomes)
        if outcome is not None:
            raise outcome


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Any:
    def prepare(*outcomes: BaseException | None) -> Waiting:
        stand_in = Waiting(list(outcomes))
        monkeypatch.setattr(triggers.asyncio, "sleep", stand_in.sleep)
        monkeypatch.setattr(provider_triggers, "async_wait", stand_in.wait)

        @asynccontextmanager
        async def client() -> Any:
            yield sagemaker_client()

        monkeypatch.setattr(GroundswellSageMakerHook, "get_async_conn", AsyncMock(side_effect=client))
        return stand_in

    return prepare


def events(trigger: Any) -> list[dict[str, Any]]:
    async def collect() -> list[dict[str, Any]]:
        return [event.payload async for event in trigger.run()]

    return asyncio.run(collect())


def test_nothing_is_said_at_first(waiting: Any) -> None:
    stand_in = waiting(None)
    assert events(SageMakerTrainingJobTrigger(job_name="j")) == [{"status": "success", "job_name": "j"}]
    assert stand_in.slept == [triggers.QUIET_SECONDS]
    assert triggers.QUIET_SECONDS >= 15


def test_a_service_out_of_reach_is_tried_again(waiting: Any) -> None:
    down = EndpointConnectionError(endpoint_url="http://x")
    stand_in = waiting(down, down, None)
    trigger = SageMakerEndpointTrigger(endpoint_name="e", until="deleted", waiter_delay=4)
    assert events(trigger) == [{"status": "success", "endpoint_name": "e"}]
    assert stand_in.slept == [triggers.QUIET_SECONDS, 4, 4]


def test_a_service_that_stays_out_of_reach_is_reported(waiting: Any) -> None:
    waiting(*[EndpointConnectionError(endpoint_url="http://x")] * triggers.PATIENCE)
    (event,) = events(SageMakerTrainingJobTrigger(job_name="j"))
    assert (event["status"], event["job_name"]) == ("error", "j")
    assert "http://x" in event["message"]


def test_what_the_waiter_refuses_is_reported(waiting: Any) -> None:
    waiting(AirflowException("AccessDenied"))
    (event,) = events(SageMakerTrainingJobTrigger(job_name="j"))
    assert event == {"status": "error", "message": "AccessDenied", "job_name": "j"}


class StopClient:
    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.stopped: list[str] = []

    @asynccontextmanager
    async def opened(self) -> Any:
        yield self

    async def stop_training_job(self, TrainingJobName: str) -> None:
        self.stopped.append(TrainingJobName)
        if self.error:
            raise self.error


@pytest.mark.parametrize(
    ("error", "logs"),
    [
        (None, "Training job j is stopping"),
        (
            ClientError({"Error": {"Code": "ValidationException"}}, "StopTrainingJob"),
            "Training job j has ended",
        ),
        (RuntimeError("no network"), "Cannot stop training job j; it may still run and cost"),
    ],
)
def test_a_kill_stops_the_job_and_never_raises(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception | None, logs: str
) -> None:
    client = StopClient(error)
    monkeypatch.setattr(GroundswellSageMakerHook, "get_async_conn", AsyncMock(side_effect=client.opened))
    trigger = SageMakerTrainingJobTrigger(job_name="j")
    said: list[str] = []
    for level in ("info", "exception"):
        monkeypatch.setattr(
            type(trigger.log), level, lambda _, text, *args: said.append(text % args), raising=False
        )
    asyncio.run(trigger.on_kill())
    assert client.stopped == ["j"]
    assert said == [logs]


def test_a_job_may_outlive_the_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = AsyncMock()
    monkeypatch.setattr(GroundswellSageMakerHook, "get_async_conn", opened)
    asyncio.run(SageMakerTrainingJobTrigger(job_name="j", stop_on_kill=False).on_kill())
    opened.assert_not_called()
