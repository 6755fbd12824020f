"""The HIT or assignment that a request names, if it is the requester's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from workforce.market import limits
from workforce.market.errors import unknown
from workforce.market.hit import Hit
from workforce.market.records import Assignment, find_hit, lock_assignment


def own_hit(connection: Connection, account: str, params: Mapping[str, Any], *, lock: bool) -> Hit:
    """The HIT of HITId; with `lock`, nobody else changes it until the transaction ends.

    Raises RequestError (HITDoesNotExist) if there is none, or it is another account's.
    """
    hit_id = limits.object_id(params, "HITId")
    hit = find_hit(connection, hit_id, lock=lock)
    if hit is None or hit.account_id != account:
        raise unknown("Hit", hit_id)
    return hit


def own_assignment(connection: Connection, account: str, params: Mapping[str, Any]) -> tuple[Hit, Assignment]:
    """The assignment of AssignmentId and its HIT, both locked.

    Raises RequestError (AssignmentDoesNotExist) if there is none, or it is another account's.
    """
    assignment_id = limits.object_id(params, "AssignmentId")
    found = lock_assignment(connection, assignment_id)
    if found is None or found[0].account_id != account:
        raise unknown("Assignment", assignment_id)
    return found
