"""Taking a run's HITs off the market once they are dealt with."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from groundswell.aws.collecting import Wave
from groundswell.aws.runs import LabelingRun, now_text
from groundswell.ledger import RunState, request_token
from groundswell.ledger.claims import release
from groundswell.ledger.shards import read_items

log = logging.getLogger(__name__)

CHUNK = 50


def clear_hits(run: LabelingRun) -> dict[str, int]:
    """
    Delete the HITs whose items have an outcome; give back the items that the run did not publish.

    Items about which workers are still asked (the run failed) keep their HITs, so that the collecting task
    can go on when it is cleared; what they got so far is recorded and paid now.

    Returns counts: ``deleted`` (gone now, by this or an earlier attempt), ``open`` (workers are still asked),
    ``held`` (a worker holds the HIT; it is expired and can be deleted after the assignment's time).
    """
    wave = Wave(run, run.ledger.fold())
    state = wave.state
    for item in state.open_items:
        wave.take_late(item)
    done = [item for item in state.hits if item in state.outcomes and item not in state.deleted]
    for start in range(0, len(done), CHUNK):
        _delete_chunk(wave, done[start : start + CHUNK])
    release(run.store, run.batch.name, run.run_id, read_items(run.ledger).keys() - state.hits.keys())
    return {
        "deleted": len(state.deleted),
        "open": len(state.open_items),
        "held": sum(1 for item in done if item not in state.deleted),
    }


def _delete_chunk(wave: Wave, items: list[str]) -> None:
    # Deleting cannot be undone: what the HIT got is recorded and paid first
    waiting = {item for item in items if _may_owe(wave.state, item) and not wave.take_late(item)}
    items = [item for item in items if item not in waiting]
    _expire(wave, _half_expired(wave, items))
    _intend(wave, "delete", items)
    held = _delete(wave, items)
    if held:
        _expire(wave, held)
        held = _delete(wave, held)
    for item in held:
        log.warning(
            "HIT %s of item %r stays for now: a worker holds it, or an answer waits",
            wave.state.hits[item]["hit"],
            item,
        )


def _token(wave: Wave, item: str, purpose: str) -> str:
    return request_token(wave.run.batch.name, wave.run.run_id, item, purpose, 0)


def _half_expired(wave: Wave, items: Iterable[str]) -> list[str]:
    """Return the items whose HIT an earlier attempt meant to expire, and died before it recorded that."""
    state, mturk = wave.state, wave.run.mturk
    meant = [item for item in items if item not in state.expired]
    meant = [item for item in meant if _token(wave, item, "expire") in state.intents]
    return [item for item in meant if not mturk.is_gone(state.hits[item]["hit"])]


def _intend(wave: Wave, purpose: str, items: Iterable[str]) -> None:
    """Record what is about to be done to the HITs of items, unless an earlier attempt has."""
    now = now_text()
    tokens = {item: _token(wave, item, purpose) for item in items}
    rows = [
        {"token": token, "purpose": purpose, "item": item, "at": now}
        for item, token in tokens.items()
        if token not in wave.state.intents
    ]
    wave.add("intents", rows)


def _expire(wave: Wave, items: list[str]) -> None:
    """Take HITs off the market; a worker who holds one may still hand it in."""
    _intend(wave, "expire", items)
    now, rows = now_text(), []
    try:
        for item in items:
            hit = wave.state.hits[item]["hit"]
            wave.run.mturk.expire(hit)
            rows.append({"item": item, "hit": hit, "at": now})
    finally:
        wave.add("expirations", rows)


def _delete(wave: Wave, items: list[str]) -> list[str]:
    """Delete the HITs of items as far as the workforce allows; return the items whose HIT stays."""
    deleted: list[dict[str, Any]] = []
    left: list[str] = []
    try:
        for item in items:
            hit = wave.state.hits[item]["hit"]
            result = wave.run.mturk.delete_hit(hit)
            if result == "unreviewed":
                wave.take_late(item)
                result = wave.run.mturk.delete_hit(hit)
            if result in {"held", "unreviewed"}:
                left.append(item)
            else:
                deleted.append({"item": item, "hit": hit, "at": now_text()})
    finally:
        wave.add("deletions", deleted)
    return left


def _may_owe(state: RunState, item: str) -> bool:
    """Return whether there may be answers that are not recorded, or recorded ones that are not paid."""
    answers = state.answers_of(item)
    reviewed = sum(row["assignment"] in state.payments for row in answers) + state.rejected_of(item)
    return len(answers) < state.seats[item] or reviewed < len(answers)
