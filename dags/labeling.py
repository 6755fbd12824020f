"""
Label the items of a dataset with a crowd, and train a model on the labels: one DAG per batch file.

The lifecycle is wiring only; the work is in ``plugins/groundswell``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Asset, Param, TriggerRule, chain, task, task_group
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from groundswell.aws.operators.approval import OverrunApprovalOperator, SpendApprovalOperator
from groundswell.aws.operators.mturk import (
    MTurkCollectAndExtendOperator,
    MTurkDeleteHitsOperator,
    MTurkPublishHitsOperator,
)
from groundswell.aws.operators.review import ReviewApprovalOperator
from groundswell.aws.runs import open_run
from groundswell.aws.sensors.mturk import MTurkReviewableSensor
from groundswell.aws.training import delete_operators, deploy_operator, train_operator
from groundswell.batches.model import Batch, batch_files
from groundswell.errors import BatchError

BATCHES = Path(__file__).parents[1] / "include" / "batches"
START = datetime(2026, 1, 1, tzinfo=UTC)
#: A task that waits for people for hours meets restarts and outages, and a resumed one counts its tries on.
PATIENT = {
    "retries": 30,
    "retry_delay": timedelta(seconds=20),
    "retry_exponential_backoff": 1.5,
    "max_retry_delay": timedelta(minutes=10),
}
RELABEL = Param(
    False,
    type="boolean",
    title="Label everything again",
    description_md="Ask about all items, also those that earlier runs labelled. They are paid for again.",
)


@task
def load_dataset(batch_path: str, run_id: Any = None, params: Any = None) -> list[int]:
    """Read, check and shard the items that are new."""
    from groundswell.aws.steps.dataset import load_dataset as load

    with open_run(batch_path, run_id) as run:
        return load(run, relabel=params["relabel"])


@task
def plan_spend(batch_path: str, shards: list[int], run_id: Any = None) -> dict[str, Any]:
    """Hold what the run may cost against budget and balance."""
    from groundswell.aws.steps.spend import plan

    if not shards:
        raise AirflowSkipException("nothing new to label")
    with open_run(batch_path, run_id, "mturk") as run:
        return plan(run)


@task
def propose_rejections(batch_path: str, run_id: Any = None) -> dict[str, Any]:
    """Which withheld answers a person may want to reject, and why; rejects nothing."""
    from groundswell.aws.reviewing import propose_rejections as propose

    with open_run(batch_path, run_id, "mturk") as run:
        return propose(run)


@task
def apply_reviews(batch_path: str, decision: dict[str, Any] | None, run_id: Any = None) -> dict[str, int]:
    """Reject what a person decided to reject, pay every other answer that waits, reopen rejected seats."""
    from groundswell.aws.reviewing import apply_reviews as apply

    # Who marks the approval as a success has decided nothing: everybody is paid
    decided = decision or {"workers": [], "by": None}
    with open_run(batch_path, run_id, "mturk") as run:
        return apply(run, decided["workers"], decided["by"])


@task(trigger_rule=TriggerRule.NONE_FAILED)
def consolidate(batch_path: str, run_id: Any = None) -> dict[str, Any]:
    """One label per item from all answers; asks nobody. Experts may have answered though nothing is new."""
    from groundswell.aws.steps.labels import consolidate as label
    from groundswell.aws.steps.labels import has_something_to_label

    with open_run(batch_path, run_id) as run:
        if not has_something_to_label(run):
            raise AirflowSkipException("nothing was asked, and experts have said nothing new")
        return label(run)


@task
def write_dataset(batch_path: str, run_id: Any = None) -> dict[str, Any]:
    """Train and test CSV, and the augmented manifest."""
    from groundswell.aws.steps.labels import write_dataset as write

    with open_run(batch_path, run_id) as run:
        return write(run)


@task
def evaluate(batch_path: str, run_id: Any = None, ti: Any = None) -> dict[str, Any]:
    """Ask the endpoint about the test items, and hold the model to the batch's minimum."""
    from groundswell.aws.steps.model import evaluate as gate

    with open_run(batch_path, run_id) as run:
        return gate(run, ti.xcom_pull(task_ids="write_dataset")["test_uri"])


