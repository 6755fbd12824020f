"""HITs and assignments between database and memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update

from workforce.market.hit import Hit
from workforce.market.settings import MarketSettings
from workforce.market.unit import Unit
from workforce.store.tables import assignments, hit_types, hits

ACCEPTED, SUBMITTED, APPROVED, REJECTED = "Accepted", "Submitted", "Approved", "Rejected"
RETURNED, ABANDONED = "Returned", "Abandoned"
HANDED_IN = (SUBMITTED, APPROVED, REJECTED)  # what a requester can see

_ID = re.compile("[A-Z0-9]{1,64}")
# in the order of the fields of `Hit`
HIT_COLUMNS = (
    hits.c.seq,
    hits.c.hit_id,
    hits.c.account_id,
    hits.c.hit_type_id,
    hits.c.created_ms,
    hits.c.expiration_ms,
    hits.c.reward_cents,
    hits.c.fee_cents,
    hits.c.funded,
    hits.c.created_seats,
    hits.c.max_assignments,
    hits.c.pending,
    hits.c.submitted,
    hits.c.approved,
    hits.c.rejected,
    hits.c.expired,
    hits.c.reviewing,
    hits.c.reviewable_ms,
    hits.c.deleted_ms,
    hits.c.annotation,
    hit_types.c.duration_s,
    hit_types.c.auto_approval_s,
)
_HIT: Select[Any] = select(*HIT_COLUMNS).join_from(hits, hit_types)
_BY_ID = _HIT.where(hits.c.hit_id == bindparam("hit_id"))
_BY_ID_LOCKED = _BY_ID.with_for_update(of=hits)
_BY_SEQ_LOCKED = _HIT.where(hits.c.seq == bindparam("seq")).with_for_update(of=hits)
_MANY_LOCKED = (
    _HIT.where(hits.c.seq.in_(bindparam("seqs", expanding=True)))
    .order_by(hits.c.seq)
    .with_for_update(of=hits)
)
_SAVE = update(hits).where(hits.c.seq == bindparam("hit"))

_ASSIGNMENT: Select[Any] = select(assignments)
_ASSIGNMENT_BY_ID = _ASSIGNMENT.where(assignments.c.assignment_id == bindparam("assignment_id"))
_HIT_OF_ASSIGNMENT = select(assignments.c.hit_seq).where(
    assignments.c.assignment_id == bindparam("assignment_id")
)
_SAVE_ASSIGNMENT = update(assignments).where(assignments.c.seq == bindparam("assignment"))


@dataclass(frozen=True)
class Assignment:
    """One row of `assignments`; instants in milliseconds."""

    seq: int
    assignment_id: str
    hit_seq: int
    worker_id: str
    live_worker_id: str | None
    status: str
    accepted_ms: int
    deadline_ms: int
    submitted_ms: int | None
    auto_approval_ms: int | None
    approved_ms: int | None
    rejected_ms: int | None
    ended_ms: int | None
    due_ms: int | None
    feedback: str | None
    answer: str | None


def is_id(text: str) -> bool:
    """Whether a text can be an id at all; what comes out of a URL may be anything, even a null character."""
    return _ID.fullmatch(text) is not None


def find_hit(connection: Connection, hit_id: str, *, lock: bool) -> Hit | None:
    """The HIT with an id; with `lock`, nobody else changes it until the transaction ends."""
    if not is_id(hit_id):
        return None
    row = connection.execute(_BY_ID_LOCKED if lock else _BY_ID, {"hit_id": hit_id}).one_or_none()
    return None if row is None else Hit(*row)


def lock_hits(connection: Connection, seqs: Sequence[int]) -> list[Hit]:
    """Several HITs, locked in the order of their numbers."""
    return [Hit(*row) for row in connection.execute(_MANY_LOCKED, {"seqs": list(seqs)})]


def find_assignment(connection: Connection, assignment_id: str) -> Assignment | None:
    """The assignment with an id, as it is now."""
    if not is_id(assignment_id):
        return None
    row = connection.execute(_ASSIGNMENT_BY_ID, {"assignment_id": assignment_id}).one_or_none()
    return None if row is None else Assignment(*row)


def lock_assignment(connection: Connection, assignment_id: str) -> tuple[Hit, Assignment] | None:
    """An assignment and its HIT, both safe from change until the transaction ends.

    Whoever changes an assignment locks its HIT first, so the HIT's lock is enough for both.
    """
    if not is_id(assignment_id):
        return None
    seq = connection.execute(_HIT_OF_ASSIGNMENT, {"assignment_id": assignment_id}).scalar_one_or_none()
    if seq is None:
        return None
    hit = Hit(*connection.execute(_BY_SEQ_LOCKED, {"seq": seq}).one())
    found = find_assignment(connection, assignment_id)
    return None if found is None else (hit, found)


def save_hit(unit: Unit, settings: MarketSettings, hit: Hit, *, at_ms: int | None = None) -> None:
    """Write a changed HIT back, and hold or release money so that exactly its liability is held."""
    moment = unit.now_ms if at_ms is None else at_ms
    hit.settle(moment)
    unit.hold(hit, hit.take_hold_change(), moment)
    unit.connection.execute(_SAVE, {"hit": hit.seq, **state_of(hit, settings)})


def state_of(hit: Hit, settings: MarketSettings) -> dict[str, Any]:
    """The columns of a HIT that may change during its life."""
    return {
        "expiration_ms": hit.expiration_ms,
        "max_assignments": hit.max_assignments,
        "pending": hit.pending,
        "submitted": hit.submitted,
        "approved": hit.approved,
        "rejected": hit.rejected,
        "expired": hit.expired,
        "reviewing": hit.reviewing,
        "reviewable_ms": hit.reviewable_ms,
        "deleted_ms": hit.deleted_ms,
        "status": hit.status,
        "due_ms": hit.due_ms(settings.disposal_days),
    }


def save_assignment(connection: Connection, seq: int, **columns: object) -> None:
    """Change columns of one assignment."""
    connection.execute(_SAVE_ASSIGNMENT.values(**columns), {"assignment": seq})
