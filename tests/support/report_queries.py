"""The measures of the reports once more, as SQL over the raw rows, without any of the reports' own code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import pandas as pd  # noqa: TID253 (no DAG imports this)

KEYS = ("source", "team", "job", "task_type", "worker")

# Rows of events, labels of jobs and time at work below each other, so that any level is one GROUP BY
_FACTS = """
CREATE TABLE events AS
SELECT CAST(timezone('{zone}', e.at) AS DATE) AS day, e.source, e.team, e.job, e.task_type,
       'w-' || e.worker AS worker, e.kind, e.seconds, e.paid, e.rejected, e.reward_cents, e.cost_cents,
       e.readable, e.agreed, e."right", e.gold_right, e.settles,
       e.kind = 'submitted' AND (e.paid OR e.rejected) AND e.seconds IS NOT NULL
           AND e.reward_cents IS NOT NULL AS pays
FROM (SELECT * FROM activity UNION ALL SELECT * FROM ledger) AS e;

CREATE TABLE spent AS
SELECT CAST(day AS DATE) AS day, job, CASE worker WHEN '' THEN '' ELSE 'w-' || worker END AS worker,
       sum(value) FILTER (measure = 'active_seconds') AS value,
       nullif(coalesce(round(sum(value) FILTER (measure = 'submitted')), 0), 0) AS tasks
FROM workteam GROUP BY ALL HAVING count(*) FILTER (measure = 'active_seconds') > 0;

-- What the events say of a worker in a job, replaced where the metric names that worker
CREATE TABLE per_worker AS
SELECT e.day, e.source, e.team, e.job, e.task_type, e.worker,
       sum(e.seconds) FILTER (e.kind = 'submitted') AS by_events, any_value(s.value) AS by_metric,
       count(e.seconds) FILTER (e.kind = 'submitted') AS timed,
       count(*) FILTER (e.kind = 'submitted') AS submitted, any_value(s.tasks) AS counted
FROM events e LEFT JOIN spent s
  ON s.day = e.day AND s.job = e.job AND s.worker = e.worker AND e.source = 'worker_activity'
GROUP BY ALL;

CREATE TABLE active AS
SELECT day, source, team, job, task_type, worker, coalesce(by_metric, by_events) AS seconds,
       CASE WHEN by_metric IS NOT NULL THEN coalesce(counted, submitted)
            WHEN by_events IS NOT NULL THEN timed END AS tasks,
       CASE WHEN by_metric IS NOT NULL THEN 0 ELSE by_events END AS of_events
FROM per_worker
UNION ALL
-- A job's total: what it says beyond its workers
SELECT s.day, 'worker_activity', any_value(p.team), s.job, any_value(p.task_type), '',
       any_value(s.value) - coalesce(sum(p.by_events), 0),
       coalesce(any_value(s.tasks), sum(p.submitted)) - sum(p.timed), -coalesce(sum(p.by_events), 0)
FROM spent s JOIN per_worker p ON s.day = p.day AND s.job = p.job AND p.source = 'worker_activity'
WHERE s.worker = '' GROUP BY s.day, s.job
HAVING any_value(s.value) <> coalesce(sum(p.by_events), 0) OR coalesce(sum(p.by_events), 0) <> 0
    OR coalesce(any_value(s.tasks), sum(p.submitted)) <> sum(p.timed)
UNION ALL
-- Workers of whom only the metric knows
SELECT s.day, 'worker_activity', '', s.job, 'unknown', s.worker, s.value, s.tasks, 0
FROM spent s WHERE s.worker <> '' AND (s.value > 0 OR s.tasks > 0) AND NOT EXISTS
  (FROM per_worker p
   WHERE s.day = p.day AND s.job = p.job AND s.worker = p.worker AND p.source = 'worker_activity');

CREATE TABLE facts AS
SELECT *, NULL AS active, NULL AS human, NULL AS machine FROM events
UNION ALL BY NAME
SELECT day, source, team, job, task_type, worker, seconds AS active, tasks AS active_tasks, of_events,
       'time' AS kind
FROM active
UNION ALL BY NAME
SELECT CAST(day AS DATE) AS day, 'worker_activity' AS source, team, job, task_type, '' AS worker,
       'labels' AS kind, human_labels AS human, machine_labels AS machine
