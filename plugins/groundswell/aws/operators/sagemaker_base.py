"""What the operators for SageMaker share."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.sdk.exceptions import AirflowFailException

from groundswell.aws.exceptions import clear_errors
from groundswell.aws.hooks.sagemaker import GroundswellSageMakerHook
from groundswell.aws.source_archive import pack_source

#: Seconds that a deferred task waits longer than its trigger, which does not count throttled calls.
DEFER_MARGIN = 600


ResourceType = Literal["training_job", "model", "endpoint_config", "endpoint"]
ResourceState = Literal["intended", "created", "deleted"]


class SageMakerOperator(AwsBaseOperator[GroundswellSageMakerHook]):
    """What the operators below share."""

    aws_hook_class = GroundswellSageMakerHook
    ui_color = "#ededed"

    def _clear_errors(self) -> AbstractContextManager[None]:
        return clear_errors(connection=self.aws_conn_id or "(none)")

    def on_resource(self, kind: ResourceType, name: str, state: ResourceState) -> None:
        """
        Take note of a resource: before it is made or changed, and after it was made, found or deleted.

        For subclasses that keep a record. It may be called again with the same arguments, by a retry.
        """

    @property
    def _trigger_parameters(self) -> dict[str, Any]:
        return {
            "aws_conn_id": self.aws_conn_id,
            "region_name": self.region_name,
            "verify": self.verify,
            "botocore_config": self.botocore_config,
        }

    def _expanded_role(self, role: str) -> str:
        if "/" in role:
            return role
        return str(AwsBaseHook(client_type="iam", **self._hook_parameters).expand_role(role))

    def _uploaded_source(self, folder: str | None, entry_point: str, s3_uri: str | None) -> str | None:
        if not folder:
            return None
        if not s3_uri:
            raise AirflowFailException("source_s3_uri is missing; give the S3 URI under which code is kept")
        return str(self.hook.upload_source(pack_source(Path(folder), entry_point), s3_uri))
