"""What became of a worker's work: rejections with what the requester said, and bonuses."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BindParameter, Select, bindparam, func, select

from workforce.market.records import REJECTED
from workforce.market.unit import Context
from workforce.market.views import BonusView, RejectionView
from workforce.store.tables import accounts, assignments, bonuses, hit_types, hits
from workforce.store.times import from_ms

_WORKER: BindParameter[str] = bindparam("worker")
_REJECTED: Select[Any] = (
    select(
        assignments.c.assignment_id,
        assignments.c.rejected_ms,
        assignments.c.feedback,
        hits.c.reward_cents,
        hits.c.deleted_ms,
        hit_types.c.title,
        accounts.c.name,
    )
    .join_from(assignments, hits)
    .join(hit_types, hit_types.c.hit_type_id == hits.c.hit_type_id)
    .join(accounts, accounts.c.account_id == hits.c.account_id)
    .where(assignments.c.worker_id == _WORKER, assignments.c.status == REJECTED)
    .order_by(assignments.c.seq.desc())
)
_BONUSES: Select[Any] = (
    select(bonuses, assignments.c.assignment_id, hits.c.deleted_ms, hit_types.c.title, accounts.c.name)
    .join_from(bonuses, assignments, assignments.c.seq == bonuses.c.assignment_seq)
    .join(hits, hits.c.seq == bonuses.c.hit_seq)
    .join(hit_types, hit_types.c.hit_type_id == hits.c.hit_type_id)
    .join(accounts, accounts.c.account_id == bonuses.c.account_id)
    .where(bonuses.c.worker_id == _WORKER)
    .order_by(bonuses.c.seq.desc())
)
_TOTAL = select(func.count(), func.coalesce(func.sum(bonuses.c.cents), 0)).where(
    bonuses.c.worker_id == _WORKER
)


class History:
    """Reads a worker's past over all requesters."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def rejected(self, worker_id: str, *, limit: int, offset: int = 0) -> list[RejectionView]:
        """Work that is rejected now, the newest first."""
        with self._context.store.read() as connection:
            rows = connection.execute(_REJECTED.limit(limit).offset(offset), {"worker": worker_id})
            return [
                RejectionView(
                    assignment_id=row.assignment_id,
                    title=row.title,
                    requester_name=row.name,
                    reward_cents=row.reward_cents,
                    rejected_at=from_ms(row.rejected_ms),
                    feedback=row.feedback or "",
                    kept=row.deleted_ms is None,
                )
                for row in rows
            ]

    def bonuses(self, worker_id: str, *, limit: int, offset: int = 0) -> list[BonusView]:
        """Bonuses, the newest first."""
        with self._context.store.read() as connection:
            rows = connection.execute(_BONUSES.limit(limit).offset(offset), {"worker": worker_id})
            return [
                BonusView(
                    assignment_id=row.assignment_id,
                    title=row.title,
                    requester_name=row.name,
                    cents=row.cents,
                    reason=row.reason,
                    given_at=from_ms(row.at_ms),
                    kept=row.deleted_ms is None,
                )
                for row in rows
            ]

    def bonus_total(self, worker_id: str) -> tuple[int, int]:
        """How many bonuses the worker was given, and their sum in cents; it is part of what was paid."""
        with self._context.store.read() as connection:
            count, cents = connection.execute(_TOTAL, {"worker": worker_id}).one()
        return int(count), int(cents)
