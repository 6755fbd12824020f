"""The status of a training job over time, in the words of the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from localcloud.sagemaker.store import Document

MAX_REASON = 1024

MESSAGES = {
    "Starting": "Starting the training job",
    "Restarting": "The local SageMaker was restarted; the training job is run again from the beginning",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}
_FINAL = {"Completed": "Completed", "Failed": "Failed", "Stopped": "Stopped", "MaxRuntimeExceeded": "Stopped"}
ACTIVE = frozenset({"InProgress", "Stopping"})


def enter(job: Document, secondary: str, now: datetime, message: str | None = None) -> None:
    """Move to a secondary status, which closes the one before; final ones end the job."""
    transitions: list[dict[str, Any]] = job.setdefault("SecondaryStatusTransitions", [])
    if transitions:
        transitions[-1].setdefault("EndTime", now)
    entry = {"Status": secondary, "StartTime": now, "StatusMessage": message or MESSAGES[secondary]}
    transitions.append(entry)
    job["SecondaryStatus"] = secondary
    job["LastModifiedTime"] = now
    if secondary == "Stopping":
        job["TrainingJobStatus"] = "Stopping"
    if secondary in _FINAL:
        entry["EndTime"] = now
        _finish(job, _FINAL[secondary], now)


def start_clock(job: Document, now: datetime) -> None:
    """Note when the instances began to work, which is when billing begins."""
    job["TrainingStartTime"] = now


def restart(job: Document, now: datetime) -> None:
    """Begin anew after the server was gone."""
    for name in ("TrainingStartTime", "TrainingEndTime", "FinalMetricDataList"):
        job.pop(name, None)
    enter(job, "Restarting", now)


def deadline(job: Document, default_seconds: int) -> datetime:
    """Return when the job has run for longer than it may."""
    start: datetime = job["TrainingStartTime"]
    return start + timedelta(seconds=job["StoppingCondition"].get("MaxRuntimeInSeconds", default_seconds))


def fail(job: Document, reason: str, now: datetime) -> None:
    """End the job as Failed."""
    job["FailureReason"] = reason[:MAX_REASON]
    enter(job, "Failed", now)


def _finish(job: Document, status: str, now: datetime) -> None:
    job["TrainingJobStatus"] = status
    start = job.get("TrainingStartTime")
    if start is None:
        return
    job["TrainingEndTime"] = now
    seconds = max(1, round((now - start).total_seconds()))
    job["TrainingTimeInSeconds"] = seconds
    job["BillableTimeInSeconds"] = seconds * job["ResourceConfig"].get("InstanceCount", 1)
