"""
Pay a worker outside the usual way: somebody could not submit, was rejected by mistake, or has a claim.

Who has an assignment of the batch gets a bonus on it. Anybody else gets a make-up HIT that nobody else can
take, with one button. `undo_rejection` approves a rejected assignment after all. Nothing is paid before a
person has approved it with the numbers; triggering the same case again pays nothing twice.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param, chain, task
from airflow.sdk.exceptions import AirflowSkipException

from groundswell.aws.sensors.make_up import MTurkHitSensor

BATCHES = Path(__file__).parents[1] / "include" / "batches"
PARAMS = {
    "batch": Param(type="string", minLength=1, title="Batch", description_md="The `name` in the batch file."),
    "worker_id": Param(type="string", minLength=1, title="Worker", description_md="Such as `A1B2C3`."),
    "amount": Param(
        "",
        type="string",
        title="Amount in dollars",
        description_md="What the worker gets, without the fee: `1.50`. Empty where a rejection is undone.",
    ),
    "reason": Param(type="string", minLength=1, title="Reason", description_md="The worker reads this."),
    "case": Param(
        type="string",
        minLength=1,
        title="Case",
        description_md="Your id of the case. A case is paid once, however often it is triggered.",
    ),
    "assignment": Param(
        "", type="string", title="Assignment", description_md="The one it is about, if known."
    ),
    "undo_rejection": Param(
        False, type="boolean", title="Undo a rejection", description_md="Approve the assignment after all."
    ),
}


@task
def plan(params: Any = None) -> dict[str, Any]:
    """Find out how the worker can be paid and what it costs; pay nothing."""
    from groundswell.aws.compensating import opened

    with opened(BATCHES, params) as compensation:
        planned = compensation.plan()
        connection = compensation.run.live.connections.mturk
    if planned["done"]:
        raise AirflowSkipException(planned["text"])
    return planned | {"connection": connection}


@task
def pay(params: Any = None, ti: Any = None) -> dict[str, Any]:
    """Send the bonus, undo the rejection, or publish the make-up HIT."""
    from groundswell.aws.compensating import approver, opened

    with opened(BATCHES, params) as compensation:
        return compensation.pay(ti.xcom_pull(task_ids="plan"), approver(ti.xcom_pull(task_ids="approve")))


@task
def settle(params: Any = None) -> dict[str, Any]:
    """Pay the make-up HIT, and take it away."""
    from groundswell.aws.compensating import opened

    with opened(BATCHES, params) as compensation:
        return compensation.settle()


with DAG(
    dag_id="pay_worker",
    description="Pay one worker by a bonus, a make-up HIT, or by undoing a rejection",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1000,  # one may wait for its worker for two weeks, and must not hold up the others
    params=PARAMS,
    default_args={"owner": "operations", "retries": 3, "retry_delay": timedelta(seconds=20)},
    tags=["operations"],
):
    approve = ApprovalOperator(
        task_id="approve",
        subject="Pay worker {{ params.worker_id }}, case {{ params.case }}",
        body="{{ ti.xcom_pull(task_ids='plan')['text'] }}",
    )
    wait = MTurkHitSensor(
        task_id="wait_for_worker",
        hit_id="{{ ti.xcom_pull(task_ids='pay')['hit'] }}",
        hit_type_id="{{ ti.xcom_pull(task_ids='pay')['hit_type'] }}",
        aws_conn_id="{{ ti.xcom_pull(task_ids='plan')['connection'] }}",
        poke_interval=60,
        timeout=timedelta(days=15).total_seconds(),
        retries=30,
        deferrable=True,
    )
    chain(plan(), approve, pay(), wait, settle())
