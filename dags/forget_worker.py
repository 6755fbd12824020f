"""
Forget a worker: remove who it was from the reports and from what they are made of.

Raw events, names, and every report that names the worker are written anew, old revisions included; the
numbers of teams and jobs stay as they are, with the worker's work under "forgotten". What is kept is a mark
by which later events of the worker are recognised and not taken in. **The ledgers of batches keep worker
ids**: they are records of money. Airflow keeps the parameters of runs: give the pseudonym, as in the reports,
where you can. The task returns what was done; it may be done again at any time.

An id that nothing names is an error, since it may be mistyped. Where a run of `worker_metrics` is at work at
the same time, the task is tried again until that has ended; if it was killed, for an hour.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, task

SETTINGS = Path(__file__).parents[1] / "include" / "reports" / "worker_metrics.yaml"
WORKER = Param(
    type="string",
    minLength=1,
    title="Worker",
    description_md="The pseudonym in the reports, such as `w-0123456789`; or a Cognito sub, or a worker id.",
)
EXPECTED = Param(
    False,
    type="boolean",
    title="Only expected",
    description_md="Also where nothing that is kept names the worker, who may yet come: the worker's events "
    "will not be taken in.",
)


@task
def forget(params: Any = None) -> dict[str, Any]:
    """Write everything that names the worker anew; return a report of it."""
    from groundswell.aws.reporting.forgetting import forget as go
    from groundswell.aws.reporting.opening import open_reports

    with open_reports(SETTINGS) as reports:
        return go(reports, params["worker"], datetime.now(UTC), expected=params["expected"])


with DAG(
    dag_id="forget_worker",
    description="Remove a worker from the reports and their inputs",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params={"worker": WORKER, "expected": EXPECTED},
    # Together longer than an hour
    default_args={
        "owner": "operations",
        "retries": 9,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=15),
    },
    tags=["operations", "reports"],
):
    forget()
