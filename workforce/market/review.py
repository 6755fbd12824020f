"""What approving, rejecting and letting go of an assignment does; used by requesters and by timers."""

from __future__ import annotations

from workforce.market.hit import Hit
from workforce.market.records import (
    ABANDONED,
    APPROVED,
    REJECTED,
    RETURNED,
    SUBMITTED,
    Assignment,
    save_assignment,
)
from workforce.market.unit import Unit
from workforce.store.times import SECOND_MS


def approve(unit: Unit, hit: Hit, assignment: Assignment, feedback: str | None, at_ms: int) -> None:
    """Approve submitted or rejected work and pay for it."""
    change = unit.workers[assignment.worker_id]
    if assignment.status == SUBMITTED:
        hit.approve()
        change.pending_cents -= hit.reward_cents
    else:
        hit.override()
        change.rejected -= 1
    change.approved += 1
    change.paid_cents += hit.reward_cents
    columns: dict[str, object] = {
        "status": APPROVED,
        "approved_ms": at_ms,
        "rejected_ms": None,
        "due_ms": None,
    }
    if feedback is not None:
        columns["feedback"] = feedback
    save_assignment(unit.connection, assignment.seq, **columns)
    unit.pay(hit, assignment.seq, at_ms)


def reject(unit: Unit, hit: Hit, assignment: Assignment, feedback: str | None, at_ms: int) -> None:
    """Reject submitted work: nothing is paid, the seat stays used."""
    hit.reject()
    change = unit.workers[assignment.worker_id]
    change.rejected += 1
    change.pending_cents -= hit.reward_cents
    save_assignment(
        unit.connection,
        assignment.seq,
        status=REJECTED,
        rejected_ms=at_ms,
        due_ms=None,
        feedback=feedback,
    )


def hand_in(unit: Unit, hit: Hit, assignment: Assignment, answer: str, at_ms: int) -> None:
    """The worker submits; automatic approval is due after the delay of the HIT's type."""
    hit.submit()
    change = unit.workers[assignment.worker_id]
    change.submitted += 1
    change.pending_cents += hit.reward_cents
    auto_approval_ms = at_ms + hit.auto_approval_s * SECOND_MS
    save_assignment(
        unit.connection,
        assignment.seq,
        status=SUBMITTED,
        submitted_ms=at_ms,
        auto_approval_ms=auto_approval_ms,
        due_ms=auto_approval_ms,
        answer=answer,
    )


def let_go(unit: Unit, hit: Hit, assignment: Assignment, *, returned: bool, at_ms: int) -> None:
    """The worker returns the assignment, or its time is over; the seat is free again."""
    hit.give_up()
    save_assignment(
        unit.connection,
        assignment.seq,
        status=RETURNED if returned else ABANDONED,
        live_worker_id=None,
        ended_ms=at_ms,
        due_ms=None,
    )
