"""
Find what runs left behind, and put right what is safe to put right. A dry run unless told otherwise.

It looks for HITs that no ledger has, ledger entries whose HIT is gone, HITs that nobody will collect, answers
that nobody paid, endpoints left running, and money and items that are held for nothing. Runs that are under
way are left alone, and so is everything that carries no mark of ours. The last task fails with a table where
something is left for a person; the documents are under `_janitor/` in each batch's state.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, TriggerRule, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

BATCHES = Path(__file__).parents[1] / "include" / "batches"
PARAMS = {
    "repair": Param(
        False,
        type="boolean",
        title="Repair",
        description_md="Put right what is safe. Without it nothing is changed.",
    ),
    "batches": Param(
        [],
        type="array",
        items={"type": "string"},
        title="Batches",
        description_md="The `name` of each batch to go through. None: all of them.",
    ),
    "grace": Param(
        "6h",
        type="string",
        title="Grace",
        description_md="How long a run must have done nothing to be looked at, such as `30m`, `6h`, `2d`.",
    ),
    "unsure": Param(
        [],
        type="array",
        items={"type": "string", "enum": ["orphan_hit", "unknown_run_hit", "zombie"]},
        title="Repair even if unsure",
        description_md="Kinds to repair also where the janitor cannot be sure that they are ours to repair; "
        "look at their evidence first.",
    ),
}
FINISHED = ("success", "failed")


def rules_of(params: Any, ti: Any) -> Any:
    """Return how to go about it. Raises AirflowFailException for a grace that is none."""
    from groundswell.aws.janitor.house import Rules
    from groundswell.batches.units import parse_duration

    def under_way(batch: str, run_id: str) -> bool | None:
        dag_id = f"labeling_{batch.replace('-', '_')}"
        if not ti.get_dr_count(dag_id=dag_id, run_ids=[run_id]):
            return None
        return not ti.get_dr_count(dag_id=dag_id, run_ids=[run_id], states=list(FINISHED))

    try:
        grace = parse_duration(params["grace"])
    except ValueError as error:
        raise AirflowFailException(f"grace: {error}") from error
    return Rules(now=datetime.now(UTC), grace=grace, under_way=under_way, unsure=frozenset(params["unsure"]))


def stamp_of(dag_run: Any) -> str:
    """Return the name of this run's documents: its logical date, or its key where it has none."""
    from groundswell.ledger import run_key

    moment = dag_run.logical_date
    return moment.strftime("%Y-%m-%dT%H%M%SZ") if moment else run_key(dag_run.run_id)


@task
def survey(params: Any = None, ti: Any = None, dag_run: Any = None) -> dict[str, Any]:
    """Read ledgers, workforces and SageMaker; change nothing."""
    from groundswell.aws.janitor.rounds import look

    return look(BATCHES, params["batches"], rules_of(params, ti), stamp_of(dag_run))


@task
def repair(params: Any = None, ti: Any = None, dag_run: Any = None) -> dict[str, Any]:
    """Look again, and put right what is safe."""
    from groundswell.aws.janitor.rounds import mend

    if not params["repair"]:
        raise AirflowSkipException("a dry run: trigger it with repair=true to change anything")
    return mend(BATCHES, params["batches"], rules_of(params, ti), stamp_of(dag_run))


@task(trigger_rule=TriggerRule.ALL_DONE)
def report(params: Any = None, ti: Any = None) -> dict[str, int]:
    """Say what was found; fail where something is left for a person."""
    from groundswell.aws.janitor.rounds import conclude

    result = ti.xcom_pull(task_ids="repair" if params["repair"] else "survey")
    if result is None:
        raise AirflowFailException("the round did not end; see the logs of survey and repair")
    return conclude(result)


with DAG(
    dag_id="janitor",
    description="Find what runs left behind, and put right what is safe",
    doc_md=__doc__,
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    tags=["operations"],
    default_args={"owner": "groundswell", "retries": 3, "retry_delay": timedelta(minutes=1)},
):
    survey() >> repair() >> report()
