"""Parsed events of the WorkerActivity log as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from groundswell.reports import schema

if TYPE_CHECKING:
    import pandas as pd

SOURCE = "worker_activity"
UNKNOWN = "unknown"


def frame(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Return ``schema.ACTIVITY`` of events.

    :param rows: when it was and when the task was accepted (or None), in seconds since 1970; the field that
        tells the time, kind, worker, pool, team, job
    """
    import numpy as np
    import pandas as pd

    if not rows:
        return schema.ACTIVITY.empty()
    at, accepted_at, _, kind, worker, pool, team, job = zip(*rows, strict=True)
    at_s = np.array(at, dtype="int64")
    # no time that can be written is -1, a second before 1970
    accepted_s = np.array([-1 if s is None else s for s in accepted_at], dtype="int64")
    accepted_s[accepted_s < 0] = np.iinfo("int64").min  # NaT
    seconds = np.where(accepted_s >= 0, at_s - accepted_s, -1).astype("float64")
    seconds[(seconds < 0) | (np.array(kind) != "submitted")] = np.nan
    return schema.ACTIVITY.frame(
        {
            "source": [SOURCE] * len(rows),
            "kind": kind,
            "at": pd.to_datetime(at_s.astype("datetime64[s]"), utc=True),
            "accepted_at": pd.to_datetime(accepted_s.astype("datetime64[s]"), utc=True),
            "seconds": seconds,
            "worker": worker,
            "pool": pool,
            "team": team,
            "job": job,
            "task_type": [UNKNOWN] * len(rows),
        }
    )


def with_task_types(rows: pd.DataFrame, jobs: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows with what their jobs ask, which the log does not tell.

    :param rows: ``schema.ACTIVITY`` of the log; of a job that is not known the task type is "unknown"
    :param jobs: with ``job`` and ``task_type``
    """
    known = {job["job"]: job.get("task_type") or UNKNOWN for job in jobs}
    types = {job: known.get(job, UNKNOWN) for job in rows["job"].unique()}
    return rows.assign(task_type=rows["job"].map(types).astype("str"))