FROM labels WHERE human_labels + machine_labels > 0;
"""

_MEASURES = """
    count(*) FILTER (kind = 'accepted') AS accepted,
    count(*) FILTER (kind = 'submitted') AS submitted,
    count(*) FILTER (kind = 'returned') AS returned,
    count(*) FILTER (kind = 'declined') AS declined,
    sum(active) AS active_seconds,
    sum(active_tasks) AS active_tasks,
    sum(of_events) AS active_by_events,
    sum(seconds) FILTER (kind = 'submitted') AS seconds_total,
    quantile_cont(seconds, 0.5) FILTER (kind = 'submitted') AS seconds_median,
    quantile_cont(seconds, 0.9) FILTER (kind = 'submitted') AS seconds_p90,
    CASE WHEN sum(active) > 0 AND sum(active_tasks) > 0 AND sum(of_events) >= 0
             THEN sum(active) / sum(active_tasks) END
        AS seconds_per_task,
    CASE WHEN sum(active) > 0 AND sum(active_tasks) >= 0 AND sum(of_events) >= 0
             THEN sum(active_tasks) * 3600 / sum(active) END
        AS tasks_per_hour,
    count(agreed) FILTER (kind = 'submitted') AS judged,
    count(*) FILTER (kind = 'submitted' AND agreed) AS agreed,
    avg(CAST(agreed AS INT)) FILTER (kind = 'submitted') AS agreement,
    sum("right") FILTER (kind = 'submitted' AND agreed IS NOT NULL) AS right_expected,
    avg("right") FILTER (kind = 'submitted' AND agreed IS NOT NULL) AS accuracy,
    count(gold_right) FILTER (kind = 'submitted') AS gold_seen,
    count(*) FILTER (kind = 'submitted' AND gold_right) AS gold_right,
    avg(CAST(gold_right AS INT)) FILTER (kind = 'submitted') AS gold_score,
    sum(reward_cents) FILTER (kind = 'submitted') AS earned_cents,
    sum(seconds) FILTER (pays) AS pay_seconds,
    sum(reward_cents) FILTER (pays) AS pay_cents,
    36 * sum(reward_cents) FILTER (pays) / nullif(sum(seconds) FILTER (pays), 0) AS hourly_pay,
    sum(cost_cents) FILTER (kind = 'submitted') AS cost_cents,
    count(*) FILTER (kind = 'submitted' AND settles) AS settled_labels,
    sum(cost_cents) FILTER (kind = 'submitted') / 100
       / nullif(count(*) FILTER (kind = 'submitted' AND settles), 0) AS cost_per_label,
    count(*) FILTER (kind = 'submitted' AND settles) + coalesce(sum(human), 0) AS human_labels,
    coalesce(sum(machine), 0) AS machine_labels,
    coalesce(sum(machine), 0) / nullif(count(*) FILTER (kind = 'submitted' AND settles)
       + coalesce(sum(human), 0) + coalesce(sum(machine), 0), 0) AS machine_share,
    count(*) FILTER (kind = 'submitted' AND rejected) AS rejected,
    count(*) FILTER (kind = 'submitted' AND NOT readable) AS unreadable
"""


class Queries:
    """The raw rows of some days in a database.

    Counts that nothing is known of are 0 here and null in the tables: compare with nulls as 0.
    """

    def __init__(
        self,
        activity: pd.DataFrame,
        ledger: pd.DataFrame,
        workteam: pd.DataFrame,
        jobs: Sequence[dict[str, Any]],
        zone: str,
    ) -> None:
        self._database = duckdb.connect(config={"threads": 1})
        labels = pd.DataFrame(
            list(jobs),
            columns=["day", "job", "team", "task_type", "status", "human_labels", "machine_labels"],
        ).astype({"day": str, "human_labels": "float64", "machine_labels": "float64"})
        frames = {"activity": activity, "ledger": ledger, "workteam": workteam, "labels": labels}
        for name, frame in frames.items():
            self._database.register(name, frame)
        self._database.execute(_FACTS.format(zone=zone))

    def level(self, keys: Sequence[str]) -> pd.DataFrame:
        """All measures per group, sorted by the keys, which may be "day" and any of KEYS."""
        names = ", ".join(keys)
        select = f"SELECT {names + ',' if names else ''} {_MEASURES} FROM facts"
        found = self._database.execute(f"{select} GROUP BY {names}" if names else select).df()
        if "day" in keys:
            found["day"] = found["day"].astype(str).str[:10]
        return found.sort_values(list(keys), ignore_index=True) if names else found

    def close(self) -> None:
        self._database.close()
