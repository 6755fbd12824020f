"""SendBonus and ListBonusPayments: money beyond the reward, for work that was handed in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select

from workforce.market import limits
from workforce.market.accounts import is_funded
from workforce.market.errors import RequestError, invalid, unknown, wrong_assignment_state
from workforce.market.money import bonus_fee_cents, dollars
from workforce.market.owned import own_assignment, own_hit
from workforce.market.paging import Pages
from workforce.market.records import HANDED_IN, Assignment, find_assignment
from workforce.market.tokens import Tokens
from workforce.market.unit import Context
from workforce.store.tables import assignments, bonuses, hits
from workforce.store.times import from_ms_whole

_PAYMENTS: Select[Any] = (
    select(bonuses, assignments.c.assignment_id)
    .join_from(bonuses, assignments, bonuses.c.assignment_seq == assignments.c.seq)
    .order_by(bonuses.c.seq)
)


class Bonuses:
    """The operations on bonuses."""

    def __init__(self, context: Context, tokens: Tokens) -> None:
        self._context = context
        self._tokens = tokens
        self._pages = Pages(context.store.secret)

    def send(self, account: str, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """SendBonus: pays now, out of available funds, whatever became of the assignment and its HIT."""
        worker_id = limits.object_id(params, "WorkerId")
        cents = limits.dollar_cents(params, "BonusAmount", least_cents=1)
        reason = limits.message(params, "Reason")
        token = limits.token(params)
        with self._context.unit(now_ms) as unit:
            is_funded(unit.connection, account)
            hit, assignment = own_assignment(unit.connection, account, params)
            self._tokens.claim_request(unit, account, "SendBonus", token)
            _check_worker(assignment, worker_id)
            fee_cents = bonus_fee_cents(cents)
            columns = {"cents": cents, "fee_cents": fee_cents, "reason": reason, "token": token}
            columns |= {"account_id": account, "hit_seq": hit.seq, "assignment_seq": assignment.seq}
            unit.connection.execute(insert(bonuses), columns | {"worker_id": worker_id, "at_ms": now_ms})
            unit.workers[worker_id].paid_cents += cents
            unit.give(hit, assignment.seq, cents, fee_cents)
        return {}

    def payments(self, account: str, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
        """ListBonusPayments of a HIT or of an assignment, the oldest first."""
        size = limits.page_size(params, self._context.settings.default_max_results)
        named = [name for name in ("HITId", "AssignmentId") if params.get(name)]
        if len(named) != 1:
            raise RequestError("HITId, AssignmentId: exactly one of the two must be given")
        bound = ("ListBonusPayments", account, named[0], str(params[named[0]]))
        cursor = self._pages.cursor(params.get("NextToken"), *bound)
        query = _PAYMENTS.where(bonuses.c.seq > cursor[0]) if cursor else _PAYMENTS
        with self._context.store.read() as connection:
            is_funded(connection, account)
            query = query.where(_of(connection, account, params, named[0]))
            rows = connection.execute(query.limit(size)).all()
        last = (rows[-1].seq, 0) if rows else None
        return self._pages.page("BonusPayments", [_shape(row) for row in rows], last, bound)


def _check_worker(assignment: Assignment, worker_id: str) -> None:
    if assignment.worker_id != worker_id:
        raise invalid(
            "WorkerId",
            f"worker {worker_id} did not do assignment {assignment.assignment_id}; name its worker",
        )
    if assignment.status not in HANDED_IN:
        raise wrong_assignment_state("Submitted,Approved,Rejected")


def _of(connection: Connection, account: str, params: Mapping[str, Any], named: str) -> Any:
    if named == "HITId":
        return bonuses.c.hit_seq == own_hit(connection, account, params, lock=False).seq
    assignment_id = limits.object_id(params, named)
    assignment = find_assignment(connection, assignment_id)
    own = select(hits.c.seq).where(
        hits.c.seq == (assignment.hit_seq if assignment else 0), hits.c.account_id == account
    )
    if assignment is None or connection.execute(own).first() is None:
        raise unknown("Assignment", assignment_id)
    return bonuses.c.assignment_seq == assignment.seq


def _shape(row: Row[Any]) -> dict[str, Any]:
    return {
        "WorkerId": row.worker_id,
        "BonusAmount": dollars(row.cents),
        "AssignmentId": row.assignment_id,
        "Reason": row.reason,
        "GrantTime": from_ms_whole(row.at_ms),
    }
