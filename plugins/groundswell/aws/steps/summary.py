"""report: what a run did, in one document for people and programs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from groundswell.aws.limits import RunLimit
from groundswell.aws.pace import keep_pace
from groundswell.aws.progress import keep_progress
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps.labels import DOCUMENT as CONSOLIDATION
from groundswell.aws.steps.reconcile import DOCUMENT as RECONCILIATION
from groundswell.aws.steps.spend import release
from groundswell.ledger import RunState

#: What the summary tells of an approval.
_APPROVAL = ("what", "by", "at", "limit_cents")

#: What the summary tells of the consolidation.
_OF_CONSOLIDATION = (
    "method",
    "confidence_is",
    "labelled",
    "labelled_by",
    "labelled_unsettled",
    "unlabelled",
    "queued",
    "waiting_for_experts",
    "queue_uri",
    "on_known",
    "agreement",
    "findings",
)

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
    progress = keep_progress(run, state)  # the clean-up may have taken late answers
    plan = state.plan or {}
    labels, dataset = result_of("consolidate") or {}, result_of("write_dataset") or {}
    training, evaluation = result_of("train") or {}, result_of("evaluate") or {}
    document = {
        **run.context(),
        "items": progress.items,
        "open": progress.open,
        "undeleted": sum(item not in state.deleted for item in state.hits),
        "answers": progress.answers,
        "settled": progress.settled,
        "extended": progress.extended,
        "given_up": progress.given_up,
        "quarantined": progress.quarantined,
        "rejected": progress.rejected,
        "withheld": progress.withheld,
        "plan": {key: plan.get(key) for key in ("certain_cents", "worst_cents", "budget_cents")},
        "spent_cents": progress.spent_cents,
        "bonuses": _bonuses(state),
        "approvals": [{key: row.get(key) for key in _APPROVAL} for row in state.approvals],
        "pay": keep_pace(run, state),
        "consolidation": _consolidated(run),
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
        "resources_left": _left(state),
        **_reconciled(run),
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


def _bonuses(state: RunState) -> dict[str, int]:
    rows = state.bonuses.values()
    cents = sum(int(row["cents"]) + int(row["fee_cents"]) for row in rows)
    return {"count": len(rows), "cents": cents}


def _left(state: RunState) -> list[str]:
    """Return what the run made in SageMaker and has not deleted, in words; training jobs always stay."""
    return [
        f"{kind.replace('_', ' ')} {name}" + (" (perhaps)" if row["state"] == "intended" else "")
        for (kind, name), row in sorted(state.resources.items())
        if row["state"] != "deleted" and kind != "training_job"
    ]


def _reconciled(run: LabelingRun) -> dict[str, Any]:
    """Return whether ledger and workforce agreed when they were last compared; None where they never were."""
    found = run.ledger.get_document(RECONCILIATION)
    rows = None if found is None else len(found["rows"])
    return {"reconciled": None if rows is None else rows == 0, "differences": rows}


def _consolidated(run: LabelingRun) -> dict[str, Any]:
    """Return how labels came about, and what is odd about them; {} where the run did not come to that."""
    found = run.ledger.get_document(CONSOLIDATION) or {}
    return {name: found[name] for name in _OF_CONSOLIDATION if name in found}


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
