"""Paying a worker outside the usual way: a bonus, a make-up HIT, or a rejection taken back.

A case has a ledger of its own beside those of the batch's runs, ``_compensations/<batch>/<case>/``. Its first
part fixes what is paid to whom and how; whoever comes later under the same case id does just that, or
nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from groundswell.aws import make_up
from groundswell.aws.exceptions import clear_errors
from groundswell.aws.runs import COMPENSATIONS, LabelingRun, all_cases, all_runs, now_text, open_run
from groundswell.batches.model import find_batch
from groundswell.batches.planning import plan_spend
from groundswell.batches.pricing import bonus_fee_cents, fee_cents
from groundswell.batches.units import dollars
from groundswell.errors import CompensationError
from groundswell.ledger import Ledger, request_token
from groundswell.review.cases import REASON_LIMIT, Case, read_case
from groundswell.review.wording import as_code

log = logging.getLogger(__name__)

BONUS, MAKE_UP, UNDO = "bonus", "make_up", "undo_rejection"
#: The name of the part that fixes a case.
FIXED = "case"
#: The service takes a rejection back within this time of the submission.
OVERRIDE_TIME = timedelta(days=30)
#: It may refuse a bonus to a worker who has done nothing for the account for six months.
BONUS_TIME = timedelta(days=180)

Row = Mapping[str, Any]

_PENDING = "Approved for this worker before, and not paid yet"
#: What is paid by it is in the ledger of the run.
_UNBOOKED = {UNDO: "A rejection was taken back for this worker"}


@contextmanager
def opened(batches: Path, params: Mapping[str, Any]) -> Iterator[Compensation]:
    """
    Open the case that the parameters of a DAG run describe.

    :param batches: the folder of the batch files.
    :param params: the parameters; see :func:`~groundswell.review.cases.read_case`.
    :raises AirflowFailException: with one message, where they are wrong or the batch is unknown.
    """
    with clear_errors(connection="mturk_default"):
        case = read_case(params)
        path = find_batch(batches, case.batch)
    with open_run(str(path), f"{COMPENSATIONS}/{case.case}", "mturk") as run:
        yield Compensation(run, case)


def approver(answer: Any) -> str | None:
    """Return who approved, by what an approval task returned; None where nobody did."""
    if not answer or "Approve" not in answer.get("chosen_options", ()):
        return None  # the task was marked as a success by hand, say
    user = answer.get("responded_by_user") or {}
    return str(user.get("name") or user.get("id") or "a person whom Airflow does not name")


@dataclass(frozen=True)
class Compensation:
    """
    One case of a batch.

    :param run: any run of the batch, for its store and its workforce.
    :param case: what a person asked for.
    """

    run: LabelingRun
    case: Case

    @cached_property
    def ledger(self) -> Ledger:
        """The record of the case."""
        return Ledger(self.run.store, COMPENSATIONS, f"{self.case.batch}/{self.case.case}")

    def plan(self) -> dict[str, Any]:
        """
        Return what would be paid, how, and ``text`` for the person who approves it; pay nothing.

        ``done`` says that the case was paid before.

        :raises CompensationError: where it cannot be done as asked.
        """
        fixed = self._fixed()
        plan = dict(fixed) if fixed else self._choose()
        plan["done"] = self._is_paid(plan)
        plan["text"] = self._text(plan)
        log.info(plan["text"])
        return plan

    def pay(self, plan: Row, by: str | None) -> dict[str, Any]:
        """
        Pay what was approved, once, however often it is called; return ``mode``, ``hit`` and ``hit_type``.

        The two are those of a make-up HIT, which :meth:`settle` pays once the worker has taken it.

        :param plan: as :meth:`plan` returned it.
        :param by: the person who approved it.
        :raises CompensationError: where nobody approved it, or the case was fixed otherwise meanwhile.
        """
        if not by:
            raise CompensationError(f"case {self.case.case}: nobody approved it; answer the approval task")
        fixed = self._fix(plan)
        total = int(fixed["cents"]) + int(fixed["fee_cents"])
        state = self.ledger.fold()
        if not any(row["by"] == by for row in state.approvals):
            row = {"what": "compensation", "at": now_text(), "by": by, "limit_cents": total}
            self.ledger.record("approvals", [row | {"text": str(plan["text"])}], state)
        if fixed["mode"] == MAKE_UP:
            offer = make_up.offer(self.run, self.ledger, self.case, fixed)
            return {"mode": MAKE_UP, "hit": offer["hit"], "hit_type": offer["hit_type"]}
        if not self._is_paid(fixed):
            self._take_back(fixed) if fixed["mode"] == UNDO else self._send_bonus(fixed)
        return {"mode": fixed["mode"], "hit": "", "hit_type": ""}

    def settle(self) -> dict[str, Any]:
        """Pay a make-up HIT that the worker took, and take it away; return what was paid, in cents."""
        fixed = self._fixed()
        if fixed is None or fixed["mode"] != MAKE_UP:
            return {"paid_cents": 0}
        return make_up.settle(self.run, self.ledger, self.case, fixed)

    # deciding

    def _fixed(self) -> dict[str, Any] | None:
        """Return how the case was fixed. Raises CompensationError where it is not the case asked for now."""
        for row in self.ledger.rows("intents"):
            if "mode" in row[1]:
                self._check_same(row[1])
                return row[1]
        return None

    def _check_same(self, fixed: Row) -> None:
        case = self.case
        asked = {"worker": case.worker, "reason": case.reason, "asked_cents": case.cents}
        if case.assignment:
            asked["assignment"] = case.assignment
        if any(fixed[name] != value for name, value in asked.items()):
            raise CompensationError(
                f"case {case.case} of batch {case.batch!r} was begun for worker {fixed['worker']}, "
                f"{dollars(fixed['asked_cents'])}, {fixed['reason']!r}; to go on with it ask for the same, "
                "for another payment choose another case id"
            )

    def _fix(self, plan: Row) -> dict[str, Any]:
        """Fix the case, unless that was done; whoever is second takes what the first one fixed."""
        names = ("mode", "worker", "reason", "asked_cents", "cents", "fee_cents", "assignment", "run_id")
        token = self._token(str(plan["mode"]))
        row = {name: plan[name] for name in names} | {"token": token, "purpose": plan["mode"]}
        self.ledger.write("intents", FIXED, [row | {"item": self.case.worker, "at": now_text()}])
        fixed = self._fixed()
        if fixed is None or any(fixed[name] != plan[name] for name in ("mode", "cents", "assignment")):
            raise CompensationError(f"case {self.case.case} was begun otherwise meanwhile; trigger it again")
        return fixed

    def _token(self, purpose: str) -> str:
        return request_token(COMPENSATIONS, self.ledger.run_id, self.case.worker, purpose, 0)

    def _choose(self) -> dict[str, Any]:
        case = self.case
        found = self._find()
        if case.undo:
            return self._choose_undo(found)
        there = None if found is None else self._there(found)
        if there is not None and self._may_get_bonus(there):
            planned = self._planned(BONUS, case.cents, bonus_fee_cents(case.cents), found)
            return planned | {"status": there["AssignmentStatus"]}
        if case.assignment and there is None:
            raise CompensationError(
                f"assignment {case.assignment} of worker {case.worker} is unknown to the workforce; correct "
                "it, or leave it empty"
            )
        named = found if case.assignment else None  # fixed with the case, which may be triggered again
        return self._planned(MAKE_UP, case.cents, fee_cents(case.cents, 1), named)

    def _choose_undo(self, found: Row | None) -> dict[str, Any]:
        assignment = self.case.assignment
        there = self.run.mturk.assignment(assignment)
        if not (found and "run_id" in found) or there is None or there["WorkerId"] != self.case.worker:
            raise CompensationError(
                f"assignment {assignment} is none that worker {self.case.worker} did in a run of batch "
                f"{self.case.batch!r}; correct it"
            )
        batch = self.run.sibling(str(found["run_id"])).batch
        reward, fee = batch.task.reward_cents, plan_spend(batch, 1).fee_cents
        status = there["AssignmentStatus"]
        if status != "Rejected":
            raise CompensationError(f"assignment {assignment} is {status}, not Rejected: nothing to undo")
        if self._is_too_late(there):
            # The worker gets the money at least
            if self._may_get_bonus(there):
                return self._planned(BONUS, reward, bonus_fee_cents(reward), found)
            return self._planned(MAKE_UP, reward, fee_cents(reward, 1), found)
        return self._planned(UNDO, reward, fee, found)

    def _is_too_late(self, there: Row) -> bool:
        """Return whether the service takes the rejection of an assignment back no more."""
        late: bool = there["SubmitTime"] + OVERRIDE_TIME < datetime.now(UTC)
        return late or self.run.mturk.is_gone(there["HITId"])

    def _planned(self, mode: str, cents: int, fee: int, found: Row | None) -> dict[str, Any]:
        return {
            "mode": mode,
            "worker": self.case.worker,
            "reason": self.case.reason,
            "asked_cents": self.case.cents,
            "cents": cents,
            "fee_cents": fee,
            "assignment": found["assignment"] if found else "",
            "run_id": found.get("run_id", "") if found else "",
        }

    def _find(self) -> dict[str, Any] | None:
        """Return the assignment that was named, or else the worker's latest in any run of the batch."""
        found = self._latest(self.case.assignment)
        if found is None and self.case.assignment:
            return {"assignment": self.case.assignment}  # of no run that is recorded; the workforce may know
        return found

    def _latest(self, assignment: str) -> dict[str, Any] | None:
        """Return the worker's latest answer in any run of the batch, or the one that is this assignment."""
        latest: dict[str, Any] | None = None
        for run_id in all_runs(self.run.store, self.case.batch):
            state = Ledger(self.run.store, self.case.batch, run_id).fold("answers")
            for row in state.answers.values():
                if row["worker"] != self.case.worker:
                    continue
                if assignment and row["assignment"] != assignment:
                    continue
                if latest is None or row["submitted"] > latest["submitted"]:
                    latest = row | {"run_id": run_id}
        return latest

    def _there(self, found: Row) -> dict[str, Any] | None:
        """Return an assignment as the workforce has it; None where it is not there, or another worker's."""
        there = self.run.mturk.assignment(str(found["assignment"]))
        return there if there is not None and there["WorkerId"] == self.case.worker else None

    def _may_get_bonus(self, there: Row) -> bool:
        """Return whether the worker has worked lately enough for a bonus: on this assignment, or a later."""
        since = datetime.now(UTC) - BONUS_TIME
        if there["SubmitTime"] > since:
            return True
        latest = self._latest("")
        return latest is not None and datetime.fromisoformat(latest["submitted"]) > since

    # telling

    def _text(self, plan: Row) -> str:
        case, cents, fee = self.case, int(plan["cents"]), int(plan["fee_cents"])
        how = {
            BONUS: f"a bonus on assignment {as_code(str(plan['assignment']))}",
            MAKE_UP: "a make-up HIT that only this worker can take: no assignment of the worker is known, or "
            "none of the last 180 days, for which bonuses are sure",
            UNDO: f"approving assignment {as_code(str(plan['assignment']))}, which was rejected",
        }[str(plan["mode"])]
        lines = [
            f"Pay worker {as_code(case.worker)} {dollars(cents)} and {dollars(fee)} fee = "
            f"**{dollars(cents + fee)}** by {how}.",
            f"- Batch {as_code(case.batch)}, case {as_code(case.case)}",
            f"- The worker reads: {as_code(case.reason, most=REASON_LIMIT)}",
            f"- Balance before: {dollars(self.run.mturk.available_cents())}",
            *self._earlier(),
        ]
        if case.undo and plan["mode"] != UNDO:
            lines.append(
                "- The rejection itself stays: its HIT is deleted, or more than 30 days have passed. "
                f"The worker gets the reward as a {'bonus' if plan['mode'] == BONUS else 'make-up HIT'}."
            )
        if plan.get("status") == "Submitted":
            lines.append(
                "- **The assignment waits to be paid**: its reward comes by itself, when the run's tasks or "
                "the workforce approve it. This is paid besides."
            )
        if plan["done"]:
            lines.insert(0, f"Case {as_code(case.case)} was paid before: nothing is paid again.\n")
        return "\n".join(lines)

    def _earlier(self) -> list[str]:
        """Say what the worker got, or is to get, under any case of the batch."""
        lines = []
        for name in all_cases(self.run.store):
            batch, _, case = name.partition("/")
            if batch != self.case.batch:
                continue
            ledger = Ledger(self.run.store, COMPENSATIONS, name)
            fixed = next((row for _, row in ledger.rows("intents") if "mode" in row), None)
            if fixed is None or fixed["worker"] != self.case.worker:
                continue
            cents = ledger.fold("bonuses", "payments").spent_cents
            if not cents and case == self.case.case:
                continue
            how = "Paid to this worker before" if cents else _UNBOOKED.get(fixed["mode"], _PENDING)
            total = cents or int(fixed["cents"]) + int(fixed["fee_cents"])
            lines.append(f"- {how}: {dollars(total)}, case {as_code(case)}")
        return lines or ["- Nothing was approved for this worker before under any case of the batch"]

    # paying

    def _is_paid(self, fixed: Row) -> bool:
        state = self.ledger.fold("bonuses", "payments")
        if fixed["mode"] == UNDO and not state.bonuses:
            state = Ledger(self.run.store, self.case.batch, str(fixed["run_id"])).fold("payments")
            return fixed["assignment"] in state.payments
        return bool(state.bonuses or state.payments)

    def _send_bonus(self, fixed: Row) -> None:
        mturk, case = self.run.mturk, self.case
        cents, assignment = int(fixed["cents"]), str(fixed["assignment"])
        # An earlier attempt may have paid it, longer ago than the service remembers the token
        sent = [
            bonus
            for bonus in mturk.bonuses(assignment_id=assignment)
            if bonus["WorkerId"] == case.worker and bonus["Reason"] == case.message
        ]
        if not sent:
            mturk.send_bonus(
                token=self._token(BONUS),
                worker_id=case.worker,
                assignment_id=assignment,
                cents=cents,
                reason=case.message,
            )
        row: dict[str, Any] = {"token": self._token(BONUS), "assignment": assignment, "item": None}
        row |= {"worker": case.worker, "cents": cents, "fee_cents": int(fixed["fee_cents"])}
        self.ledger.append("bonuses", [row | {"reason": case.message, "at": now_text()}])

    def _take_back(self, fixed: Row) -> None:
        """Approve the rejected assignment; the payment belongs to the run whose answer it is."""
        assignment = str(fixed["assignment"])
        there = self.run.mturk.assignment(assignment)
        if there is not None and there["AssignmentStatus"] == "Rejected" and self._is_too_late(there):
            # A person took some time to approve it: the worker gets the money at least
            log.warning("assignment %s stays rejected by now; its reward is sent as a bonus", assignment)
            self._send_bonus({**fixed, "fee_cents": bonus_fee_cents(int(fixed["cents"]))})
            return
        self.run.mturk.override(assignment, self.case.message)
        ledger = Ledger(self.run.store, self.case.batch, str(fixed["run_id"]))
        state = ledger.fold("answers", "payments")
        if assignment not in state.payments:
            cents = int(fixed["cents"]) + int(fixed["fee_cents"])
            row = {"assignment": assignment, "item": state.answers[assignment]["item"], "cents": cents}
            ledger.append("payments", [row | {"at": now_text()}])
