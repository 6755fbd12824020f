"""One transaction on the market, and the money that it moves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, insert, update

from workforce.clock import Clock
from workforce.market.errors import insufficient_funds
from workforce.market.hit import Hit
from workforce.market.settings import MarketSettings
from workforce.store import Store
from workforce.store.tables import accounts, journal, workers
from workforce.store.times import to_ms

_MOVE = (
    update(accounts)
    .where(
        accounts.c.account_id == bindparam("account"),
        accounts.c.available_cents + bindparam("available") >= 0,
    )
    .values(
        available_cents=accounts.c.available_cents + bindparam("available"),
        held_cents=accounts.c.held_cents + bindparam("held"),
    )
)
_CREDIT = (
    update(workers)
    .where(workers.c.worker_id == bindparam("worker"))
    .values(
        submitted=workers.c.submitted + bindparam("d_submitted"),
        approved=workers.c.approved + bindparam("d_approved"),
        rejected=workers.c.rejected + bindparam("d_rejected"),
        pending_cents=workers.c.pending_cents + bindparam("d_pending"),
        paid_cents=workers.c.paid_cents + bindparam("d_paid"),
    )
)


@dataclass
class WorkerChange:
    """What a transaction adds to a worker's record: counts, and cents awaited and paid."""

    submitted: int = 0
    approved: int = 0
    rejected: int = 0
    pending_cents: int = 0
    paid_cents: int = 0


@dataclass
class Unit:
    """A transaction under way. Money is collected here and booked once, at its end.

    Locks are taken in one order by everybody, so that nobody waits in a circle: HITs by number, then
    workers, then accounts.
    """

    connection: Connection
    now_ms: int
    entries: list[dict[str, object]] = field(default_factory=list)
    available: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    held: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    workers: dict[str, WorkerChange] = field(default_factory=lambda: defaultdict(WorkerChange))

    def hold(self, hit: Hit, cents: int, at_ms: int) -> None:
        """Set money aside for a HIT, or let it go if `cents` is negative."""
        if cents == 0:
            return
        self._enter(hit, "hold" if cents > 0 else "release", abs(cents), at_ms, None)
        self.available[hit.account_id] -= cents
        self.held[hit.account_id] += cents

    def pay(self, hit: Hit, assignment_seq: int, at_ms: int) -> None:
        """Pay one assignment and its fee out of what is held for the HIT."""
        if not hit.funded:
            return
        self._enter(hit, "payment", hit.reward_cents, at_ms, assignment_seq)
        self._enter(hit, "fee", hit.fee_cents, at_ms, assignment_seq)
        self.held[hit.account_id] -= hit.seat_cents

    def give(self, hit: Hit, assignment_seq: int, bonus_cents: int, fee_cents: int) -> None:
        """Pay a bonus and its fee out of what is available: nothing was held for it."""
        if not hit.funded:
            return
        self._enter(hit, "bonus", bonus_cents, self.now_ms, assignment_seq)
        self._enter(hit, "bonus_fee", fee_cents, self.now_ms, assignment_seq)
        self.available[hit.account_id] -= bonus_cents + fee_cents

    def book(self) -> None:
        """Write the collected changes; raises RequestError (InsufficientFunds) if an account lacks money."""
        for worker_id, change in sorted(self.workers.items()):
            self.connection.execute(
                _CREDIT,
                {
                    "worker": worker_id,
                    "d_submitted": change.submitted,
                    "d_approved": change.approved,
                    "d_rejected": change.rejected,
                    "d_pending": change.pending_cents,
                    "d_paid": change.paid_cents,
                },
            )
        for account in sorted(set(self.available) | set(self.held)):
            moved = self.connection.execute(
                _MOVE,
                {"account": account, "available": self.available[account], "held": self.held[account]},
            )
            if moved.rowcount == 0:
                raise insufficient_funds()
        if self.entries:
            self.connection.execute(insert(journal), self.entries)

    def _enter(self, hit: Hit, kind: str, cents: int, at_ms: int, assignment_seq: int | None) -> None:
        self.entries.append(
            {
                "account_id": hit.account_id,
                "at_ms": at_ms,
                "kind": kind,
                "cents": cents,
                "hit_seq": hit.seq,
                "assignment_seq": assignment_seq,
            }
        )


@dataclass(frozen=True)
class Context:
    """What every part of the market works with."""

    store: Store
    settings: MarketSettings
    clock: Clock

    def now_ms(self) -> int:
        """The present in milliseconds."""
        return to_ms(self.clock.now())

    @contextmanager
    def unit(self, now_ms: int) -> Iterator[Unit]:
        """A writing transaction; books the money at its end, or rolls everything back."""
        with self.store.write() as connection:
            unit = Unit(connection, now_ms)
            yield unit
            unit.book()
