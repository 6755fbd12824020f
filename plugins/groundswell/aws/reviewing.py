"""The review at the end of a run: what may be rejected, what a person said, and doing exactly that."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowException
from botocore.exceptions import ClientError

from groundswell.aws.collecting import Wave, paid_at
from groundswell.aws.exceptions import CREDENTIAL_CODES, error_code, turk_code, turk_message
from groundswell.aws.runs import LabelingRun, now_text
from groundswell.aws.withholding import REVIEWED
from groundswell.batches.reviewing import Review
from groundswell.consolidation.stopping import Decision, rule_from
from groundswell.errors import ReviewError
from groundswell.ledger import Outcome, RunState, request_token
from groundswell.review import Proposals, propose
from groundswell.review.proposals import waiting, within_caps
from groundswell.review.wording import describe

log = logging.getLogger(__name__)

#: The latest proposals, for people. Those that a person was shown are kept besides, see :func:`_shown`.
DOCUMENT = "review.json"
#: Before the workforce approves by itself, the decision must be carried out.
MARGIN = timedelta(hours=1)

Row = Mapping[str, Any]


def propose_rejections(run: LabelingRun) -> dict[str, Any]:
    """
    Write down which withheld answers a person may want to reject, and why; reject nothing.

    Returns ``approval`` (whether to ask), ``text`` (Markdown), ``workers`` (``worker`` and the number of
    ``answers`` to reject, the most evident first), ``at`` and ``answer_by`` (ISO 8601, UTC), and the
    document's ``uri``.
    """
    review, state = run.batch.review, run.ledger.fold()
    if review is None:
        return _no_question("the batch file has no section review: every answer was paid at once")
    found = propose(state, review, rule_from(run.batch.redundancy.config))
    answer_by = _answer_by(run, review, state)
    text = describe(found)
    document = run.context() | {"text": text, **_document(found)}
    # A twin, or a second look in the same second, must not change what was shown
    at = datetime.now(UTC).isoformat(timespec="microseconds")
    run.ledger.put_document(_shown(at), document)
    uri = run.ledger.put_document(DOCUMENT, document)
    log.info("%s\nall proposals: %s", text, uri)
    if not found.workers:
        return _no_question(text) | {"uri": uri}
    if answer_by is None:
        return _no_question(f"{text}\n\nThere is no time left to ask: everybody is paid.") | {"uri": uri}
    return {
        "approval": True,
        "text": f"{text}\n\nWithout an answer by {answer_by} everybody is paid.",
        "workers": [{"worker": each.worker, "answers": len(each.answers)} for each in found.workers],
        "at": at,
        "answer_by": answer_by,
        "uri": uri,
    }


def _shown(at: str) -> str:
    """Return the name of the document with what a person is asked at a time, whatever is asked later."""
    return f"review-{at.replace(':', '')}.json"


def _no_question(text: str) -> dict[str, Any]:
    return {"approval": False, "text": text, "workers": [], "at": None, "answer_by": None, "uri": None}


def _document(found: Proposals) -> dict[str, Any]:
    return {
        "waiting": found.waiting,
        "cut": found.cut,
        "workers": [
            asdict(each) | {"assignments": [answer.assignment for answer in each.answers]}
            for each in found.workers
        ],
    }


def _answer_by(run: LabelingRun, review: Review, state: RunState) -> str | None:
    """Return until when a person may answer: well before the workforce approves; None if that is over."""
    held = [datetime.fromisoformat(row["submitted"]) for row in waiting(state)]
    if not held:
        return None
    delay = run.batch.task.auto_approval
    left = min(held) + delay - min(MARGIN, delay / 10) - run.mturk.now()
    if left <= timedelta(minutes=1):
        return None
    return (datetime.now(UTC) + min(left, review.answer_within)).isoformat(timespec="seconds")


def record_decision(
    run: LabelingRun, workers: Sequence[str], *, by: str | None, at: str, proposed_at: str | None = None
) -> None:
    """
    Record in the ledger what a person said about the proposals; without it nothing is rejected.

    :param workers: whose proposed answers are to be rejected.
    :param by: the person; None where nobody answered in time.
    :param at: when (ISO 8601, UTC).
    :param proposed_at: the proposals' ``at``.
    """
    text = f"reject the proposed answers of {', '.join(workers)}" if workers else "pay everybody"
    row: dict[str, Any] = {"what": "rejections", "at": at, "limit_cents": None}
    row["by"] = by or "nobody answered in time"
    row |= {"text": text, "workers": list(workers), "proposed_at": proposed_at, "person": by}
    run.ledger.append("approvals", [row])


def decision_on(run: LabelingRun, proposals: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return ``workers`` and ``by`` of the decision that was made on these very proposals, or None."""
    for row in run.ledger.fold("approvals").approvals:
        if row["what"] == "rejections" and row.get("proposed_at") == proposals["at"]:
            return {"workers": list(row["workers"]), "by": row["person"]}
    return None


