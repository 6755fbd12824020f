"""Taking into a run's ledger what only the workforce knows: for tasks that are tried again.

Usually nothing is missing. After the ledger was restored from a backup, extensions that it has forgotten
would be made once more when their tokens have expired, and HITs that were dealt with would be waited for.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from groundswell.aws.collecting import Wave
from groundswell.aws.fence import READ_LIFE
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
    read_at = datetime.now(UTC)
    there = {items[hit["HITId"]]: hit for hit in wave.run.mturk.hits() if hit["HITId"] in items}
    rows = []
    if _with_more_seats(wave, there):
        wave.run.ledger.refresh(wave.state)  # a twin has put on record what it means to open
        with wave.run.mturk.signed_before(read_at + READ_LIFE):
            rows = [_row(wave, item, there[item]) for item in _with_more_seats(wave, there)]
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


def _with_more_seats(wave: Wave, there: Mapping[str, dict[str, Any]]) -> list[str]:
    """Return the open items whose HIT has more seats than are on record."""
    seats = wave.state.seats
    return [item for item in wave.state.open_items if item in there and _seats(there[item]) > seats[item]]


def _seats(hit: dict[str, Any]) -> int:
    return int(hit["MaxAssignments"])


def _row(wave: Wave, item: str, hit: dict[str, Any]) -> dict[str, Any]:
    run, seats = wave.run, _seats(hit)
    token = request_token(run.live.name, run.run_id, item, "extend", seats)
    expires = hit["Expiration"].astimezone(UTC).isoformat(timespec="seconds")
    if token in wave.state.reserved:
        # Whoever opened the seat may have died, or be busy, before the HIT had its lifetime again
        expires = wave.extender.fresh(item, hit)
    return {"item": item, "hit": hit["HITId"], "seats": seats, "token": token, "expires": expires}
