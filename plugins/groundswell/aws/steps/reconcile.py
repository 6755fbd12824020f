"""reconcile: at the end of a run, its ledger against the workforce; any difference fails the task."""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from groundswell.aws.collecting import Wave
from groundswell.aws.reconciling import Reconciliation
from groundswell.aws.reconciling import reconcile as compare
from groundswell.aws.runs import LabelingRun

log = logging.getLogger(__name__)

DOCUMENT = "reconciliation.json"


def reconcile(run: LabelingRun) -> dict[str, Any]:
    """
    Hold the ledger against the workforce, write ``reconciliation.json`` beside it, and return it.

    Answers that came after the asking about their item had ended are recorded and paid first: workers may
    hand in what they hold for a while, and that is no difference.

    :raises AirflowFailException: after writing, with a table of what differs.
    """
    found = compare(run)
    late = sorted(set(found.late))
    if late:
        wave = Wave(run, run.ledger.fold())
        for item in late:
            wave.take_late(item)
        found = compare(run)
        found.notes.append(f"{len(late)} items had answers that came late; they are recorded and paid now")
    document = run.context() | found.document()
    uri = run.ledger.put_document(DOCUMENT, document)
    for note in found.notes:
        log.info(note)
    if found.rows:
        raise AirflowFailException(_told(run, found, uri))
    log.info("ledger and workforce agree on %d HITs; %s", found.hits, uri)
    return document


def _told(run: LabelingRun, found: Reconciliation, uri: str) -> str:
    return (
        f"run {run.run_id} of batch {run.batch.name}: {len(found.rows)} differences between ledger and "
        f"workforce, see {uri}\n{found.table()}"
    )
