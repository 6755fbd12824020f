"""report: what a run did, in one document for people and programs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from groundswell.aws.limits import RunLimit
from groundswell.aws.pace import keep_pace
from groundswell.aws.progress import Progress
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps.spend import release

log = logging.getLogger(__name__)


def summarise(
    run: LabelingRun, result_of: Callable[[str], Any], states: Mapping[str, str | None]
) -> dict[str, Any]:
    """
    Write ``summary.json`` beside the ledger of the run, and return it.

    :param result_of: returns what a task returned, by task id; None where it did not run.
    :param states: the states of the clean-up's tasks, by task id.
    :raises AirflowFailException: after writing, where a task of the clean-up failed.
    """
    release(run)  # where the clean-up did not come to it
    state = run.ledger.fold()
    progress = Progress.of(state)
    plan = state.plan or {}
    labels, dataset = result_of("consolidate") or {}, result_of("write_dataset") or {}
    training, evaluation = result_of("train") or {}, result_of("evaluate") or {}
    document = {
        **run.context(),
        "items": progress.items,
        "answers": progress.answers,
        "settled": progress.settled,
        "extended": progress.extended,
        "given_up": progress.given_up,
        "quarantined": progress.quarantined,
        "plan": {key: plan.get(key) for key in ("certain_cents", "worst_cents", "budget_cents")},
        "spent_cents": progress.spent_cents,
        "pay": keep_pace(run, state),
        "labels_uri": labels.get("labels_uri"),
        "train_uri": dataset.get("train_uri"),
        "test_uri": dataset.get("test_uri"),
        "manifest_uri": dataset.get("manifest_uri"),
        "model": {
            "training_job": training.get("training_job_name"),
            "artifacts_uri": training.get("model_artifacts"),
            "accuracy": evaluation.get("accuracy"),
            "prediction": evaluation.get("predictions"),
        },
        "cleaned": _cleaned(result_of, states),
    }
    uri = run.ledger.put_document("summary.json", document)
    log.info("%s; summary at %s", progress.line(RunLimit(run, state).own_cents), uri)
    if state.duplicates:
        raise AirflowFailException(
            f"items with more than one HIT: {', '.join(sorted(state.duplicates))} are extra; "
            "expire them at the workforce and pay what was answered"
        )
    failed = sorted(task for task, state in states.items() if state in {"failed", "upstream_failed"})
    if failed:
        raise AirflowFailException(
            f"the clean-up is not complete: {', '.join(failed)}; "
            "see their logs, then clear them with this task"
        )
    return document


def _cleaned(result_of: Callable[[str], Any], states: Mapping[str, str | None]) -> list[str]:
    """Return what is gone, in words."""
    hits = result_of("clean_up.delete_hits") or {}
    logs = result_of("clean_up.delete_logs") or {}
    deployed = result_of("deploy") or {}
    gone = [(hits.get("deleted"), f"{hits.get('deleted')} HITs")]
    for task, what, name in (
        ("delete_endpoint", "endpoint", "endpoint_name"),
        ("delete_endpoint_config", "endpoint configuration", "endpoint_config_name"),
        ("delete_model", "model", "model_name"),
    ):
        done = states.get(f"clean_up.{task}") == "success" and name in deployed
        gone.append((done, f"{what} {deployed.get(name)}"))
    gone.append((logs.get("log_streams"), f"{logs.get('log_streams')} log streams"))
    return [text for done, text in gone if done]
