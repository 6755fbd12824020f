"""The workers' side of the market."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, insert, select

from workforce.market.answers import answer_xml
from workforce.market.errors import Refused
from workforce.market.grants import record_of
from workforce.market.hit import ASSIGNABLE, DISPOSED, Hit
from workforce.market.ids import new_id
from workforce.market.listing import as_listing, available_query, barred_types, listing_query
from workforce.market.qualifications import Action, meets
from workforce.market.question import parse_question
from workforce.market.records import (
    ACCEPTED,
    APPROVED,
    SUBMITTED,
    Assignment,
    find_hit,
    is_id,
    lock_assignment,
    save_hit,
)
from workforce.market.review import approve, hand_in, let_go
from workforce.market.timers import Timers
from workforce.market.unit import Context, Unit
from workforce.market.views import AssignmentState, AssignmentView, Earnings, HitListing, Question, WorkerView
from workforce.store.tables import assignments, hit_types, hits, questions, workers
from workforce.store.times import SECOND_MS, from_ms, to_ms

_WORKER_ID = re.compile(r"A[A-Z0-9]{1,63}")
_WORKER = select(workers).where(workers.c.worker_id == bindparam("worker"))
_HELD: Select[Any] = (
    select(assignments)
    .where(
        assignments.c.worker_id == bindparam("worker"),
        assignments.c.status == ACCEPTED,
        assignments.c.deadline_ms > bindparam("now"),
    )
    .order_by(assignments.c.seq)
)
_LIVE = select(assignments.c.seq).where(
    assignments.c.hit_seq == bindparam("hit"), assignments.c.live_worker_id == bindparam("worker")
)
_BODY = select(questions.c.body).where(questions.c.hit_seq == bindparam("hit"))
_REQUIREMENTS = select(hit_types.c.requirements).where(hit_types.c.hit_type_id == bindparam("hit_type"))


class WorkerService:
    """What a worker can do. Every refusal is a `Refused` (a MarketError) with a reason and a sentence."""

    def __init__(self, context: Context, timers: Timers) -> None:
        self._context = context
        self._timers = timers

    def ensure_worker(self, worker_id: str, now: datetime | None = None) -> WorkerView:
        """Make the worker known; raises Refused unless the id matches ^A[A-Z0-9]{1,63}$."""
        if not _WORKER_ID.fullmatch(worker_id):
            raise Refused(
                "invalid",
                f"{worker_id[:80]!r} is not a worker id: A, then 1 to 63 capital letters or digits",
            )
        with self._context.store.read() as connection:
            row = connection.execute(_WORKER, {"worker": worker_id}).one_or_none()
        if row is None:
            row = self._insert_worker(worker_id, to_ms(now) if now else self._context.now_ms())
        return WorkerView(worker_id, from_ms(row.created_ms))

    def available(self, worker_id: str, *, limit: int = 100, offset: int = 0) -> list[HitListing]:
        """HITs this worker may accept now, the oldest first: never one it holds, submitted or may not do."""
        return self._offered(worker_id, "accept", limit, offset)

    def discover(self, worker_id: str, *, limit: int = 100, offset: int = 0) -> list[HitListing]:
        """The same with those that the worker may see but not accept, which are not `qualified`."""
        return self._offered(worker_id, "discover", limit, offset)

    def may(self, worker_id: str, hit_id: str, action: Action) -> bool:
        """Whether the worker has the qualifications for doing something with a HIT.

        Raises Refused if there is no such HIT.
        """
        with self._context.store.read() as connection:
            worker = self._worker(connection, worker_id)
            hit = find_hit(connection, hit_id, lock=False)
            if hit is None or hit.status == DISPOSED:
                raise _no_hit(hit_id)
            return self._meets(connection, hit, worker, action)

    def listing(self, hit_id: str) -> HitListing:
        """One HIT, whoever may accept it; raises Refused if there is none or it was deleted."""
        self._tick()
        with self._context.store.read() as connection:
            key = {"hit_id": hit_id}
            row = connection.execute(listing_query(), key).one_or_none() if is_id(hit_id) else None
        if row is None:
            raise _no_hit(hit_id)
        return as_listing(row)

    def question(self, hit_id: str) -> Question:
        """What to show for a HIT."""
        with self._context.store.read() as connection:
            hit = find_hit(connection, hit_id, lock=False)
            if hit is None or hit.status == DISPOSED:
                raise _no_hit(hit_id)
            body = connection.execute(_BODY, {"hit": hit.seq}).scalar_one()
        return parse_question(body)

    def accept(self, worker_id: str, hit_id: str) -> AssignmentView:
        """Take a seat. A worker gets one assignment of a HIT, ever, unless it was returned or abandoned."""
        now_ms = self._tick()
        with self._context.unit(now_ms) as unit:
            worker = self._worker(unit.connection, worker_id)
            hit = find_hit(unit.connection, hit_id, lock=True)
            if hit is None or hit.status == DISPOSED:
                raise _no_hit(hit_id)
            self._check_free(unit.connection, hit, worker)
            view = AssignmentView(
                assignment_id=new_id(),
                hit_id=hit_id,
                worker_id=worker_id,
                status="Accepted",
                accepted_at=from_ms(now_ms),
                deadline=from_ms(now_ms + hit.duration_s * SECOND_MS),
            )
            hit.accept()
            save_hit(unit, self._context.settings, hit)
            _insert_assignment(unit.connection, hit.seq, view)
        return view

    def held(self, worker_id: str) -> list[AssignmentView]:
        """Assignments accepted, not submitted, not past the deadline."""
        now_ms = self._tick()
        with self._context.store.read() as connection:
            self._worker(connection, worker_id)
            rows = connection.execute(_with_hit_id(_HELD), {"worker": worker_id, "now": now_ms}).all()
        return [_view(row[-1], Assignment(*row[:-1])) for row in rows]

    def assignment(self, worker_id: str, assignment_id: str) -> AssignmentView:
        """One of this worker's assignments, in any state."""
        self._tick()
        with self._context.store.read() as connection:
            query = _with_hit_id(select(assignments)).where(assignments.c.assignment_id == assignment_id)
            row = connection.execute(query).one_or_none() if is_id(assignment_id) else None
        if row is None or row.worker_id != worker_id:
            raise _no_assignment(assignment_id)
        return _view(row[-1], Assignment(*row[:-1]))

    def submit(
        self, assignment_id: str, fields: Sequence[tuple[str, str]], *, worker_id: str | None = None
    ) -> AssignmentView:
        """Hand in the answers; also after the HIT expired, but before the assignment's own deadline.

        With `worker_id`, an assignment of another worker is refused as unknown.
        """
        answer = answer_xml(fields)
        most = self._context.settings.max_answer_bytes
        if len(answer.encode()) > most:
            raise Refused("invalid", f"The answer is larger than {most} bytes; shorten it and submit again.")
        now_ms = self._tick()
        with self._context.unit(now_ms) as unit:
            hit, assignment = self._accepted(unit, assignment_id, worker_id)
            hand_in(unit, hit, assignment, answer, now_ms)
            assignment = replace(assignment, status=SUBMITTED, submitted_ms=now_ms)
            if hit.auto_approval_s == 0:
                approve(unit, hit, assignment, None, now_ms)
                assignment = replace(assignment, status=APPROVED)
            save_hit(unit, self._context.settings, hit)
        return _view(hit.hit_id, assignment)

    def give_back(self, worker_id: str, assignment_id: str) -> None:
        """Return an accepted assignment; its seat is free again, for this worker too."""
        now_ms = self._tick()
        with self._context.unit(now_ms) as unit:
            hit, assignment = self._accepted(unit, assignment_id, worker_id)
            let_go(unit, hit, assignment, returned=True, at_ms=now_ms)
            save_hit(unit, self._context.settings, hit)

    def earnings(self, worker_id: str) -> Earnings:
        """The worker's record over all requesters; `submitted` counts all work ever handed in."""
        self._tick()
        with self._context.store.read() as connection:
            row = self._worker(connection, worker_id)
        return Earnings(row.submitted, row.approved, row.rejected, row.pending_cents, row.paid_cents)

    def _offered(self, worker_id: str, action: Action, limit: int, offset: int) -> list[HitListing]:
        now_ms = self._tick()
        with self._context.store.read() as connection:
            barred = barred_types(connection, self._worker(connection, worker_id))
            rows = connection.execute(
                available_query(barred[action]).limit(max(0, limit)).offset(max(0, offset)),
                {"worker": worker_id, "now": now_ms},
            )
            return [as_listing(row, qualified=row.hit_type_id not in barred["accept"]) for row in rows]

    def _tick(self) -> int:
        now_ms = self._context.now_ms()
        self._timers.run(now_ms)
        return now_ms

    def _insert_worker(self, worker_id: str, now_ms: int) -> Row[Any]:
        with self._context.store.write() as connection:
            nothing = dict.fromkeys(("submitted", "approved", "rejected", "pending_cents", "paid_cents"), 0)
            statement = self._context.store.insert(workers).values(
                worker_id=worker_id, created_ms=now_ms, **nothing
            )
            connection.execute(statement.on_conflict_do_nothing())
            return connection.execute(_WORKER, {"worker": worker_id}).one()

    def _worker(self, connection: Connection, worker_id: str) -> Row[Any]:
        known = _WORKER_ID.fullmatch(worker_id) is not None
        row = connection.execute(_WORKER, {"worker": worker_id}).one_or_none() if known else None
        if row is None:
            raise Refused("unknown", f"Worker {worker_id[:80]} does not exist.")
        return row

    def _check_free(self, connection: Connection, hit: Hit, worker: Row[Any]) -> None:
        if connection.execute(_LIVE, {"hit": hit.seq, "worker": worker.worker_id}).first() is not None:
            raise Refused("taken", "You have already accepted this HIT; a worker can do it once.")
        if hit.status != ASSIGNABLE:
            raise Refused("no_seat", "There is nothing left to do on this HIT.")
        if not self._meets(connection, hit, worker, "accept"):
            raise Refused("not_qualified", "You do not have the qualifications that this HIT requires.")

    def _meets(self, connection: Connection, hit: Hit, worker: Row[Any], action: Action) -> bool:
        text = connection.execute(_REQUIREMENTS, {"hit_type": hit.hit_type_id}).scalar_one()
        requirements = json.loads(text)
        return not requirements or meets(requirements, record_of(connection, worker), action)

    def _accepted(self, unit: Unit, assignment_id: str, worker_id: str | None) -> tuple[Hit, Assignment]:
        found = lock_assignment(unit.connection, assignment_id)
        if found is None or worker_id not in (None, found[1].worker_id):
            raise _no_assignment(assignment_id)
        status = found[1].status
        if status != ACCEPTED:
            over = "its time is over" if status == "Abandoned" else f"it is {status.lower()}"
            raise Refused("closed", f"This assignment cannot be worked on any more: {over}.")
        return found


