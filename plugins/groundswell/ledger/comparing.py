"""What a ledger and a workforce disagree on, found by comparing plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

from groundswell.ledger.state import RunState

#: Rows of a table that a log shows; the document has all of them.
SHOWN = 50

_HEADINGS = ("what", "where", "ledger", "workforce", "what to do")
_TAKE = "clear delete_hits, which records and pays it, then this task"
_APPROVE = "clear delete_hits, which approves it, then this task; a bonus besides would pay it twice"
_OVERRIDE = "approve it at the workforce with OverrideRejection if the work was good"


@dataclass(frozen=True)
class Difference:
    """One thing on which ledger and workforce disagree: a row of the table, in words."""

    what: str
    where: str
    ledger: str
    workforce: str
    fix: str


@dataclass
class AnswerCheck:
    """What comparing the answers to an item found.

    Attributes:
        rows: the differences.
        late: whether answers wait to be recorded or paid, though the asking about the item has ended.
        unrecorded: answers to an open item that are approved, and that collecting has not recorded yet.
    """

    rows: list[Difference] = field(default_factory=list)
    late: bool = False
    unrecorded: int = 0


def as_table(differences: Sequence[Difference]) -> str:
    """Return differences as aligned plain text under headings, the first ones where there are many."""
    shown = [_HEADINGS, *(astuple(each) for each in differences[:SHOWN])]
    widths = [max(len(row[column]) for row in shown) for column in range(len(_HEADINGS))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in shown
    ]
    if len(differences) > SHOWN:
        lines.append(f"and {len(differences) - SHOWN} more: reconciliation.json beside the ledger has all")
    return "\n".join(lines)


def needs_a_look(state: RunState, item: str, *, handed_in: int, reviewed: int) -> bool:
    """Return whether the counts of a HIT leave doubt about its answers.

    :param handed_in: how many assignments are submitted, approved or rejected.
    :param reviewed: how many of them are approved or rejected (NumberOfAssignmentsCompleted).
    """
    answers = state.answers_of(item)
    paid = sum(row["assignment"] in state.payments for row in answers)
    rejected = any(row["assignment"] in state.rejections for row in answers)
    if rejected or reviewed != paid or len(answers) > handed_in:
        return True
    # About an open item workers are still asked: collecting will come to what they hand in
    waiting = any(row["assignment"] not in state.payments and _ended(state, row) for row in answers)
    return waiting or (item in state.outcomes and len(answers) < handed_in)


def check_answers(state: RunState, item: str, hit: str, there: Mapping[str, str]) -> AnswerCheck:
    """Compare the answers to an item.

    :param there: assignment id -> AssignmentStatus, as the workforce lists them.
    """
    check = AnswerCheck()
    known = [row["assignment"] for row in state.answers_of(item)]
    for assignment in sorted({*known, *there}):
        _check_answer(check, state, item, f"{place(item, hit)}, assignment {assignment}", assignment, there)
    return check


def place(item: str, hit: str) -> str:
    """Return where a difference is, in words."""
    return f"item {item!r}, HIT {hit}"


def _check_answer(
    check: AnswerCheck, state: RunState, item: str, where: str, assignment: str, there: Mapping[str, str]
) -> None:
    status = there.get(assignment)
    answer = state.answers.get(assignment)
    paid = assignment in state.payments
    if status is None:
        recorded = f"recorded, {'paid' if paid else 'not paid'}"
        fix = "ask who runs the workforce: its record has lost work"
        check.rows.append(Difference("answer unknown to the workforce", where, recorded, "unknown", fix))
    elif status == "Approved" and not paid and item not in state.outcomes:
        check.unrecorded += 1
    elif answer is None and item in state.outcomes:
        check.late |= status == "Submitted"
        check.rows.append(Difference("answer not in the ledger", where, "unknown", status, _TAKE))
    elif answer is not None:
        _check_review(check, state, answer, where, status)


def _check_review(
    check: AnswerCheck, state: RunState, answer: Mapping[str, Any], where: str, status: str
) -> None:
    """Compare what became of an answer that both sides have."""
    assignment = answer["assignment"]
    paid, rejected = assignment in state.payments, assignment in state.rejections
    if paid and status != "Approved":
        fix = _OVERRIDE if status == "Rejected" else _APPROVE
        check.rows.append(Difference("paid, but not approved", where, "paid", status, fix))
    elif status == "Approved" and not paid:
        check.late |= rejected  # somebody took the rejection back, which pays the worker
        says = "rejected" if rejected else "not paid"
        check.rows.append(Difference("approved, but no payment recorded", where, says, status, _TAKE))
    elif rejected and status == "Submitted":
        fix = "reject it at the workforce, or approve it there"
        check.rows.append(Difference("rejected, but not at the workforce", where, "rejected", status, fix))
    elif status == "Rejected" and not rejected and not _known_as_rejected(answer):
        fix = f"{_OVERRIDE}; then clear delete_hits and this task"
        check.rows.append(Difference("rejected behind the ledger's back", where, "not rejected", status, fix))
    elif status == "Submitted" and not rejected and _ended(state, answer):
        check.late = True
        check.rows.append(Difference("answer not paid", where, "recorded, not paid", status, _TAKE))


def _known_as_rejected(answer: Mapping[str, Any]) -> bool:
    return answer["label"] is None and "rejected outside" in str(answer.get("problem"))


def _ended(state: RunState, answer: Mapping[str, Any]) -> bool:
    """Return whether an answer should have been paid: asking has ended, and no review keeps it waiting."""
    return answer["item"] in state.outcomes and answer["assignment"] not in state.withheld


def check_bonuses(
    state: RunState,
    item: str,
    hit: str,
    there: Iterable[Mapping[str, Any]],
    elsewhere: Iterable[Mapping[str, Any]] = (),
) -> list[Difference]:
    """Compare the bonuses for work on a HIT.

    :param elsewhere: rows of bonuses that ledgers of compensations have.
    :param there: what ListBonusPayments gave, with ``AssignmentId``, ``WorkerId`` and ``cents``.
    """
    assignments = {row["assignment"] for row in state.answers_of(item)}
    ours = sorted(
        (row["assignment"], row["worker"], int(row["cents"]))
        for row in (*state.bonuses.values(), *elsewhere)
        if row["assignment"] in assignments
    )
    theirs = sorted((each["AssignmentId"], each["WorkerId"], int(each["cents"])) for each in there)
    rows = []
    for bonus in sorted({*ours, *theirs}):
        here, paid = ours.count(bonus), theirs.count(bonus)
        if here != paid:
            assignment, worker, cents = bonus
            where = f"{place(item, hit)}, assignment {assignment}, worker {worker}"
            fix = (
                "ask who runs the workforce: it has lost a payment"
                if here > paid
                else "somebody paid it outside this run, or twice: nothing can take it back"
            )
            rows.append(Difference("bonus", where, _times(here, cents), _times(paid, cents), fix))
    return rows


def _times(count: int, cents: int) -> str:
    return f"{count} of ${cents / 100:.2f}" if count else "none"