@task
def delete_logs(batch_path: str, run_id: Any = None, ti: Any = None) -> dict[str, Any]:
    """Delete the log streams of the training job and the endpoint."""
    from groundswell.aws.steps.model import delete_logs as delete

    with open_run(batch_path, run_id) as run:
        deployed = ti.xcom_pull(task_ids="deploy", key="deployment")
        return delete(run, ti.xcom_pull(task_ids="train"), deployed)


@task
def reconcile(batch_path: str, run_id: Any = None) -> dict[str, Any]:
    """Hold the ledger against the workforce; fail with a table of what differs."""
    from groundswell.aws.steps.reconcile import reconcile as compare

    with open_run(batch_path, run_id, "mturk") as run:
        return compare(run)


@task(trigger_rule=TriggerRule.ALL_DONE)
def report(batch_path: str, run_id: Any = None, ti: Any = None) -> dict[str, Any]:
    """Write the summary of the run; fail where the clean-up left something behind."""
    from groundswell.aws.steps.summary import summarise

    states = ti.get_task_states(dag_id=ti.dag_id, task_group_id="clean_up", run_ids=[run_id])[run_id]
    with open_run(batch_path, run_id) as run:
        return summarise(run, lambda task_id: ti.xcom_pull(task_ids=task_id), states)


def review_tasks(batch: Batch, path: str) -> list[Any]:
    """Return the tasks in which a person looks at answers that wait to be paid, where the batch wants it."""
    if batch.review is None:
        return []
    proposals = propose_rejections(path)
    decision = ReviewApprovalOperator(
        task_id="approve_rejections",
        batch_path=path,
        proposals=proposals,
        subject=f"Reject answers of batch {batch.name}, or pay everybody",
    )
    return [proposals, decision, apply_reviews(path, decision.output)]


def overrun_tasks(batch: Batch, path: str) -> list[Any]:
    """Return the task in which a person may allow more spend, where the batch wants to ask."""
    if not batch.spend.ask_overrun:
        return []
    subject = f"Approve more spend for batch {batch.name}"
    return [OverrunApprovalOperator(task_id="approve_overrun", batch_path=path, subject=subject)]


def collect_operator(batch: Batch, path: str, task_id: str) -> MTurkCollectAndExtendOperator:
    """Return a task that collects until nothing is open."""
    return MTurkCollectAndExtendOperator(
        task_id=task_id, batch_path=path, aws_conn_id=batch.connections.mturk, **PATIENT
    )


def model_tasks(batch: Batch, path: str, dataset: Any) -> list[Any]:
    """Return train, deploy and evaluate, as far as the batch wants them, in this order."""
    if batch.training is None:
        return []
    train = train_operator(batch, batch.training, job_name=dataset["job_name"])
    if batch.endpoint is None:
        return [train]
    deploy = deploy_operator(batch, batch.training, batch.endpoint)
    return [train, deploy, *([evaluate(path)] if batch.evaluation else [])]


@task_group
def clean_up(batch: Batch, path: str, setups: list[Any]) -> None:
    """Close the books, delete what the run published and deployed, whatever became of it; then sum up."""
    delete_hits = MTurkDeleteHitsOperator(
        task_id="delete_hits",
        batch_path=path,
        aws_conn_id=batch.connections.mturk,
        retry_delay=batch.task.assignment_duration,  # a worker may still hold a HIT for that long
    )
    books = reconcile(path)
    books >> delete_hits
    steps: list[Any] = [books, delete_hits]
    if batch.training is not None:
        steps.append(delete_logs(path))
    if batch.endpoint is not None:
        in_order = delete_operators(batch)
        chain(*in_order)
        steps += in_order
    for step in steps:
        # Not on_failure_fail_dagrun: the run's state would hang on the clean-up alone, and a run whose work
        # failed would be a success. `report` fails the run where something is left behind.
        step.as_teardown(setups=setups)
    steps >> report(path)


