"""Taking a run's HITs off the market once they are dealt with."""

from __future__ import annotations

import logging

from groundswell.aws.collecting import Wave
from groundswell.aws.runs import LabelingRun
from groundswell.ledger import RunState
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
    deleted: list[dict[str, str]] = []
    try:
        for item in items:
            if _delete(wave, item):
                deleted.append({"item": item, "hit": wave.state.hits[item]["hit"]})
    finally:
        wave.add("deletions", deleted)


def _delete(wave: Wave, item: str) -> bool:
    hit, mturk = wave.state.hits[item]["hit"], wave.run.mturk
    if _may_owe(wave.state, item):
        # Deleting cannot be undone: what the HIT got is recorded and paid first
        wave.take_late(item)
    result = mturk.delete_hit(hit)
    if result == "held":
        mturk.expire(hit)
        result = mturk.delete_hit(hit)
    if result == "unreviewed":
        wave.take_late(item)
        result = mturk.delete_hit(hit)
    if result in {"held", "unreviewed"}:
        log.warning("HIT %s of item %r stays for now: %s", hit, item, result)
        return False
    return True


def _may_owe(state: RunState, item: str) -> bool:
    """Return whether there may be answers that are not recorded, or recorded ones that are not paid."""
    answers = state.answers_of(item)
    paid = sum(row["assignment"] in state.payments for row in answers)
    return len(answers) < state.seats[item] or paid < len(answers)
