"""What the amazon provider's SageMaker hook lacks: deleting endpoints, stopping jobs, asking a model."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.providers.amazon.aws.hooks.logs import AwsLogsHook
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.hooks.sagemaker import SageMakerHook
from botocore.exceptions import ClientError

from groundswell.aws.exceptions import error_code
from groundswell.aws.source_archive import SourceArchive

Deletion = Literal["deleting", "absent", "busy"]

TRAINING_LOG_GROUP = "/aws/sagemaker/TrainingJobs"

_ABSENT_CODES = frozenset({"ValidationException", "ResourceNotFound", "ResourceNotFoundException"})
# SageMaker says "not there" and "wrong parameter" with one code; only the text tells them apart.
_ABSENT = re.compile(r"(could|can) ?not find|not found|does not exist", re.IGNORECASE)
_EXISTS = re.compile(r"already exist", re.IGNORECASE)
_BUSY = re.compile(r"in[- ]progress", re.IGNORECASE)


class GroundswellSageMakerHook(SageMakerHook):
    """
    Interact with Amazon SageMaker, safely under retry.

    Provide thick wrapper around
    :external+boto3:py:class:`boto3.client("sagemaker") <SageMaker.Client>`.

    Creating what exists and deleting what is absent are answers here, not errors. Unlike the provider's hook
    it gives its region, verification and configuration to the S3 and logs hooks inside it.

    Additional arguments (such as ``aws_conn_id``) may be specified and
    are passed down to the underlying AwsBaseHook.

    .. seealso::
        - :class:`airflow.providers.amazon.aws.hooks.sagemaker.SageMakerHook`
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.s3_hook = S3Hook(**self._shared_parameters)
        self.logs_hook = AwsLogsHook(**self._shared_parameters)

    @property
    def _shared_parameters(self) -> dict[str, Any]:
        return {
            "aws_conn_id": self.aws_conn_id,
            "region_name": self._region_name,
            "verify": self._verify,
            "config": self._config,
        }

    @cached_property
    def waiter_path(self) -> Path:
        """Waiters of this package; the base class looks inside the provider only."""
        return Path(__file__).parents[1] / "waiters" / "sagemaker.json"

    def get_waiter(self, waiter_name: str, *args: Any, **kwargs: Any) -> Any:
        """
        Get a waiter of this package, of the provider or of botocore, in this order.

        :param waiter_name: The name of the waiter.
        """
        if waiter_name in self._list_custom_waiters():
            return super().get_waiter(waiter_name, *args, **kwargs)
        return self._provider_hook.get_waiter(waiter_name, *args, **kwargs)

    def list_waiters(self) -> list[str]:
        """Return the names of all waiters: official, the provider's and this package's."""
        return [*self._provider_hook.list_waiters(), *self._list_custom_waiters()]

    @property
    def _provider_hook(self) -> SageMakerHook:
        return SageMakerHook(**self._shared_parameters)

    # --- training ---------------------------------------------------------------------------------------

    def find_training_job(self, job_name: str) -> dict[str, Any] | None:
        """
        Describe a training job, or return None where there is none of this name.

        .. seealso::
            - :external+boto3:py:meth:`SageMaker.Client.describe_training_job`

        :param job_name: the name of the training job
        """
        return self._found(lambda: self.conn.describe_training_job(TrainingJobName=job_name))

    def start_training_job(self, config: dict[str, Any]) -> bool:
        """
        Start a training job and return at once.

        .. seealso::
            - :external+boto3:py:meth:`SageMaker.Client.create_training_job`

        :param config: the request
        :return: False where a job of this name exists, for instance because an answer was lost.
        """
        return self._created(lambda: self.conn.create_training_job(**config))

    def stop_training_job(self, job_name: str) -> bool:
        """
        Stop a training job.

        .. seealso::
            - :external+boto3:py:meth:`SageMaker.Client.stop_training_job`

        :param job_name: the name of the training job
        :return: False where it has ended or does not exist.
        """
        try:
            self.conn.stop_training_job(TrainingJobName=job_name)
        except ClientError as error:
            if error_code(error) in _ABSENT_CODES:
                return False
            raise
        return True

    async def astop_training_job(self, job_name: str) -> bool:
        """
        Stop a training job; see :meth:`stop_training_job`.

        :param job_name: the name of the training job
        """
        async with await self.get_async_conn() as client:
            try:
                await client.stop_training_job(TrainingJobName=job_name)
            except ClientError as error:
                if error_code(error) in _ABSENT_CODES:
                    return False
                raise
        return True

    def training_log_streams(self, job_name: str) -> list[str]:
        """
        Return the names of the job's log streams; none where it has not logged anything.

        .. seealso::
            - :external+boto3:py:meth:`CloudWatchLogs.Client.describe_log_streams`

        :param job_name: the name of the training job
        """
        pages = self.logs_hook.conn.get_paginator("describe_log_streams").paginate(
            logGroupName=TRAINING_LOG_GROUP, logStreamNamePrefix=f"{job_name}/"
        )
        try:
            return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return []
            raise

    def training_log_end(self, job_name: str, lines: int) -> list[str]:
        """
        Return the last lines that the job logged, in the order of time.

        .. seealso::
            - :external+boto3:py:meth:`CloudWatchLogs.Client.get_log_events`

        :param job_name: the name of the training job
        :param lines: how many at most
        """
        events: list[dict[str, Any]] = []
        for stream in self.training_log_streams(job_name):
            page = self.logs_hook.conn.get_log_events(
                logGroupName=TRAINING_LOG_GROUP, logStreamName=stream, limit=lines, startFromHead=False
            )
            events += page["events"]
        events.sort(key=lambda event: event["timestamp"])
        return [str(event["message"]) for event in events[-lines:]]

    def upload_source(self, archive: SourceArchive, s3_uri: str) -> str:
        """
        Put packed code into S3, once per content.

        :param archive: the code
        :param s3_uri: the bucket, with a prefix if wanted
        :return: the S3 URI of the archive
        """
        bucket, prefix = S3Hook.parse_s3_url(s3_uri)
        key = archive.key(prefix)
        if not self.s3_hook.check_for_key(key, bucket):
            self.s3_hook.load_bytes(archive.content, key, bucket, replace=True)
        return f"s3://{bucket}/{key}"

    # --- hosting ----------------------------------------------------------------------------------------

    def ensure_model(self, config: dict[str, Any]) -> bool:
        """
        Create a model.

        .. seealso::
            - :external+boto3:py:meth:`SageMaker.Client.create_model`

        :param config: the request
        :return: False where a model of this name exists.
        """
        return self._created(lambda: self.conn.create_model(**config))

    def ensure_endpoint_config(self, config: dict[str, Any]) -> bool:
        """
        Create an endpoint configuration.

        .. seealso::
            - :external+boto3:py:meth:`SageMaker.Client.create_endpoint_config`

        :param config: the request
        :return: False where a configuration of this name exists.
        """
        return self._created(lambda: self.conn.create_endpoint_config(**config))

    def find_endpoint(self, endpoint_name: str) -> dict[str, Any] | None:
        """
        Describe an endpoint, or return None where there is none of this name.

        .. seealso::
            - :external+boto3:py:meth:`SageMaker.Client.describe_endpoint`

        :param endpoint_name: the name of the endpoint
        """
        return self._found(lambda: self.conn.describe_endpoint(EndpointName=endpoint_name))

    def find_endpoint_config(self, endpoint_config_name: str) -> dict[str, Any] | None:
        """
        Describe an endpoint configuration, or return None where there is none of this name.

        .. seealso::
            - :external+boto3:py:meth:`SageMaker.Client.describe_endpoint_config`

        :param endpoint_config_name: the name of the configuration
        """
        request = {"EndpointConfigName": endpoint_config_name}
        return self._found(lambda: self.conn.describe_endpoint_config(**request))

    def find_model(self, model_name: str) -> dict[str, Any] | None:
        """
        Describe a model, or return None where there is none of this name.

        .. seealso::
            - :external+boto3:py:meth:`SageMaker.Client.describe_model`

        :param model_name: the name of the model
        """
        return self._found(lambda: self.conn.describe_model(ModelName=model_name))

    def start_endpoint(self, endpoint_name: str, endpoint_config_name: str, *, update: bool = False) -> bool:
        """
        Create or update an endpoint and return at once.

        .. seealso::
            - :external+boto3:py:meth:`SageMaker.Client.create_endpoint`
            - :external+boto3:py:meth:`SageMaker.Client.update_endpoint`

        :param endpoint_name: the name of the endpoint
        :param endpoint_config_name: what it shall serve
        :param update: change the endpoint that exists
        :return: False where somebody else was first: it exists already, or is changing.
        """
        call = self.conn.update_endpoint if update else self.conn.create_endpoint
        try:
            call(EndpointName=endpoint_name, EndpointConfigName=endpoint_config_name)
        except ClientError as error:
            if _says(error, _EXISTS) or _says(error, _BUSY):
                return False
            raise
        return True

    def delete_endpoint(self, endpoint_name: str) -> Deletion:
        """
        Begin to delete an endpoint.

        .. seealso::
            - :external+boto3:py:meth:`SageMaker.Client.delete_endpoint`

        :param endpoint_name: the name of the endpoint
        :return: "deleting"; "absent", also when it has gone already; "busy" while it is being created or
            updated, when SageMaker refuses.
        """
        endpoint = self.find_endpoint(endpoint_name)
        if endpoint is None:
            return "absent"
        if endpoint["EndpointStatus"] == "Deleting":
            return "deleting"
        try:
            self.conn.delete_endpoint(EndpointName=endpoint_name)
        except ClientError as error:
            if _is_absent(error):
                return "absent"
            if _says(error, _BUSY):
                return "busy"
            raise
        return "deleting"

    def delete_endpoint_config(self, endpoint_config_name: str) -> bool:
        """
        Delete an endpoint configuration.

        .. seealso::
            - :external+boto3:py:meth:`SageMaker.Client.delete_endpoint_config`

        :param endpoint_config_name: the name of the configuration
        :return: False where there was none.
        """
        request = {"EndpointConfigName": endpoint_config_name}
        return self._found(lambda: self.conn.delete_endpoint_config(**request)) is not None

    def delete_model_if_exists(self, model_name: str) -> bool:
        """
        Delete a model.

        .. seealso::
            - :external+boto3:py:meth:`SageMaker.Client.delete_model`

        :param model_name: the name of the model
        :return: False where there was none.
        """
        return self._found(lambda: self.conn.delete_model(ModelName=model_name)) is not None

    def invoke_endpoint(
        self,
        endpoint_name: str,
        body: bytes | str,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> bytes:
        """
        Ask an endpoint and return its answer.

        .. seealso::
            - :external+boto3:py:meth:`SageMakerRuntime.Client.invoke_endpoint`

        :param endpoint_name: the name of the endpoint
        :param body: the request, in the form of ``content_type``
        :param content_type: media type of the request
        :param accept: media type wanted
        """
        response = self._runtime_hook.conn.invoke_endpoint(
            EndpointName=endpoint_name, Body=body, ContentType=content_type, Accept=accept
        )
        content: bytes = response["Body"].read()
        return content

    @cached_property
    def _runtime_hook(self) -> AwsBaseHook:
        return AwsBaseHook(client_type="sagemaker-runtime", **self._shared_parameters)

    @staticmethod
    def _found(call: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        try:
            return call()
        except ClientError as error:
            if _is_absent(error):
                return None
            raise

    @staticmethod
    def _created(call: Callable[[], object]) -> bool:
        try:
            call()
        except ClientError as error:
            if _says(error, _EXISTS):
                return False
            raise
        return True


def _says(error: ClientError, pattern: re.Pattern[str]) -> bool:
    return bool(pattern.search(str(error.response.get("Error", {}).get("Message", ""))))


def _is_absent(error: ClientError) -> bool:
    return error_code(error) in _ABSENT_CODES and _says(error, _ABSENT)
