"""
Tell the ledgers that money was put into the account of a workforce, or taken out of it.

`reconcile` compares how far the account's money has fallen with what the ledgers say was paid. A deposit in
the middle of a run explains a difference only where somebody states it: exactly so much, and when.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, task
from airflow.sdk.exceptions import AirflowFailException

BATCHES = Path(__file__).parents[1] / "include" / "batches"
PARAMS = {
    "batch": Param(
        type="string",
        minLength=1,
        title="Batch",
        description_md="The `name` of any batch whose `connections.mturk` is the account and whose `state` "
        "has the ledgers.",
    ),
    "amount": Param(
        type="string",
        minLength=1,
        title="Amount in dollars",
        description_md="What the account got, to the cent: `25.00`; `-25.00` where it was taken out.",
    ),
    "receipt": Param(
        type="string",
        minLength=1,
        title="Receipt",
        description_md="Your id of the deposit. A receipt counts once, however often it is triggered.",
    ),
    "at": Param(
        "",
        type="string",
        title="When",
        description_md="`2026-11-22T14:30+00:00`, if it was not just now: runs that were planned later had "
        "it already.",
    ),
}


@task
def record(params: Any = None, dag_run: Any = None) -> dict[str, Any]:
    """Write the deposit beside the ledgers."""
    from groundswell.aws.funds import record_deposit
    from groundswell.aws.runs import open_run
    from groundswell.batches.model import find_batch
    from groundswell.errors import BatchError

    try:
        path = str(find_batch(BATCHES, params["batch"]))
    except BatchError as error:
        raise AirflowFailException(str(error)) from error
    by = getattr(dag_run, "triggering_user_name", None)
    with open_run(path, "record_deposit", "mturk") as run:
        return record_deposit(run, params, by=by, now=datetime.now(UTC))


with DAG(
    dag_id="record_deposit",
    description="State a deposit into the account of a workforce, so that the books agree",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=False,
    params=PARAMS,
    default_args={"owner": "operations", "retries": 3, "retry_delay": timedelta(seconds=10)},
    tags=["operations"],
):
    record()
