"""Taking into a run's ledger what only the workforce knows: for tasks that are tried again.

Usually nothing is missing. After the ledger was restored from a backup, extensions that it has forgotten
would be made once more when their tokens have expired, and HITs that were dealt with would be waited for.
"""

from __future__ import annotations

import logging
from datetime import UTC
from typing import Any

from groundswell.aws.collecting import Wave
from groundswell.ledger import request_token

log = logging.getLogger(__name__)


def catch_up(wave: Wave) -> None:
    """
    Record the seats that open HITs have beyond the recorded ones, and take those flagged as dealt with.

    Where the run was stopped, what is still on the market is taken off it, whatever the ledger says.
    """
    items = {wave.state.hits[item]["hit"]: item for item in wave.state.open_items}
    if not items:
        return
    there = {items[hit["HITId"]]: hit for hit in wave.run.mturk.hits() if hit["HITId"] in items}
    rows = [_row(wave, item, hit) for item, hit in there.items() if _seats(hit) > wave.state.seats[item]]
    if rows:
        log.warning(
            "%d HITs have more seats than the ledger knows: it was restored, or a task died", len(rows)
        )
    wave.add("extensions", rows)
    if wave.state.stopped:
        for hit in there.values():
            if hit["HITStatus"] == "Assignable":
                wave.run.mturk.expire(hit["HITId"])
    flagged = [item for item, hit in there.items() if hit["HITStatus"] == "Reviewing"]
    if flagged:
        log.warning("%d HITs were dealt with, and the ledger does not know; looking at each", len(flagged))
        wave.take_items(flagged)


def _seats(hit: dict[str, Any]) -> int:
    return int(hit["MaxAssignments"])


def _row(wave: Wave, item: str, hit: dict[str, Any]) -> dict[str, Any]:
    run, seats = wave.run, _seats(hit)
    return {
        "item": item,
        "hit": hit["HITId"],
        "seats": seats,
        "token": request_token(run.live.name, run.run_id, item, "extend", seats),
        "expires": hit["Expiration"].astimezone(UTC).isoformat(timespec="seconds"),
    }
