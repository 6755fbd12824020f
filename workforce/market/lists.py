"""What a requester reads: HITs, assignments, lists of them, and the balance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, or_, select

from workforce.market import limits
from workforce.market.accounts import is_funded
from workforce.market.errors import invalid, unknown, wrong_assignment_state
from workforce.market.hit import REVIEWABLE, REVIEWING
from workforce.market.money import dollars
from workforce.market.owned import own_hit
from workforce.market.paging import Cursor, Pages
from workforce.market.records import HANDED_IN, Assignment, find_assignment
from workforce.market.shapes import FULL_HIT, assignment_shape, hit_shape, hit_shapes
from workforce.market.unit import Context
from workforce.store.tables import accounts, assignments, hit_types, hits

SANDBOX_CENTS = 1_000_000

_HIT_ID_OF = select(hits.c.hit_id).where(
    hits.c.seq == bindparam("seq"), hits.c.account_id == bindparam("account")
)
_TYPE_EXISTS = select(hit_types.c.hit_type_id).where(
    hit_types.c.hit_type_id == bindparam("hit_type_id"), hit_types.c.account_id == bindparam("account")
)
_BALANCE = select(accounts.c.available_cents, accounts.c.held_cents).where(
    accounts.c.account_id == bindparam("account")
)
_LISTED = FULL_HIT.where(hits.c.account_id == bindparam("account"), hits.c.deleted_ms.is_(None)).order_by(
    hits.c.seq.desc()
)


class Lists:
    """The operations that read."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pages = Pages(context.store.secret)

    def hit(self, account: str, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
        """GetHIT; a deleted HIT is shown as Disposed."""
        with self._context.store.read() as connection:
            is_funded(connection, account)
            hit = own_hit(connection, account, params, lock=False)
            return {"HIT": hit_shape(connection, hit.seq)}

    def assignment(self, account: str, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
        """GetAssignment: the assignment and its HIT, once it is submitted."""
        assignment_id = limits.object_id(params, "AssignmentId")
        with self._context.store.read() as connection:
            is_funded(connection, account)
            found = find_assignment(connection, assignment_id)
            key = {"seq": found.hit_seq if found else 0, "account": account}
            hit_id = connection.execute(_HIT_ID_OF, key).scalar_one_or_none()
            if found is None or hit_id is None:
                raise unknown("Assignment", assignment_id)
            if found.status not in HANDED_IN:
                raise wrong_assignment_state("Reviewable,Approved,Rejected")
            return {
                "Assignment": assignment_shape(hit_id, found),
                "HIT": hit_shape(connection, found.hit_seq),
            }

    def hits(self, account: str, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
        """ListHITs: all that are not deleted, the newest first."""
        size = self._size(params)
        bound = ("ListHITs", account)
        cursor = self._pages.cursor(params.get("NextToken"), *bound)
        query = _LISTED.limit(size)
        if cursor:
            query = query.where(hits.c.seq < cursor[0])
        with self._context.store.read() as connection:
            is_funded(connection, account)
            rows = connection.execute(query, {"account": account}).all()
        return self._pages.page("HITs", hit_shapes(rows), (rows[-1].seq, 0) if rows else None, bound)

    def reviewable(self, account: str, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
        """ListReviewableHITs: only their ids, as the service does it."""
        size = self._size(params)
        status = params.get("Status") or REVIEWABLE
        if status not in (REVIEWABLE, REVIEWING):
            raise invalid("Status", f"must be {REVIEWABLE} or {REVIEWING}")
        type_id = limits.optional_text(params, "HITTypeId", 64)
        bound = ("ListReviewableHITs", account, status, str(type_id or ""))
        cursor = self._pages.cursor(params.get("NextToken"), *bound)
        query = select(hits.c.seq, hits.c.hit_id).where(hits.c.status == status).order_by(hits.c.seq)
        # one of the two, never both: each has its index
        query = query.where(hits.c.hit_type_id == type_id if type_id else hits.c.account_id == account)
        query = query.where(hits.c.seq > cursor[0]) if cursor else query
        with self._context.store.read() as connection:
            is_funded(connection, account)
            if type_id:
                self._check_type(connection, account, type_id)
            rows = connection.execute(query.limit(size)).all()
        found = [{"HITId": row.hit_id} for row in rows]
        return self._pages.page("HITs", found, (rows[-1].seq, 0) if rows else None, bound)

    def assignments(self, account: str, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
        """ListAssignmentsForHIT: submitted work, the oldest submission first."""
        size = self._size(params)
        statuses = sorted(set(params.get("AssignmentStatuses") or HANDED_IN))
        if not set(statuses) <= set(HANDED_IN):
            raise invalid("AssignmentStatuses", f"must be among {', '.join(HANDED_IN)}")
        with self._context.store.read() as connection:
            is_funded(connection, account)
            hit = own_hit(connection, account, params, lock=False)
            bound = ("ListAssignmentsForHIT", account, hit.hit_id, *statuses)
            cursor = self._pages.cursor(params.get("NextToken"), *bound)
            query = _submitted(hit.seq, statuses, cursor).limit(size)
            found = [Assignment(*row) for row in connection.execute(query)]
        last = (found[-1].submitted_ms or 0, found[-1].seq) if found else None
        shapes = [assignment_shape(hit.hit_id, assignment) for assignment in found]
        return self._pages.page("Assignments", shapes, last, bound)

    def balance(self, account: str, _params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
        """GetAccountBalance: what may still be committed, and what is held for work in the market."""
        with self._context.store.read() as connection:
            if not is_funded(connection, account):
                return {"AvailableBalance": dollars(SANDBOX_CENTS), "OnHoldBalance": dollars(0)}
            available, held = connection.execute(_BALANCE, {"account": account}).one()
        return {"AvailableBalance": dollars(available), "OnHoldBalance": dollars(held)}

    def _size(self, params: Mapping[str, Any]) -> int:
        return limits.page_size(params, self._context.settings.default_max_results)

    def _check_type(self, connection: Connection, account: str, type_id: str) -> None:
        key = {"hit_type_id": type_id, "account": account}
        if connection.execute(_TYPE_EXISTS, key).first() is None:
            raise unknown("HITType", type_id)


def _submitted(hit_seq: int, statuses: list[str], cursor: Cursor | None) -> Select[Any]:
    query = (
        select(assignments)
        .where(
            assignments.c.hit_seq == hit_seq,
            assignments.c.submitted_ms.is_not(None),
            assignments.c.status.in_(statuses),
        )
        .order_by(assignments.c.submitted_ms, assignments.c.seq)
    )
    if cursor is None:
        return query
    moment, seq = cursor
    later = assignments.c.submitted_ms > moment
    same = and_(assignments.c.submitted_ms == moment, assignments.c.seq > seq)
    return query.where(or_(later, same))
