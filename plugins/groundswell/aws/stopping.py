"""Stopping a run's spending now: its HITs leave the market, and it may publish and extend no more."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from groundswell.aws.deployment import is_ours
from groundswell.aws.runs import LabelingRun, all_runs, now_text
from groundswell.errors import GroundswellError, LedgerError, SpendStopped
from groundswell.ledger import Ledger, RunState, annotation, request_token
from groundswell.ledger.claims import claiming_runs
from groundswell.ledger.ledger import READERS
from groundswell.ledger.shards import read_index, read_items
from groundswell.ledger.tokens import marked_item

log = logging.getLogger(__name__)


def runs_to_stop(run: LabelingRun) -> list[str]:
    """
    Return the ids of the runs of the batch that may ask about items now; ``run`` only opens the store.

    A claim may lapse while a person is waited for, so every run counts that was not summed up as over.
    """
    store, name = run.store, run.live.name
    try:
        claiming = set(claiming_runs(store, name, now=now_text()))
    except LedgerError as error:  # the brake works in spite of it: every run that is not known to be over
        log.warning("claims cannot be read: %s", error)
        claiming = set()
    others = [each for each in all_runs(store, name) if each not in claiming]
    with ThreadPoolExecutor(READERS) as readers:
        over = readers.map(lambda each: _is_over(Ledger(store, name, each)), others)
        return sorted(claiming | {each for each, ended in zip(others, over, strict=True) if not ended})


def _is_over(ledger: Ledger) -> bool:
    """Return whether a run has nothing open, as its summary says, or no items; not where that is damaged."""
    try:
        summary = ledger.get_document("summary.json") or {}
        return summary.get("open") == 0 or read_index(ledger) is None
    except LedgerError as error:
        log.warning("run %s: %s", ledger.run_id, error)
        return False


def stop(run: LabelingRun, *, by: str | None) -> dict[str, int]:
    """
    Take the HITs of a run off the market, and forbid it to publish and to extend.

    The ban is written first: a task of the run that is at work finds it before its next chunk of HITs. What
    workers hold may still be handed in, and is paid. Stopping twice changes nothing.

    :param by: the person who stops it, as Airflow knows them; None where it does not say.
    :return: counts: ``hits`` of the run that are not deleted, ``expired`` by this call.
    """
    forbid(run, by=by)
    try:
        return _take_off(run)
    except LedgerError as error:
        # The brake does not wait for a backup: the HITs say themselves whose they are
        expired = _take_off_unread(run)
        raise LedgerError(
            f"{error}. {expired} HITs of run {run.run_id!r} were taken off the market all the same, and its "
            "record does not say so; clear this task once it can be read"
        ) from error


def _take_off_unread(run: LabelingRun) -> int:
    """Expire what a run whose ledger cannot be read still offers; return how many HITs."""
    offered = [
        hit["HITId"]
        for hit in run.mturk.hits()
        if marked_item(hit.get("RequesterAnnotation", ""), run.live.name, run.run_id) is not None
        and hit["HITStatus"] in {"Assignable", "Unassignable"}
        and _is_to_stop(run, hit)
    ]
    for hit in offered:
        run.mturk.expire(hit)
    return len(offered)


def _is_to_stop(run: LabelingRun, hit: Mapping[str, Any]) -> bool:
    """Return whether a HIT with an annotation of the run is its own, as far as its record can be read."""
    try:
        return is_ours(run, hit)
    except GroundswellError as error:
        log.warning("run %s: what it began with cannot be read: %s", run.run_id, error)
        return True  # taken off the market by mistake, a HIT costs nobody anything


def forbid(run: LabelingRun, *, by: str | None) -> None:
    """
    Write the ban alone: the first half of :func:`stop`, which takes a moment however large the run is.

    :param by: as in :func:`stop`.
    :raises LedgerError: where there is no such run.
    """
    if _has_no_items(run.ledger):
        asking = ", ".join(runs_to_stop(run)) or "none"
        raise LedgerError(
            f"batch {run.live.name!r} has no run {run.run_id!r}; these are asking workers now: {asking}"
        )
    if not _is_forbidden(run.ledger):
        row = {
            "what": "stop",
            "at": now_text(),
            "by": by,
            "limit_cents": None,
            "text": "spending was stopped",
        }
        run.ledger.append("approvals", [row])


def _has_no_items(ledger: Ledger) -> bool:
    try:
        return read_index(ledger) is None
    except LedgerError:
        return False  # there are some, and nobody can read which


def _is_forbidden(ledger: Ledger) -> bool:
    try:
        return ledger.fold("approvals").stopped
    except LedgerError:
        return False  # a second ban does no harm


def _take_off(run: LabelingRun) -> dict[str, int]:
    state = run.ledger.fold()
    hits = {row["hit"]: item for item, row in state.hits.items() if item not in state.deleted}
    hits |= _unrecorded(run, state)
    expired = expire(run, state, hits)
    log.info("run %s: %d HITs, %d taken off the market now", run.run_id, len(hits), expired)
    return {"hits": len(hits), "expired": expired}


def expire_open(run: LabelingRun, state: RunState) -> int:
    """Take what a stopped run still offers off the market: HITs that were made while it was being stopped."""
    hits = {state.hits[item]["hit"]: item for item in state.open_items}
    return expire(run, state, hits)


def expire(run: LabelingRun, state: RunState, hits: Mapping[str, str]) -> int:
    """Expire HITs (HIT id -> item) that are not recorded as expired by hand; return how many."""
    new = {hit: item for hit, item in hits.items() if item not in state.expired}
    name, now = run.live.name, now_text()
    tokens = {item: request_token(name, run.run_id, item, "expire", 0) for item in new.values()}
    intents = [
        {"token": token, "purpose": "expire", "item": item, "at": now}
        for item, token in tokens.items()
        if token not in state.intents
    ]
    run.ledger.record("intents", intents, state)
    for hit in new:
        if not run.mturk.is_gone(hit):
            run.mturk.expire(hit)
    run.ledger.record(
        "expirations", [{"item": item, "hit": hit, "at": now} for hit, item in new.items()], state
    )
    return len(new)


def take_off_if_stopped(run: LabelingRun) -> bool:
    """Return whether a run was stopped; then HITs that were made meanwhile leave the market as well."""
    if not run.ledger.fold("approvals").stopped:
        return False
    _take_off(run)
    return True


def refuse_if_stopped(run: LabelingRun) -> None:
    """
    Refuse to spend for a run that was stopped, and take off the market what it still offers.

    :raises SpendStopped: saying how to go on.
    """
    if take_off_if_stopped(run):
        raise SpendStopped(
            f"run {run.run_id!r} was stopped by stop_spending and publishes nothing more; "
            "trigger a new run to ask about the items that it left"
        )


def _unrecorded(run: LabelingRun, state: RunState) -> dict[str, str]:
    """Return HIT id -> item of HITs that exist and are not in the ledger yet."""
    missing = [item for item in read_items(run.ledger) if item not in state.hits]
    if not missing:
        return {}
    marks = {annotation(run.live.name, run.run_id, item): item for item in missing}
    return {
        hit["HITId"]: marks[hit["RequesterAnnotation"]]
        for hit in run.mturk.hits()
        if hit.get("RequesterAnnotation") in marks and _is_to_stop(run, hit)
    }
