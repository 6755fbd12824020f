"""The part of the audit that follows the money to the workers: bonuses, and what each worker has earned."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Select,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    union_all,
)

from workforce.market.money import FEE_PERCENT, dollars
from workforce.market.records import APPROVED, HANDED_IN, SUBMITTED
from workforce.store.tables import assignments, bonuses, hits, journal, workers

MOST_REPORTED = 20

_ACCOUNT: BindParameter[str] = bindparam("account")


def unbooked_bonuses(connection: Connection, account: str) -> list[str]:
    """Each bonus is in the journal once, and its fee too; the journal has no others."""
    problems = []
    for kind, query in _UNBOOKED.items():
        for cents, difference, assignment_id in connection.execute(query, {"account": account}):
            side = "journal without a bonus" if difference > 0 else "bonuses without a journal entry"
            problems.append(
                f"assignment {assignment_id}: {abs(difference)} x {kind} {shown(cents)} in the {side}"
            )
    return problems


def wrong_bonuses(connection: Connection, account: str) -> list[str]:
    """Each bonus went to the worker and for the HIT of its assignment, which was handed in, with its fee."""
    return [
        f"assignment {assignment_id}: a bonus of {shown(cents)} with a fee of {shown(fee_cents)} to worker "
        f"{worker_id} does not fit its worker, its HIT, its account or the fee rule"
        for assignment_id, worker_id, cents, fee_cents in connection.execute(_WRONG, {"account": account})
    ]


def wrong_earnings(connection: Connection, account: str) -> list[str]:
    """What the workers of the account have earned, over all accounts, is what assignments and bonuses say."""
    return [
        f"worker {row[0]}: paid {shown(row[1])} (worked out {shown(int(row[2]))}), "
        f"pending {shown(row[3])} (worked out {shown(int(row[4]))})"
        for row in connection.execute(_EARNINGS, {"account": account})
    ]


def shown(cents: int) -> str:
    """Cents as dollars, also less than none."""
    return f"-{dollars(-cents)}" if cents < 0 else dollars(cents)


def _unbooked(kind: str, column: Any) -> Select[Any]:
    """What the journal has more often than the bonuses, or less often: entry by entry, not only in sum."""
    sides = union_all(
        select(journal.c.assignment_seq, journal.c.cents, literal(1).label("times")).where(
            journal.c.account_id == _ACCOUNT, journal.c.kind == kind
        ),
        select(bonuses.c.assignment_seq, column, literal(-1)).where(bonuses.c.account_id == _ACCOUNT),
    ).subquery()
    surplus = func.sum(sides.c.times)
    return (
        select(sides.c.cents, surplus, assignments.c.assignment_id)
        .join_from(sides, assignments, assignments.c.seq == sides.c.assignment_seq, isouter=True)
        .group_by(sides.c.assignment_seq, sides.c.cents, assignments.c.assignment_id)
        .having(surplus != 0)
        .limit(MOST_REPORTED)
    )


def _wrong() -> Select[Any]:
    rounded = (bonuses.c.cents * FEE_PERCENT + 50) // 100
    return (
        select(assignments.c.assignment_id, bonuses.c.worker_id, bonuses.c.cents, bonuses.c.fee_cents)
        .join_from(bonuses, assignments, assignments.c.seq == bonuses.c.assignment_seq)
        .join(hits, hits.c.seq == assignments.c.hit_seq)
        .where(or_(bonuses.c.account_id == _ACCOUNT, hits.c.account_id == _ACCOUNT))
        .where(
            or_(
                bonuses.c.account_id != hits.c.account_id,
                bonuses.c.worker_id != assignments.c.worker_id,
                bonuses.c.hit_seq != assignments.c.hit_seq,
                bonuses.c.fee_cents != case((rounded < 1, 1), else_=rounded),
                assignments.c.status.not_in(HANDED_IN),
            )
        )
        .limit(MOST_REPORTED)
    )


def _earnings() -> Select[Any]:
    def worth(status: str) -> Any:
        return func.sum(case((assignments.c.status == status, hits.c.reward_cents), else_=0))

    of_account = (
        select(assignments.c.worker_id)
        .join_from(assignments, hits)
        .where(hits.c.account_id == _ACCOUNT)
        .distinct()
    )
    earned = (
        select(assignments.c.worker_id, worth(APPROVED).label("paid"), worth(SUBMITTED).label("pending"))
        .join_from(assignments, hits)
        .where(assignments.c.worker_id.in_(of_account))
        .group_by(assignments.c.worker_id)
        .subquery("earned")
    )
    given = (
        select(bonuses.c.worker_id, func.sum(bonuses.c.cents).label("cents"))
        .where(bonuses.c.worker_id.in_(of_account))
        .group_by(bonuses.c.worker_id)
        .subquery("given")
    )
    paid = earned.c.paid + func.coalesce(given.c.cents, 0)
    return (
        select(workers.c.worker_id, workers.c.paid_cents, paid, workers.c.pending_cents, earned.c.pending)
        .join_from(workers, earned, earned.c.worker_id == workers.c.worker_id)
        .outerjoin(given, given.c.worker_id == workers.c.worker_id)
        .where(or_(workers.c.paid_cents != paid, workers.c.pending_cents != earned.c.pending))
        .limit(MOST_REPORTED)
    )


_UNBOOKED = {
    "bonus": _unbooked("bonus", bonuses.c.cents),
    "bonus_fee": _unbooked("bonus_fee", bonuses.c.fee_cents),
}
_WRONG = _wrong()
_EARNINGS = _earnings()
