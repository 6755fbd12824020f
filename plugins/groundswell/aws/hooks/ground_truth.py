"""SageMaker Ground Truth: labeling jobs and how far they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from groundswell.aws.hooks.patience import PatientHook
from groundswell.aws.hooks.sagemaker import GroundswellSageMakerHook

PAGE = 100  # the API's maximum
#: What SageMaker calls jobs by; it refuses to be asked for another name, such as one of a broken event.
_JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


class GroundTruthHook(PatientHook, GroundswellSageMakerHook):
    """
    Interact with the labeling jobs of Amazon SageMaker Ground Truth.

    Provide thin wrapper around :external+boto3:py:class:`boto3.client("sagemaker") <SageMaker.Client>`.

    Additional arguments (such as ``aws_conn_id``) may be specified and
    are passed down to the underlying AwsBaseHook.

    .. seealso::
        - :class:`groundswell.aws.hooks.sagemaker.GroundswellSageMakerHook`
    """

    def labeling_jobs(
        self, *, created_after: datetime | None = None, created_before: datetime | None = None
    ) -> Iterator[dict[str, Any]]:
        """
        Yield summaries of labeling jobs, with their counters.

        .. seealso::
            - :external+boto3:py:meth:`SageMaker.Client.list_labeling_jobs`

        :param created_after: leave out those that were created earlier
        :param created_before: leave out those that were created later
        """
        filters = {"CreationTimeAfter": created_after, "CreationTimeBefore": created_before}
        pages = self.conn.get_paginator("list_labeling_jobs").paginate(
            PaginationConfig={"PageSize": PAGE}, **{name: at for name, at in filters.items() if at}
        )
        for page in pages:
            yield from page["LabelingJobSummaryList"]

    def find_labeling_job(self, job_name: str) -> dict[str, Any] | None:
        """
        Describe a labeling job, or return None where there is none of this name (any more).

        .. seealso::
            - :external+boto3:py:meth:`SageMaker.Client.describe_labeling_job`

        :param job_name: the name of the labeling job, or what somebody says it is
        """
        if _JOB_NAME.fullmatch(job_name) is None:
            return None
        return self._found(lambda: self.conn.describe_labeling_job(LabelingJobName=job_name))
