"""A busy day of a large crowd: events of the log, rows of ledgers, and metrics, all from a seed."""

from __future__ import annotations

import uuid
from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from groundswell.reports import schema
from groundswell.reports.day import DayInputs

if TYPE_CHECKING:
    import pandas as pd

DAY = date(2026, 10, 5)
LEDGER_SHARE = 0.2
WORKERS = 2000
JOBS = 10
MEDIAN_S = 12.0
DAY_S = 80_000
LABELS = np.array(["cat", "dog", "bird", "none"], dtype=object)


def day(events: int, seed: int = 1) -> DayInputs:
    """Return a day of that many events, two per task: four in five of the log, the rest of ledgers."""
    random = np.random.default_rng(seed)
    ledger = int(events * LEDGER_SHARE)
    activity = _rows(random, events - ledger, "worker_activity")
    return DayInputs(
        day=DAY,
        zone=ZoneInfo("UTC"),
        pseudonym=lambda worker: f"w-{worker[:10]}",
        activity=activity,
        ledger=_rows(random, ledger, "ledger"),
        workteam=_metrics(activity),
    )


def _rows(random: np.random.Generator, events: int, source: str) -> pd.DataFrame:
    import pandas as pd

    tasks = events // 2
    workers = np.array([uuid.UUID(bytes=random.bytes(16)).hex for _ in range(WORKERS)], dtype=object)
    job = random.integers(JOBS, size=tasks)
    who = (random.integers(WORKERS // JOBS, size=tasks) * JOBS + job) % WORKERS
    # Each worker has two of the jobs
    job = np.where(random.random(tasks) < 0.5, job, (job + 1) % JOBS)
    seconds = np.rint(np.exp(random.normal(np.log(MEDIAN_S), 0.5, size=tasks)))
    accepted = pd.Timestamp(DAY, tz="UTC") + pd.to_timedelta(random.integers(DAY_S, size=tasks), unit="s")
    names = np.array([f"{source}-job-{number}" for number in range(JOBS)], dtype=object)
    teams = np.array([f"{source}-team-{number % 4}" for number in range(JOBS)], dtype=object)
    columns: dict[str, Any] = {
        "source": np.full(2 * tasks, source, dtype=object),
        "kind": np.repeat(np.array(["accepted", "submitted"], dtype=object), tasks),
        "at": pd.Series(accepted.append(accepted + pd.to_timedelta(seconds, unit="s"))),
        "accepted_at": pd.Series(accepted.append(accepted)),
        "seconds": np.concatenate([np.full(tasks, np.nan), seconds]),
        "worker": np.tile(workers[who], 2),
        "team": np.tile(teams[job], 2),
        "job": np.tile(names[job], 2),
        "task_type": np.full(2 * tasks, "image-classification", dtype=object),
    }
    if source == "ledger":
        columns |= _answers(random, tasks)
    return schema.ACTIVITY.frame(columns)


def _answers(random: np.random.Generator, tasks: int) -> dict[str, Any]:
    submitted = np.arange(2 * tasks) >= tasks
    right = random.random(2 * tasks)
    flags = {
        "paid": submitted,
        "rejected": ~submitted,
        "readable": submitted,
        "agreed": right < 0.9,
        "settles": submitted & (right < 0.33),
    }
    return {
        **{name: np.where(submitted, flag, None) for name, flag in flags.items()},
        "reward_cents": np.where(submitted, 5.0, np.nan),
        "cost_cents": np.where(submitted, 6.0, np.nan),
        "right": np.where(submitted, right.round(6), np.nan),
        "answer": LABELS[random.integers(len(LABELS), size=2 * tasks)],
    }


def _metrics(activity: pd.DataFrame) -> pd.DataFrame:
    submitted = activity[activity["kind"] == "submitted"]
    groups = submitted.groupby(["job", "worker"])["seconds"]
    found: dict[str, list[Any]] = {name: [] for name in ("job", "worker", "measure", "value")}
    for measure, values in (("submitted", groups.size()), ("active_seconds", groups.sum() * 0.9)):
        found["job"] += values.index.get_level_values("job").tolist()
        found["worker"] += values.index.get_level_values("worker").tolist()
        found["measure"] += [measure] * len(values)
        found["value"] += values.astype(float).tolist()
    return schema.WORKTEAM.frame({**found, "day": [DAY.isoformat()] * len(found["job"])})