def apply_reviews(run: LabelingRun, chosen_workers: Sequence[str], by: str | None) -> dict[str, int]:
    """
    Reject what a person decided to reject, within the caps; pay every other answer that waits; ask again.

    It may be killed and repeated at any point, and run twice at once. Each rejected seat is opened again by
    one extension; its item is open until somebody has answered.

    :param chosen_workers: as :func:`record_decision` recorded them.
    :param by: the person who decided.
    :raises ReviewError: where nobody approved the rejection of a worker's answers.
    """
    if run.batch.review is None:
        return {}
    state = run.ledger.fold()
    _end_withholding(run, state)
    approved = {
        worker for row in state.approvals if row["what"] == "rejections" for worker in row.get("workers", ())
    }
    if missing := sorted(set(chosen_workers) - (approved if by else set())):
        raise ReviewError(
            f"run {run.run_id}: nobody approved rejecting answers of {', '.join(missing)}; "
            "answer the approval task, then clear this one"
        )
    return _Applied(run, run.batch.review, state, by).carry_out(chosen_workers)


def _end_withholding(run: LabelingRun, state: RunState) -> None:
    """From here on answers are paid at once: nobody would look at them any more."""
    if not any(row["what"] == REVIEWED for row in state.approvals):
        row = {"what": REVIEWED, "at": now_text(), "by": "automatic", "limit_cents": None}
        run.ledger.record(
            "approvals", [row | {"text": "the review is over: answers are paid at once"}], state
        )


