"""Waiting for SageMaker, in the triggerer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal

from airflow.providers.amazon.aws.triggers.base import AwsBaseWaiterTrigger
from airflow.triggers.base import TriggerEvent
from botocore.exceptions import BotoCoreError

from groundswell.aws.hooks.sagemaker import GroundswellSageMakerHook

#: Airflow 3.3 may mark a task failed whose trigger fires within seconds of the deferral (apache/airflow
#: issues 71580, 72716): nothing is reported before this many seconds.
QUIET_SECONDS = 15
#: Times in a row that the service may be out of reach before the task is woken to say so.
PATIENCE = 20


class _QuietWaiterTrigger(AwsBaseWaiterTrigger):
    """A waiter that says nothing at first and outlives a service that is out of reach for a while."""

    aws_hook_class = GroundswellSageMakerHook

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait; yield one event, ``{"status": "success" | "error", …}``."""
        await asyncio.sleep(QUIET_SECONDS)
        for _ in range(PATIENCE):
            try:
                async for event in super().run():
                    yield event
                return
            except BotoCoreError as error:
                message = str(error)
                self.log.warning("%s; trying again in %s s", message, self.waiter_delay)
                await asyncio.sleep(self.waiter_delay)
        yield TriggerEvent({"status": "error", "message": message, self.return_key: self.return_value})


class SageMakerTrainingJobTrigger(_QuietWaiterTrigger):
    """
    Fire when a training job has ended, in whatever way.

    :param job_name: The name of the training job.
    :param stop_on_kill: Stop the job when a user marks the deferred task failed or successful, or clears it.
    :param waiter_delay: The amount of time in seconds to wait between attempts.
    :param waiter_max_attempts: The maximum number of attempts to be made.
    :param aws_conn_id: The Airflow connection used for AWS credentials.
    :param region_name: The AWS region where the job is running. Used to build the hook.
    :param verify: Whether or not to verify SSL certificates. Used to build the hook.
    :param botocore_config: Configuration dictionary for the botocore client. Used to build the hook.
    """

    def __init__(
        self,
        *,
        job_name: str,
        stop_on_kill: bool = True,
        waiter_delay: int = 30,
        waiter_max_attempts: int = 120,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            serialized_fields={"job_name": job_name, "stop_on_kill": stop_on_kill},
            waiter_name="training_job_over",
            waiter_args={"TrainingJobName": job_name},
            failure_message=f"Training job {job_name} cannot be followed",
            status_message=f"Training job {job_name}",
            status_queries=["TrainingJobStatus", "SecondaryStatus"],
            return_key="job_name",
            return_value=job_name,
            waiter_delay=waiter_delay,
            waiter_max_attempts=waiter_max_attempts,
            aws_conn_id=aws_conn_id,
            region_name=region_name,
            verify=verify,
            botocore_config=botocore_config,
        )
        self.job_name = job_name
        self.stop_on_kill = stop_on_kill

    async def on_kill(self) -> None:
        """Stop the job; the triggerer calls this on a user's action only, never on restart or time-out."""
        if not self.stop_on_kill:
            return
        try:
            stopped = await self.hook().astop_training_job(self.job_name)
        except Exception:
            self.log.exception("Cannot stop training job %s; it may still run and cost", self.job_name)
        else:
            self.log.info("Training job %s %s", self.job_name, "is stopping" if stopped else "has ended")


class SageMakerEndpointTrigger(_QuietWaiterTrigger):
    """
    Fire when nothing is under way on an endpoint any more, or when it is gone.

    :param endpoint_name: The name of the endpoint.
    :param until: "settled" (in service, failed, or gone), or "deleted".
    :param waiter_delay: The amount of time in seconds to wait between attempts.
    :param waiter_max_attempts: The maximum number of attempts to be made.
    :param aws_conn_id: The Airflow connection used for AWS credentials.
    :param region_name: The AWS region where the endpoint is. Used to build the hook.
    :param verify: Whether or not to verify SSL certificates. Used to build the hook.
    :param botocore_config: Configuration dictionary for the botocore client. Used to build the hook.
    """

    def __init__(
        self,
        *,
        endpoint_name: str,
        until: Literal["settled", "deleted"],
        waiter_delay: int = 30,
        waiter_max_attempts: int = 120,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            serialized_fields={"endpoint_name": endpoint_name, "until": until},
            waiter_name=f"endpoint_{until}",
            waiter_args={"EndpointName": endpoint_name},
            failure_message=f"Endpoint {endpoint_name} cannot be followed",
            status_message=f"Endpoint {endpoint_name}",
            status_queries=["EndpointStatus"],
            return_key="endpoint_name",
            return_value=endpoint_name,
            waiter_delay=waiter_delay,
            waiter_max_attempts=waiter_max_attempts,
            aws_conn_id=aws_conn_id,
            region_name=region_name,
            verify=verify,
            botocore_config=botocore_config,
        )
        self.endpoint_name = endpoint_name
