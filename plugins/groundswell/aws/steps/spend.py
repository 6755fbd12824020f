"""The run's money: plan_spend, what an approval reserves, and giving back what was not needed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from groundswell.aws.funds import SLACK
from groundswell.aws.limits import RunLimit, give_back
from groundswell.aws.pace import earlier_pace
from groundswell.aws.runs import LabelingRun, now_text
from groundswell.batches.pay import judge_pay
from groundswell.batches.planning import MonthRoom, judge_spend, plan_spend
from groundswell.batches.units import dollars
from groundswell.errors import MonthFull, SpendError
from groundswell.ledger import RunState, months
from groundswell.ledger.commitments import unmet_answers
from groundswell.ledger.months import MonthBook, month_of
from groundswell.ledger.shards import read_index

log = logging.getLogger(__name__)

AUTOMATIC = "automatic"
#: What of a plan an approval allows.
_ALLOWED = ("month", "hold_cents", "limit_cents", "over_cents")


def plan(run: LabelingRun) -> dict[str, Any]:
    """
    Return the plan of the run: certain and worst-case cost in cents, and whether a person must approve it.

    HITs that the run has published already (the task was cleared) are covered by the liability that the
    workforce subtracts from the balance, so only the others are held against it.

    :raises SpendError: where the balance is below the plan, or a budget is and nobody may be asked.
    """
    batch = run.batch
    state = run.ledger.fold("spend", "approvals", "hits")
    whole = plan_spend(batch, _items(run))
    published = plan_spend(batch, len(state.hits))
    at, available, on_hold = _funds(run)
    # Once reserved, a run stays in its month
    month = str(state.month) if state.reserved_spend and state.month else month_of(datetime.now(UTC))
    book = months.read(run.store, batch.name, month)
    verdict = judge_spend(
        whole,
        batch.spend,
        balance_cents=available + published.certain_cents,
        room=month_room(run, book),
        approved_cents=state.approved_cents,
    )
    pay = judge_pay(
        whole.reward_cents,
        earlier_pace(run.store, batch.name),
        expected_seconds=batch.task.expected_seconds,
        minimum_cents=batch.spend.minimum_hourly_cents,
    )
    if pay.low:
        log.warning("an answer %s", pay.text)
    limits = f"budget {dollars(batch.spend.budget_cents)}, balance {dollars(available)}"
    points = [whole.describe(), limits, pay.text, *verdict.reasons]
    row = {
        "at": at,
        **asdict(whole),
        "budget_cents": batch.spend.budget_cents,
        "balance_cents": available,
        "funds_cents": available + on_hold,
        "month": month,
        "hold_cents": verdict.hold_cents,
        "limit_cents": verdict.limit_cents,
        "over_cents": verdict.over_cents,
        "hourly_cents": pay.hourly_cents,
        "text": "; ".join(points),
        "body": _listed(points),
        "approval": verdict.approval,
    }
    run.ledger.append("spend", [row])
    log.info("%s", row["text"])
    return row


def _funds(run: LabelingRun) -> tuple[str, int, int]:
    """
    Return a time, and what the account may use and what is held then, in cents.

    Payments are held against both later: a process that stood still between reading the one and the other,
    for hours perhaps, reads them again.
    """
    while True:
        before = datetime.now(UTC)
        available, on_hold = run.mturk.balance_cents()
        if datetime.now(UTC) - before < SLACK:
            return now_text(), available, on_hold


def _listed(points: Sequence[str]) -> str:
    """Return points as a Markdown list, for the person who decides."""
    return "\n".join(f"- {point}" for point in points)


def _items(run: LabelingRun) -> int:
    return sum(entry["items"] for entry in read_index(run.ledger) or ())


def month_room(run: LabelingRun, book: MonthBook) -> MonthRoom:
    """Return what a month leaves for the run."""
    monthly = run.batch.spend.monthly_cents
    if monthly is None:
        return MonthRoom()
    return MonthRoom(monthly, book.others_cents(run.run_id), book.describe(run.run_id, monthly))


def reserve(run: LabelingRun, plan: Mapping[str, Any], by: str) -> MonthBook:
    """
    Reserve what a plan may cost: hold it in the month's book, and record who approved it.

    It may be done again, by a retry or a twin; what the run holds is never lowered by it.

    :param plan: what :func:`plan` returned.
    :param by: the person who approved it, or ``automatic``.
    :raises MonthFull: where the month has filled up since the plan was made.
    """
    return _allow(run, "spend", plan, by, task="plan_spend")


def _allow(run: LabelingRun, what: str, plan: Mapping[str, Any], by: str, *, task: str) -> MonthBook:
    """Hold what a plan needs, then record the approval: what is not held must not look approved."""
    monthly = run.batch.spend.monthly_cents
    hold = int(plan["hold_cents"])
    limit = None if monthly is None else monthly + int(plan["over_cents"])
    try:
        book = months.change(
            run.store,
            run.live.name,
            plan["month"],
            run.run_id,
            lambda book: _at_least(book, run.run_id, hold),
            limit_cents=limit,
        )
    except MonthFull as error:
        raise MonthFull(
            f"spend.monthly_budget: {error}: it has filled up since the spend was planned; clear {task}"
        ) from error
    _record(run, what, plan, by)
    log.info("%s reserved in %s, approved by %s", dollars(hold), plan["month"], by)
    return book


def _at_least(book: MonthBook, run_id: str, cents: int) -> tuple[int, int]:
    known = book.holds.get(run_id)
    return (max(cents, known.cents), known.spent_cents) if known else (cents, 0)


def _record(run: LabelingRun, what: str, plan: Mapping[str, Any], by: str) -> None:
    """Record an approval once per plan: what it allows is the same, whoever comes second."""
    row: dict[str, Any] = {
        "what": what,
        "at": now_text(),
        "by": by,
        "plan": plan["at"],
        **{key: plan[key] for key in _ALLOWED},
        "text": plan["text"],
    }
    state = run.ledger.fold("approvals", "hits")
    if _approval_of(state, what, plan) is None:
        if what == "spend" and not state.hits:  # later, the account has paid for the run already
            row |= _funds_before(run, plan, by)
        run.ledger.append("approvals", [row])


def _funds_before(run: LabelingRun, plan: Mapping[str, Any], by: str) -> dict[str, Any]:
    """Return what the account has before the run spends anything, and when."""
    if by == AUTOMATIC:
        # Not the first plan's: the account may have got money since, for want of which that one was not taken
        return {"funds_at": plan["at"], "funds_cents": plan["funds_cents"]} if "funds_cents" in plan else {}
    # Somebody who saw the plan may have made a deposit before approving it
    at, *funds = _funds(run)
    return {"at": at, "funds_cents": sum(funds)}


def _approval_of(state: RunState, what: str, plan: Mapping[str, Any]) -> dict[str, Any] | None:
    same = {"what": what, "plan": plan["at"], **{key: plan[key] for key in _ALLOWED}}
    for row in state.approvals:
        if same.items() <= row.items():
            return row
    return None


def approved_by(run: LabelingRun, plan: Mapping[str, Any]) -> str | None:
    """Return who approved this very plan before; None where nobody did."""
    row = _approval_of(run.ledger.fold("approvals"), "spend", plan)
    return None if row is None else str(row["by"])


def require_reservation(run: LabelingRun) -> None:
    """
    Refuse to publish for a run that reserved nothing, or not enough and cannot get more.

    A hold that was given back (the run had ended, and is taken up again) is taken again where the month has
    room.

    :raises SpendError: saying which task to clear.
    """
    state = run.ledger.fold()
    limit = RunLimit(run, state)
    first = limit.answer_cents * run.batch.redundancy.first
    need = limit.committed_cents() + first * (_items(run) - len(state.hits))
    book = months.read(run.store, run.live.name, state.month) if state.month else None
    held = book.held_by(run.run_id) if book else None
    if not state.reserved_spend or held is None:
        raise SpendError(
            f"run {run.run_id!r} has reserved nothing in {state.month or 'any month'}: its approval, or the "
            "month's book, is missing (restored from a backup?); clear approve_spend"
        )
    if need > limit.own_cents:
        raise SpendError(
            f"spend.budget: run {run.run_id!r} needs {dollars(need)} for its first answers and may spend "
            f"{dollars(limit.own_cents)}; clear plan_spend, or raise spend.budget"
        )
    if need > held and not limit.ensure(need):
        raise SpendError(
            f"spend.monthly_budget: run {run.run_id!r} holds {dollars(held)} of {state.month} and needs "
            f"{dollars(need)}, which the month does not leave; clear plan_spend"
        )


def plan_overrun(run: LabelingRun) -> dict[str, Any]:
    """
    Return what the items would cost that were given up for want of money, and whether to ask a person for it.

    ``limit_cents`` is what the run may spend in all if it is approved: what it has spent, what open seats may
    cost, and the answers that these items may need at most.
    """
    state = run.ledger.fold()
    limit = RunLimit(run, state)
    unmet = unmet_answers(state, run.batch.redundancy.most)
    answers = sum(unmet.values())
    extra = answers * limit.answer_cents
    total = limit.committed_cents() + extra
    available = run.mturk.available_cents() if unmet else 0
    month = str(state.month)
    book = months.read(run.store, run.live.name, month)
    room = month_room(run, book)
    enough = total <= limit.cents and extra <= available
    points = _overrun_text(run, limit, unmet, extra, available, room)
    return {
        "at": now_text(),
        "approval": bool(unmet) and run.batch.spend.ask_overrun and not state.stopped and not enough,
        "items": len(unmet),
        "answers": answers,
        "extra_cents": extra,
        "month": month,
        "hold_cents": total,
        "limit_cents": total,
        "over_cents": room.over_cents(total),
        "text": "; ".join(points),
        "body": _listed(points),
    }


def _overrun_text(
    run: LabelingRun,
    limit: RunLimit,
    unmet: Mapping[str, int],
    extra_cents: int,
    available_cents: int,
    room: MonthRoom,
) -> list[str]:
    if not unmet:
        return ["no item was given up for want of money"]
    spent, total = limit.state.spent_cents, limit.committed_cents() + extra_cents
    text = [
        f"{len(unmet)} items were given up for want of money: they may need {sum(unmet.values())} more "
        f"answers at most, which cost {dollars(extra_cents)} with fees",
        f"spend.budget {dollars(run.batch.spend.budget_cents)}, approved for this run "
        f"{dollars(limit.state.approved_cents)}, spent {dollars(spent)}, balance {dollars(available_cents)}",
    ]
    if available_cents < extra_cents:
        short = dollars(extra_cents - available_cents)
        text.append(f"deposit {short} first, and state it by record_deposit, or reconcile will ask about it")
    if over := room.over_cents(total):
        text.append(f"spend.monthly_budget: {room.text}; it would be passed by {dollars(over)}")
    text.append(
        f"approving lets this run spend {dollars(total)} in all; rejecting it, or no answer in time, goes on "
        "with the labels that there are"
    )
    return text


def grant_overrun(run: LabelingRun, plan: Mapping[str, Any], by: str) -> MonthBook:
    """
    Raise the limit of the run to what was approved, and hold it in the month's book. May be done again.

    :param plan: what :func:`plan_overrun` returned, and the person saw.
    :param by: the person who approved it.
    :raises MonthFull: where the month has less room than the person was told.
    """
    return _allow(run, "overrun", plan, by, task="approve_overrun")


def release(run: LabelingRun) -> None:
    """
    Give back to the month what the run can no longer spend.

    What is left is what it has spent, and what workers may still earn who hold a HIT or whose answers wait.
    """
    book = give_back(run, end=True)
    if book is not None:
        held = book.holds[run.run_id]
        log.info(
            "the run holds %s of %s, %s of it spent",
            *(dollars(held.cents), book.month, dollars(held.spent_cents)),
        )
