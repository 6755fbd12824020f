"""What time alone does: HITs expire and are disposed of, work is abandoned or approved.

Every due moment is a column with an index, so asking what is due next costs two look-ups however many
HITs there are, and is asked once a second at most. Things happen as of the moment they were due, even
when the server slept through it.
"""

from __future__ import annotations

from sqlalchemy import BindParameter, bindparam, func, select

from workforce.market.hit import REVIEWABLE, REVIEWING, Hit
from workforce.market.records import ACCEPTED, Assignment, lock_hits, save_hit
from workforce.market.review import approve, let_go
from workforce.market.unit import Context, Unit
from workforce.store.tables import assignments, hits

_BATCH = 500  # HITs per transaction, so that others get their turn
# Nothing that another process starts is due sooner than this, but for an ExpireAt closer to now than a second
_LOOK_AGAIN_MS = 1000

_NOW: BindParameter[int] = bindparam("now")
_DUE_HITS = select(hits.c.seq).where(hits.c.due_ms <= _NOW).order_by(hits.c.due_ms).limit(_BATCH)
_DUE_ASSIGNED = (
    select(assignments.c.hit_seq)
    .where(assignments.c.due_ms <= _NOW)
    .order_by(assignments.c.due_ms)
    .limit(_BATCH)
)
_NEXT = select(
    select(func.min(hits.c.due_ms)).scalar_subquery(),
    select(func.min(assignments.c.due_ms)).scalar_subquery(),
)
_DUE_OF_HITS = (
    select(assignments)
    .where(assignments.c.hit_seq.in_(bindparam("seqs", expanding=True)), assignments.c.due_ms <= _NOW)
    .order_by(assignments.c.due_ms, assignments.c.seq)
)


class Timers:
    """Carries out what is due."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._quiet_until_ms = 0

    def wake(self) -> None:
        """Something was made due sooner than usual: look at the next call."""
        self._quiet_until_ms = 0

    def run(self, now_ms: int) -> None:
        """Carry out all that is due by now, oldest first, in several short transactions."""
        while now_ms >= self._quiet_until_ms:
            next_ms = self._next_due(now_ms + _LOOK_AGAIN_MS)
            if next_ms > now_ms:
                self._quiet_until_ms = next_ms
                return
            with self._context.unit(now_ms) as unit:
                self._batch(unit)

    def _next_due(self, at_most_ms: int) -> int:
        with self._context.store.read() as connection:
            moments = connection.execute(_NEXT).one()
        return min([at_most_ms, *(int(moment) for moment in moments if moment is not None)])

    def _batch(self, unit: Unit) -> None:
        now = {"now": unit.now_ms}
        seqs = set(unit.connection.execute(_DUE_ASSIGNED, now).scalars())
        seqs |= set(unit.connection.execute(_DUE_HITS, now).scalars())
        if not seqs:
            return
        found = {hit.seq: hit for hit in lock_hits(unit.connection, sorted(seqs))}
        due: dict[int, list[Assignment]] = {seq: [] for seq in found}
        for row in unit.connection.execute(_DUE_OF_HITS, {"seqs": sorted(found), **now}):
            due[row.hit_seq].append(Assignment(*row))
        for seq, hit in found.items():
            self._hit(unit, hit, due[seq])

    def _hit(self, unit: Unit, hit: Hit, due: list[Assignment]) -> None:
        at_ms = unit.now_ms
        for assignment in due:
            at_ms = assignment.due_ms or unit.now_ms
            _expire_if_due(hit, at_ms)
            if assignment.status == ACCEPTED:
                let_go(unit, hit, assignment, returned=False, at_ms=at_ms)
            else:
                approve(unit, hit, assignment, None, at_ms)
            hit.settle(at_ms)
        if _expire_if_due(hit, unit.now_ms):
            at_ms = hit.expiration_ms
        disposal = hit.reviewable_ms and hit.due_ms(self._context.settings.disposal_days)
        if disposal and hit.status in (REVIEWABLE, REVIEWING) and disposal <= unit.now_ms:
            at_ms = disposal
            hit.dispose(at_ms)
        save_hit(unit, self._context.settings, hit, at_ms=at_ms)


def _expire_if_due(hit: Hit, now_ms: int) -> bool:
    if hit.expired or hit.deleted_ms is not None or hit.expiration_ms > now_ms:
        return False
    hit.expire(hit.expiration_ms)
    hit.settle(hit.expiration_ms)
    return True
