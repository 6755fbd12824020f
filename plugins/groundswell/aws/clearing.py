"""Taking a run's HITs off the market once they are dealt with."""

from __future__ import annotations

import logging

from groundswell.aws.collecting import Wave
from groundswell.aws.runs import LabelingRun
from groundswell.ledger.shards import read_items, release, released

log = logging.getLogger(__name__)


def clear_hits(run: LabelingRun) -> dict[str, int]:
    """
    Delete the HITs whose items have an outcome; release the items that the run did not publish.

    Returns counts: ``deleted`` (gone now, by this or an earlier attempt), ``open`` (workers are still asked),
    ``held`` (a worker holds the HIT; it is expired and can be deleted after the assignment's time).
    """
    wave = Wave(run, run.ledger.fold())
    state = wave.state
    done = [item for item in state.hits if item in state.outcomes and item not in state.deleted]
    deleted: list[dict[str, str]] = []
    try:
        for item in done:
            if _delete(wave, item):
                deleted.append({"item": item, "hit": state.hits[item]["hit"]})
    finally:
        run.ledger.append("deletions", deleted)
    counts = {
        "deleted": len(state.deleted) + len(deleted),
        "open": len(state.open_items),
        "held": len(done) - len(deleted),
    }
    if not released(run.store, run.batch.name, run.run_id):
        # The run ended before consolidate could say what is left for later runs
        unpublished = read_items(run.ledger).keys() - wave.state.hits.keys()
        release(run.store, run.batch.name, run.run_id, unpublished)
    return counts


def _delete(wave: Wave, item: str) -> bool:
    hit, mturk = wave.state.hits[item]["hit"], wave.run.mturk
    result = mturk.delete_hit(hit)
    if result == "held":
        mturk.expire(hit)
        result = mturk.delete_hit(hit)
    if result == "unreviewed":
        # Somebody answered after the item was settled: the answer counts, and is paid
        wave.take_late(item)
        result = mturk.delete_hit(hit)
    if result in {"held", "unreviewed"}:
        log.warning("HIT %s of item %r stays for now: %s", hit, item, result)
        return False
    return True
