"""report: what a run did, in one document for people and programs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from groundswell.aws.collecting import Progress
from groundswell.aws.runs import LabelingRun

log = logging.getLogger(__name__)


def summarise(
    run: LabelingRun,
    *,
    labels: Mapping[str, Any] | None,
    dataset: Mapping[str, Any] | None,
    training: Mapping[str, Any] | None,
    evaluation: Mapping[str, Any] | None,
    cleaned: Mapping[str, Any],
) -> dict[str, Any]:
    """
    Write ``summary.json`` beside the ledger of the run, and return it.

    :param labels: what consolidate returned; None where it was not reached. So for the others.
    :param cleaned: what the clean-up tasks returned, by task.
    """
    state = run.ledger.fold()
    progress = Progress.of(state)
    plan = state.plan or {}
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
        "labels_uri": (labels or {}).get("labels_uri"),
        "train_uri": (dataset or {}).get("train_uri"),
        "test_uri": (dataset or {}).get("test_uri"),
        "manifest_uri": (dataset or {}).get("manifest_uri"),
        "model": {
            "training_job": (training or {}).get("training_job_name"),
            "artifacts_uri": (training or {}).get("model_artifacts"),
            "accuracy": (evaluation or {}).get("accuracy"),
            "prediction": (evaluation or {}).get("predictions"),
        },
        "cleaned": [f"{task}: {result}" for task, result in cleaned.items() if result],
    }
    uri = run.ledger.put_document("summary.json", document)
    log.info("%s; summary at %s", progress.line(run.batch.spend.budget_cents), uri)
    return document