def _with_hit_id(query: Select[Any]) -> Select[Any]:
    return query.join_from(assignments, hits).add_columns(hits.c.hit_id)


def _insert_assignment(connection: Connection, hit_seq: int, view: AssignmentView) -> None:
    deadline_ms = to_ms(view.deadline)
    connection.execute(
        insert(assignments),
        {
            "assignment_id": view.assignment_id,
            "hit_seq": hit_seq,
            "worker_id": view.worker_id,
            "live_worker_id": view.worker_id,
            "status": view.status,
            "accepted_ms": to_ms(view.accepted_at),
            "deadline_ms": deadline_ms,
            "due_ms": deadline_ms,
        },
    )


def _view(hit_id: str, assignment: Assignment) -> AssignmentView:
    status: AssignmentState = assignment.status  # type: ignore[assignment]
    submitted = assignment.submitted_ms
    return AssignmentView(
        assignment_id=assignment.assignment_id,
        hit_id=hit_id,
        worker_id=assignment.worker_id,
        status=status,
        accepted_at=from_ms(assignment.accepted_ms),
        deadline=from_ms(assignment.deadline_ms),
        submitted_at=None if submitted is None else from_ms(submitted),
        feedback=assignment.feedback,
    )


def _no_hit(hit_id: str) -> Refused:
    return Refused("unknown", f"Hit {hit_id[:80]} does not exist.")


def _no_assignment(assignment_id: str) -> Refused:
    return Refused("unknown", f"Assignment {assignment_id[:80]} does not exist.")
