"""What the server's own database says of a finished run: calls, answers, money and time."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.requester_calls.measure import counts_in
from workforce.market import Market
from workforce.opening import DEFAULT_ACCOUNT, open_store
from workforce.store.tables import assignments, hits, journal

_MS = 1000.0


@dataclass(frozen=True)
class Books:
    """A run as the server recorded it; times in seconds of the machine, money in cents."""

    calls: dict[str, int]
    """Requester API requests per operation."""
    accepted: int
    """Assignments that workers accepted."""
    submitted: int
    approved: int
    returned: int
    """Assignments that workers gave back or abandoned."""
    cents: int
    """Rewards and fees paid."""
    seconds: float
    """From the first HIT to the last approval."""
    unpaid_seconds: float
    """From submission to approval, on average."""


def read_books(database: Path) -> Books:
    """Read the database of a server that has stopped, so that every call has been written."""
    url = f"sqlite:///{database}"
    with contextlib.closing(open_store(url, must_exist=True)) as store:
        differences = Market(store).audit(DEFAULT_ACCOUNT)
        with store.read() as connection:
            work = connection.execute(
                select(
                    func.count().label("accepted"),
                    func.count(assignments.c.submitted_ms).label("submitted"),
                    func.count(assignments.c.approved_ms).label("approved"),
                    func.count(assignments.c.ended_ms).label("returned"),
                    func.max(assignments.c.approved_ms).label("last_ms"),
                    func.avg(assignments.c.approved_ms - assignments.c.submitted_ms).label("unpaid_ms"),
                ).select_from(assignments)
            ).one()
            first_ms = connection.execute(select(func.min(hits.c.created_ms))).scalar_one()
            paid = select(func.sum(journal.c.cents)).where(journal.c.kind.in_(("payment", "fee")))
            cents = connection.execute(paid).scalar_one()
    if differences:
        raise SystemExit(f"{database}: the account does not add up: {'; '.join(differences)}")
    if first_ms is None or work.last_ms is None:
        raise SystemExit(f"{database}: nothing was published or approved; see the output above")
    return Books(
        calls=counts_in(url),
        accepted=work.accepted,
        submitted=work.submitted,
        approved=work.approved,
        returned=work.returned,
        cents=int(cents),
        seconds=(work.last_ms - first_ms) / _MS,
        unpaid_seconds=float(work.unpaid_ms) / _MS,
    )
