"""
Stop the spending of a batch now: its HITs leave the market, and its runs publish and extend no more.

Who has a HIT open may still hand it in, and is paid. The runs end by themselves with what they have; items
that are not settled are asked again by a later run.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from groundswell.aws.runs import open_run
from groundswell.batches.model import find_batch
from groundswell.errors import BatchError

BATCHES = Path(__file__).parents[1] / "include" / "batches"
BATCH = Param(
    type="string", minLength=1, title="Batch", description_md="The `name` in the batch file, such as `iris`."
)
RUN = Param(
    "",
    type="string",
    title="Run",
    description_md="The run id, to stop only that run. Empty: every run of the batch that is asking workers.",
)


@task
def stop(params: Any = None, dag_run: Any = None) -> dict[str, Any]:
    """Write the ban, then take the HITs off the market."""
    from groundswell.aws import stopping

    try:
        path = str(find_batch(BATCHES, params["batch"]))
    except BatchError as error:
        raise AirflowFailException(str(error)) from error
    with open_run(path, params["run"] or "stop_spending", "mturk") as run:
        runs = [params["run"]] if params["run"] else stopping.runs_to_stop(run)
    by = getattr(dag_run, "triggering_user_name", None)
    stopped, failures = {}, []
    # All bans first: taking the HITs of a large run off the market takes minutes
    for act in (stopping.forbid, stopping.stop):
        for run_id in runs:
            try:
                with open_run(path, run_id, "mturk") as run:
                    stopped[run_id] = act(run, by=by)
            except AirflowException as error:
                failures.append(f"run {run_id}: {error}")  # the others have to be stopped all the same
    if failures:
        raise AirflowException("; ".join(dict.fromkeys(failures)))
    return stopped


with DAG(
    dag_id="stop_spending",
    description="Take a batch's HITs off the market and let its runs spend nothing more",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=False,  # an emergency brake that has to be unpaused first is none
    params={"batch": BATCH, "run": RUN},
    default_args={"owner": "operations", "retries": 3, "retry_delay": timedelta(seconds=10)},
    tags=["operations"],
):
    stop()