class _Applied:
    """A decision while it is carried out."""

    def __init__(self, run: LabelingRun, review: Review, state: RunState, by: str | None) -> None:
        self.run = run
        self.review = review
        self.state = state
        self.by = by
        self.wave = Wave(run, state)
        self.unpaid: list[str] = []

    def carry_out(self, chosen: Sequence[str]) -> dict[str, int]:
        proposed = self._proposed(chosen)
        gone = self._catch_up()
        meanwhile = sum(assignment in self.state.payments for assignment in proposed)
        held = {row["assignment"]: row for row in waiting(self.state) if row["item"] not in gone}
        wanted = [held[assignment] for assignment in proposed if assignment in held]
        kept, spared = within_caps(self.state, self.review, wanted)
        if spared:
            log.warning("%d answers are paid: the caps of the batch allow no more rejections", len(spared))
        doomed = {row["assignment"] for row in kept}
        for assignment, row in held.items():
            if assignment not in doomed:
                self._pay(row)
        meanwhile += sum(not self._reject(row) for row in kept)
        closed = self._reopen()
        if self.unpaid:
            raise AirflowException(f"{len(self.unpaid)} answers cannot be paid yet: {self.unpaid[0]}")
        counts = {
            "paid": sum(assignment in self.state.payments for assignment in self.state.withheld),
            "rejected": len(self.state.rejections),
            "approved_meanwhile": meanwhile,
            "spared": len(spared),
            "not_reopened": closed,
        }
        log.info("review carried out: %s", counts)
        return counts

    def _proposed(self, chosen: Collection[str]) -> list[str]:
        """Return the assignments that the person saw and chose, the most evident first."""
        document = self._document(chosen) or {"workers": []}
        shown = {each["worker"]: each["assignments"] for each in document["workers"]}
        return [assignment for worker in shown if worker in chosen for assignment in shown[worker]]

    def _document(self, chosen: Collection[str]) -> dict[str, Any] | None:
        """Return the proposals that the decision was about: they may have been made anew since."""
        for row in reversed(self.state.approvals):
            if row["what"] == "rejections" and set(row.get("workers", ())) == set(chosen):
                shown = self.run.ledger.get_document(_shown(row.get("proposed_at") or ""))
                return shown or self.run.ledger.get_document(DOCUMENT)
        return self.run.ledger.get_document(DOCUMENT)

    def _catch_up(self) -> set[str]:
        """
        Record what the workforce knows and the ledger does not: an earlier attempt's work, or its own.

        Returns the items whose HIT is gone: their answers can be neither paid nor rejected.
        """
        gone = set()
        for item in sorted({row["item"] for row in waiting(self.state)}):
            assignments = self._assignments(item)
            if assignments is None:
                gone.add(item)
            for each in assignments or ():
                answer = self.state.answers.get(each["AssignmentId"])
                if answer is None or answer["assignment"] not in self.state.withheld:
                    continue
                if each["AssignmentStatus"] == "Approved":
                    self._record_payment(answer, paid_at(each))
                elif each["AssignmentStatus"] == "Rejected":
                    self._record_rejection(answer)
        return gone

    def _assignments(self, item: str) -> list[dict[str, Any]] | None:
        try:
            return self.run.mturk.assignments(self.state.hits[item]["hit"])
        except ClientError as error:
            if "does not exist" not in turk_message(error):
                raise
            log.error("HIT %s of item %r is gone from the workforce", self.state.hits[item]["hit"], item)
            return None

    def _pay(self, row: Row) -> None:
        try:
            self.run.mturk.approve(row["assignment"])
        except ClientError as error:
            if error_code(error) in CREDENTIAL_CODES or turk_code(error) == "InsufficientFunds":
                raise
            self.unpaid.append(f"assignment {row['assignment']}: {turk_message(error)}")
        else:
            self._record_payment(row)

    def _reject(self, row: Row) -> bool:
        """Reject one answer; return False where it is approved, by a person or by the time that passed."""
        assignment, batch = row["assignment"], self.run.batch.name
        token = request_token(batch, self.run.run_id, assignment, "reject", 0)
        if token not in self.state.intents:
            intent = {"token": token, "purpose": "reject", "item": row["item"], "assignment": assignment}
            self.wave.add("intents", [intent | {"at": now_text()}])
        if self.run.mturk.reject(assignment, self.review.feedback) == "approved":
            log.warning("assignment %s was approved meanwhile and stays paid", assignment)
            self._record_payment(row)
            return False
        self._record_rejection(row)
        return True

    def _record_payment(self, row: Row, at: str = "") -> None:
        if row["assignment"] not in self.state.payments:
            kept = {key: row[key] for key in ("assignment", "item")}
            self.wave.add("payments", [kept | {"cents": self.wave.cost, "at": at or now_text()}])

    def _record_rejection(self, row: Row) -> None:
        if row["assignment"] not in self.state.rejections:
            kept = {key: row[key] for key in ("assignment", "item", "worker")}
            said = {"feedback": self.review.feedback, "by": self.by, "at": now_text()}
            self.wave.add("rejections", [kept | said])

    def _reopen(self) -> int:
        """Open the seat of every rejected answer again; close the items for which that cannot be done."""
        rows = [
            row
            for _, row in sorted(self.state.rejections.items())
            if row["item"] not in self.state.deleted
            and self.state.outcomes.get(row["item"]) is not Outcome.LOST
            and not self._is_reopened(row)
            # Deleted, maybe, by a clean-up that died before it could say so
            and not self.wave.close_if_lost(row["item"])
        ]
        refused = self.wave.extender.replace(rows)
        outcomes: dict[str, Outcome] = {}
        for row in rows:
            item = row["item"]
            if row["assignment"] in refused and item not in self.state.outcomes and self._is_full(item):
                outcomes[item] = self._without(item, refused[row["assignment"]])
                log.warning("item %r: the seat of rejected answer %s stays closed", item, row["assignment"])
        self.wave.close(outcomes)
        return len(refused)

    def _is_reopened(self, row: Row) -> bool:
        plan = self.state.replacements.get(row["assignment"])
        return plan is not None and int(plan["seats"]) <= self.state.seats[row["item"]]

    def _is_full(self, item: str) -> bool:
        return self.state.seats[item] <= len(self.state.answers_of(item))

    def _without(self, item: str, refused: Outcome) -> Outcome:
        """Return how an item ends that gets no further answer: settled by what is left, or as refused."""
        decision = self.wave.judge({item: len(self.state.counted(item))})[item]
        return Outcome.SETTLED if decision is Decision.SETTLED else refused
