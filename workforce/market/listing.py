"""Which work is offered to whom."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, exists, select, true

from workforce.market.grants import record_of
from workforce.market.hit import ASSIGNABLE
from workforce.market.qualifications import Action, meets
from workforce.market.views import HitListing
from workforce.store.tables import accounts, assignments, hit_types, hits
from workforce.store.times import from_ms

_LISTING: Select[Any] = (
    select(
        hits.c.hit_id,
        hits.c.hit_type_id,
        hit_types.c.title,
        hit_types.c.description,
        hit_types.c.keywords,
        hits.c.reward_cents,
        hit_types.c.duration_s,
        hits.c.expiration_ms,
        (
            hits.c.max_assignments - hits.c.pending - hits.c.submitted - hits.c.approved - hits.c.rejected
        ).label("seats"),
        hits.c.expired,
        accounts.c.name,
    )
    .join_from(hits, hit_types)
    .join(accounts, accounts.c.account_id == hits.c.account_id)
)
_HAD = exists().where(
    assignments.c.hit_seq == hits.c.seq, assignments.c.live_worker_id == bindparam("worker")
)
_AVAILABLE = _LISTING.where(
    hits.c.status == ASSIGNABLE, hits.c.expiration_ms > bindparam("now"), ~_HAD
).order_by(hits.c.seq)
_GUARDED = select(hit_types.c.hit_type_id, hit_types.c.requirements).where(
    hit_types.c.guarded == true(),
    exists().where(hits.c.hit_type_id == hit_types.c.hit_type_id, hits.c.status == ASSIGNABLE),
)
_ONE = _LISTING.where(hits.c.hit_id == bindparam("hit_id"), hits.c.deleted_ms.is_(None))


def available_query(excluded_types: Collection[str]) -> Select[Any]:
    """HITs with a free seat for `:worker` at `:now`, without those of some types."""
    if not excluded_types:
        return _AVAILABLE
    return _AVAILABLE.where(hits.c.hit_type_id.not_in(sorted(excluded_types)))


def listing_query() -> Select[Any]:
    """The HIT `:hit_id`, unless it is deleted."""
    return _ONE


def barred_types(connection: Connection, worker: Row[Any]) -> dict[Action, set[str]]:
    """HIT types on offer with which the worker may not do something, for want of a qualification."""
    barred: dict[Action, set[str]] = {"discover": set(), "preview": set(), "accept": set()}
    guarded = connection.execute(_GUARDED).all()
    record = record_of(connection, worker) if guarded else None
    for row in guarded:
        requirements = json.loads(row.requirements)
        for action, types in barred.items():
            if record and not meets(requirements, record, action):
                types.add(row.hit_type_id)
    return barred


def as_listing(row: Row[Any], *, qualified: bool = True) -> HitListing:
    """A row of these queries as what a worker sees."""
    return HitListing(
        hit_id=row.hit_id,
        hit_type_id=row.hit_type_id,
        title=row.title,
        description=row.description,
        keywords=row.keywords or "",
        reward_cents=row.reward_cents,
        duration_s=row.duration_s,
        expiration=from_ms(row.expiration_ms),
        seats_available=0 if row.expired else row.seats,
        requester_name=row.name,
        qualified=qualified,
    )
