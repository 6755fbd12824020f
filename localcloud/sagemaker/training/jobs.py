"""The operations on training jobs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from localcloud.sagemaker.arns import TRAINING_JOB, Caller
from localcloud.sagemaker.errors import Refused, ResourceInUse
from localcloud.sagemaker.listing import listed
from localcloud.sagemaker.store import AlreadyStored, Document, DocumentStore
from localcloud.sagemaker.training import state
from localcloud.sagemaker.training.requests import check_training_request, kept
from localcloud.sagemaker.training.runner import TrainingRunner
from workforce.clock import Clock

_NOT_FOUND = "Requested resource not found."


class TrainingJobs:
    """CreateTrainingJob and its relatives; parameters are validated against botocore's model before."""

    def __init__(self, store: DocumentStore, runner: TrainingRunner, clock: Clock) -> None:
        self._store = store
        self._runner = runner
        self._clock = clock

    def create(self, params: Mapping[str, Any], caller: Caller) -> Document:
        """Store a job and queue it."""
        check_training_request(params)
        name = params["TrainingJobName"]
        now = self._clock.now()
        job: Document = {
            "TrainingJobName": name,
            "TrainingJobArn": caller.arn(TRAINING_JOB, name),
            "TrainingJobStatus": "InProgress",
            "CreationTime": now,
            **kept(params),
            "Tags": params.get("Tags", []),
        }
        state.enter(job, "Starting", now)
        try:
            self._store.insert(TRAINING_JOB, name, job)
        except AlreadyStored as error:
            raise ResourceInUse(
                "Training job names must be unique within an AWS account and region, and a training job "
                f"with this name already exists ({caller.arn(TRAINING_JOB, name)})"
            ) from error
        self._runner.submit(name)
        return {"TrainingJobArn": job["TrainingJobArn"]}

    def describe(self, params: Mapping[str, Any], _caller: Caller) -> Document:
        """Return a job as it is now."""
        return self._job(params)

    def list(self, params: Mapping[str, Any], _caller: Caller) -> Document:
        """Return one page of the jobs."""
        page, token = listed(
            self._store.all(TRAINING_JOB),
            params,
            name_key="TrainingJobName",
            status_key="TrainingJobStatus",
            descending=False,
        )
        return {"TrainingJobSummaries": page, "NextToken": token}

    def stop(self, params: Mapping[str, Any], _caller: Caller) -> Document:
        """Ask a job to stop; one that stops already is left to it."""
        name = params["TrainingJobName"]
        now = self._clock.now()

        def change(job: Document) -> None:
            status = job["TrainingJobStatus"]
            if status not in state.ACTIVE:
                raise Refused(f"The request was rejected because the training job is in status {status}.")
            if status != "Stopping":
                state.enter(job, "Stopping", now)

        job = self._store.update(TRAINING_JOB, name, change)
        if job is None:
            raise Refused(_NOT_FOUND)
        self._runner.stop(job["TrainingJobName"])
        return {}

    def delete(self, params: Mapping[str, Any], _caller: Caller) -> Document:
        """Forget a job that has ended."""
        job = self._job(params)
        if job["TrainingJobStatus"] in state.ACTIVE:
            raise ResourceInUse(
                f"Cannot delete training job {job['TrainingJobName']} in status {job['TrainingJobStatus']}; "
                "stop it first."
            )
        self._store.delete(TRAINING_JOB, job["TrainingJobName"])
        return {}

    def resume(self) -> None:
        """Take up what a former server left unfinished: run jobs again, end those that were stopping."""
        for job in self._store.all(TRAINING_JOB):
            name = job["TrainingJobName"]
            now = self._clock.now()
            if job["TrainingJobStatus"] == "Stopping":
                self._store.update(TRAINING_JOB, name, partial(state.enter, secondary="Stopped", now=now))
            elif job["TrainingJobStatus"] == "InProgress":
                self._store.update(TRAINING_JOB, name, partial(state.restart, now=now))
                self._runner.submit(name)

    def _job(self, params: Mapping[str, Any]) -> Document:
        job = self._store.get(TRAINING_JOB, params["TrainingJobName"])
        if job is None:
            raise Refused(_NOT_FOUND)
        return job
