"""The reading operations on labeling jobs; none can be created here yet, and these say exactly that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.sagemaker.arns import LABELING_JOB, Caller
from localcloud.sagemaker.errors import ApiError
from localcloud.sagemaker.listing import listed
from localcloud.sagemaker.store import Document, DocumentStore


class LabelingJobs:
    """ListLabelingJobs and DescribeLabelingJob."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    def describe(self, params: Mapping[str, Any], caller: Caller) -> Document:
        """Return a job; raises ResourceNotFound, the error that the API reference names."""
        job = self._store.get(LABELING_JOB, params["LabelingJobName"])
        if job is None:
            arn = caller.arn(LABELING_JOB, params["LabelingJobName"])
            raise ApiError("ResourceNotFound", f"Could not find labeling job {arn}.")
        return job

    def list(self, params: Mapping[str, Any], _caller: Caller) -> Document:
        """Return one page of the jobs."""
        page, token = listed(
            self._store.all(LABELING_JOB),
            params,
            name_key="LabelingJobName",
            status_key="LabelingJobStatus",
            descending=False,
        )
        return {"LabelingJobSummaryList": page, "NextToken": token}
