"""Does it all add up? The running totals, worked out again from the records under them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select

from workforce.market.accounts import is_funded
from workforce.market.earnings_audit import (
    MOST_REPORTED,
    shown,
    unbooked_bonuses,
    wrong_bonuses,
    wrong_earnings,
)
from workforce.market.records import ACCEPTED, APPROVED, REJECTED, SUBMITTED
from workforce.store import Store
from workforce.store.tables import accounts, assignments, hits, journal


def audit(store: Store, account: str) -> list[str]:
    """One sentence per difference found for an account; an empty list when all agrees.

    Reads everything the account has: for tests, operators and reconciliation, not for every call.
    Raises RequestError for an unknown account.
    """
    with store.read(snapshot=True) as connection:
        problems = _counters(connection, account)
        if is_funded(connection, account):
            problems += _balances(connection, account) + _payments(connection, account)
            problems += unbooked_bonuses(connection, account)
        problems += wrong_bonuses(connection, account) + wrong_earnings(connection, account)
    return problems


def _balances(connection: Connection, account: str) -> list[str]:
    query = select(journal.c.kind, func.sum(journal.c.cents)).where(journal.c.account_id == account)
    sums = {kind: int(cents) for kind, cents in connection.execute(query.group_by(journal.c.kind))}
    kinds = ("opening", "deposit", "hold", "release", "payment", "fee", "bonus", "bonus_fee")
    opening, deposit, hold, release, payment, fee, bonus, bonus_fee = (sums.get(kind, 0) for kind in kinds)
    put_in = opening + deposit
    row = connection.execute(select(accounts).where(accounts.c.account_id == account)).one()
    seats = hits.c.pending + hits.c.submitted + case((hits.c.expired, 0), else_=_available())
    liability = func.coalesce(func.sum(seats * (hits.c.reward_cents + hits.c.fee_cents)), 0)
    owed = int(connection.execute(select(liability).where(hits.c.account_id == account)).scalar_one())
    checks = {
        "available": (row.available_cents, put_in - hold + release - bonus - bonus_fee, "the journal"),
        "held": (row.held_cents, hold - release - payment - fee, "the journal"),
        "held ": (row.held_cents, owed, "its HITs"),
    }
    return [
        f"account {account}: {name.strip()} is {shown(kept)}, but {source} gives {shown(found)}"
        for name, (kept, found, source) in checks.items()
        if kept != found
    ]


def _payments(connection: Connection, account: str) -> list[str]:
    """Each approved assignment is paid once, with its fee; nothing else is paid."""
    paid = _entries(account, "payment")
    fees = _entries(account, "fee")
    query = (
        select(assignments.c.assignment_id, assignments.c.status, paid.c.cents, paid.c.times, fees.c.times)
        .join_from(assignments, hits)
        .outerjoin(paid, paid.c.assignment_seq == assignments.c.seq)
        .outerjoin(fees, fees.c.assignment_seq == assignments.c.seq)
        .where(hits.c.account_id == account)
        .where(
            or_(
                and_(
                    assignments.c.status == APPROVED,
                    or_(
                        func.coalesce(paid.c.cents, -1) != hits.c.reward_cents,
                        func.coalesce(fees.c.cents, -1) != hits.c.fee_cents,
                        func.coalesce(paid.c.times, 0) != 1,
                        func.coalesce(fees.c.times, 0) != 1,
                    ),
                ),
                and_(assignments.c.status != APPROVED, or_(paid.c.times > 0, fees.c.times > 0)),
            )
        )
        .limit(MOST_REPORTED)
    )
    return [
        f"assignment {row[0]}: it is {row[1]}, with {row[3] or 0} payments ({shown(int(row[2] or 0))}) "
        f"and {row[4] or 0} fees in the journal"
        for row in connection.execute(query)
    ]


def _entries(account: str, kind: str) -> Any:
    return (
        select(
            journal.c.assignment_seq,
            func.sum(journal.c.cents).label("cents"),
            func.count().label("times"),
        )
        .where(journal.c.account_id == account, journal.c.kind == kind)
        .group_by(journal.c.assignment_seq)
        .subquery(kind)
    )


def _counters(connection: Connection, account: str) -> list[str]:
    """The counters of each HIT are the numbers of its assignments."""
    counted = _by_status(account).subquery("counted")
    pairs = {
        "pending": (hits.c.pending, counted.c.pending),
        "submitted": (hits.c.submitted, counted.c.submitted),
        "approved": (hits.c.approved, counted.c.approved),
        "rejected": (hits.c.rejected, counted.c.rejected),
    }
    differs = or_(*(kept != func.coalesce(found, 0) for kept, found in pairs.values()), _available() < 0)
    columns = [column for kept, found in pairs.values() for column in (kept, func.coalesce(found, 0))]
    query = (
        select(hits.c.hit_id, *columns)
        .outerjoin_from(hits, counted, counted.c.hit_seq == hits.c.seq)
        .where(hits.c.account_id == account, differs)
        .limit(MOST_REPORTED)
    )
    problems = []
    for hit_id, *numbers in connection.execute(query):
        parts = ", ".join(
            f"{name} {kept} (counted {found})"
            for name, kept, found in zip(pairs, numbers[::2], numbers[1::2], strict=True)
        )
        problems.append(f"HIT {hit_id}: its counters disagree with its assignments or its seats: {parts}")
    return problems


def _by_status(account: str) -> Select[Any]:
    def of(status: str) -> ColumnElement[int]:
        return func.sum(case((assignments.c.status == status, 1), else_=0))

    return (
        select(
            assignments.c.hit_seq,
            of(ACCEPTED).label("pending"),
            of(SUBMITTED).label("submitted"),
            of(APPROVED).label("approved"),
            of(REJECTED).label("rejected"),
        )
        .join_from(assignments, hits)
        .where(hits.c.account_id == account)
        .group_by(assignments.c.hit_seq)
    )


def _available() -> ColumnElement[int]:
    return hits.c.max_assignments - hits.c.pending - hits.c.submitted - hits.c.approved - hits.c.rejected