def labeling_dag(batch: Batch) -> DAG:
    """Return the DAG of a batch."""
    path = str(batch.file)
    with DAG(
        dag_id=f"labeling_{batch.name.replace('-', '_')}",
        description=batch.description,
        doc_md=__doc__,
        schedule=batch.schedule,
        start_date=START,
        catchup=False,
        max_active_runs=1,  # two runs at once would both claim what is new in the dataset
        tags=list(batch.tags),
        params={"relabel": RELABEL},
        default_args={
            "owner": batch.owner,
            "retries": 3,  # Airflow 3.3 may fail a deferred task that is well (apache/airflow 71580, 72716)
            "retry_delay": timedelta(seconds=20),
        },
    ) as dag:
        shards = load_dataset(path)
        plan = plan_spend(path, shards)
        approve = SpendApprovalOperator(
            task_id="approve_spend",
            batch_path=path,
            plan=plan,
            subject=f"Approve the spend of batch {batch.name}",
            body="{{ ti.xcom_pull(task_ids='plan_spend')['body'] }}",
        )
        publish = MTurkPublishHitsOperator.partial(
            task_id="publish_hits", batch_path=path, aws_conn_id=batch.connections.mturk
        ).expand(shard=shards)
        sense = MTurkReviewableSensor(
            task_id="sense_reviewable",
            batch_path=path,
            aws_conn_id=batch.connections.mturk,
            poke_interval=batch.polling.interval_seconds,
            timeout=batch.polling.timeout.total_seconds(),
            **PATIENT,
        )
        collect = [collect_operator(batch, path, "collect_and_extend")]
        # What a person decides reopens items: rejected seats, and items that were given up for want of money
        decisions = [*review_tasks(batch, path), *overrun_tasks(batch, path)]
        if decisions:
            collect += [*decisions, collect_operator(batch, path, "collect_rest")]
        labels = consolidate(path)
        dataset = write_dataset.override(outlets=[labels_asset(batch)])(path)
        model = model_tasks(batch, path, dataset)
        # Clearing a task that needs the endpoint also clears its setup: the endpoint is deployed again
        setups = [shards, *model[1:2]]
        chain(plan, approve, publish, sense, *collect, labels, dataset, *model, clean_up(batch, path, setups))
    return dag


def labels_asset(batch: Batch) -> Asset:
    """Return the asset that other DAGs are scheduled by: the augmented manifest."""
    return Asset(name=f"labels/{batch.name}", uri=batch.output.object_uri(batch.output.manifest))


def broken_dag(path: Path, error: Exception) -> DAG:
    """
    Return a DAG that says what is wrong with a batch file; the other batches go on.

    It has an id of its own: under the batch's it would replace the DAG of a run that is under way.
    """

    @task(retries=0)
    def read_batch_file() -> None:
        raise AirflowFailException(str(error))

    with DAG(
        dag_id=f"broken_batch_{sha256(path.name.encode()).hexdigest()[:12]}",
        dag_display_name=f"broken: {path.name}",
        description=f"{path.name} cannot be read: see the task's log",
        doc_md=f"**{path.name} cannot be read.**\n\n```\n{error}\n```",
        schedule=None,
        start_date=START,
        tags=["broken-batch-file"],
    ) as dag:
        read_batch_file()
    return dag


def dags_of(folder: Path) -> Iterator[DAG]:
    """Yield the DAG of each batch file; a file that is wrong gets one that says so."""
    taken: dict[str, Path] = {}
    for path in batch_files(folder):
        try:
            batch = Batch.load(path)
            for what in batch.exclusive():
                if first := taken.get(what):
                    raise BatchError(f"{path}: {what} belongs to {first.name}; give each batch its own")
            dag = labeling_dag(batch)
        except Exception as error:  # whatever is wrong with one file must not hide the other batches
            yield broken_dag(path, error)
        else:
            taken |= dict.fromkeys(batch.exclusive(), path)
            yield dag


for _dag in dags_of(BATCHES):
    globals()[_dag.dag_id] = _dag
