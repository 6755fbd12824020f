"""One wave: fetch the answers of reviewable HITs, record, pay, and ask one more worker where it is needed."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from groundswell.answers.labels import label_of
from groundswell.answers.question_form import parse_answer
from groundswell.aws.exceptions import CREDENTIAL_CODES, error_code, turk_code, turk_message
from groundswell.aws.extending import Extender
from groundswell.aws.judging import Jury
from groundswell.aws.pages import LABEL_FIELD
from groundswell.aws.runs import LabelingRun, now_text
from groundswell.aws.withholding import Withholding
from groundswell.batches.planning import plan_spend
from groundswell.consolidation.stopping import Decision, StoppingRule, rule_from
from groundswell.errors import AnswerError
from groundswell.ledger import Outcome, RunState

log = logging.getLogger(__name__)

#: HITs dealt with between two writes to the ledger.
CHUNK = 50
#: No list of the workforce lags behind for as long as this.
LAG = timedelta(days=1)

Assignment = Mapping[str, Any]


@dataclass
class Wave:
    """
    The reviewable HITs that one pass deals with.

    Its answers are recorded and paid piece by piece; then all of its items are judged at once, by what is
    known by then about all workers.

    Every step may be repeated, also by a twin of the task at the same time: parts are named by content,
    approvals look at the status, extensions carry a token of (item, seat number) and a slot of the budget.

    :param run: the run.
    :param state: the folded ledger; kept up to date as the wave goes on.
    """

    run: LabelingRun
    state: RunState
    foreign: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        batch = self.run.batch
        self.rule: StoppingRule = rule_from(batch.redundancy.config)
        self.cost = plan_spend(batch, 1).answer_cents
        self.extender = Extender(self.run, self.state, self.cost)
        self.withholding = Withholding(self.run, self.state, self.rule)
        self._jury = Jury(self.run, self.state, self.rule)
        self._item_of = {row["hit"]: item for item, row in self.state.hits.items()}

    def take(self, reviewable: Iterable[str]) -> int:
        """
        Deal with these HITs; return how many of them brought something new.

        A HIT that is not in the run's ledger is never touched; its id is kept in ``foreign``.
        """
        return self._take(self._ours(reviewable))

    def take_items(self, items: Iterable[str]) -> int:
        """Deal with the HITs of these items, whether the workforce lists them as reviewable or not."""
        return self._take([item for item in items if not self.close_if_lost(item)])

    def take_late(self, item: str, *, hit: str | None = None) -> bool:
        """
        Record and pay what an item got, without deciding anything: also what waits for a review.

        :param hit: a HIT of the item that is not the ledger's: there should be one, and there are two.
        :return: whether all that is on record is dealt with.
        """
        fetched = {item: self.run.mturk.assignments(hit)} if hit else self._fetch([item])
        self._record(fetched)
        return item in self._pay(fetched)

    def _take(self, items: list[str]) -> int:
        seen: dict[str, int] = {}
        for chunk in _chunks(items):
            fetched = self._fetch(chunk)
            self._record(fetched)
            seen |= {item: len(fetched[item]) for item in self._pay(fetched, self.withholding.sift(fetched))}
        closed = seen.keys() & self.state.outcomes.keys()
        for item in closed:
            self.run.mturk.mark_reviewing(self.state.hits[item]["hit"])
        judged = self._conclude({item: count for item, count in seen.items() if item not in closed})
        return len(closed) + sum(map(len, judged))

    def reopen(self) -> int:
        """Ask again about items that were given up for want of money, as far as there is money now."""
        items = self.state.half_opened
        if waiting := self.state.out_of_money:
            items += waiting[: self.extender.room()]
        _, asked = self._conclude(
            {item: self.state.answered(item) for item in items if not self.close_if_lost(item)}
        )
        if asked:
            log.info("%d items that were given up for want of money are asked about again", len(asked))
        return len(asked)

    def _conclude(self, seen: Mapping[str, int]) -> tuple[list[str], list[str]]:
        """
        Judge items at once: close them, or ask one more worker; return those closed and those asked about.

        :param seen: item -> answers that its HIT has.
        """
        known = {item: self.extender.used(item) for item in seen}
        outcomes: dict[str, Outcome] = {}
        unsettled: list[str] = []
        for item, decision in self._decisions(seen).items():
            verdict = self._verdict(item, seen[item], decision)
            if isinstance(verdict, Outcome):
                outcomes[item] = verdict
            elif verdict is Decision.ASK:
                unsettled.append(item)
        self._close_judged(outcomes, known)
        for chunk in _chunks(unsettled):
            self.close(self.extender.ask({item: known[item] for item in chunk}))
        return list(outcomes), unsettled

    def judge(self, asked: Mapping[str, int]) -> dict[str, Decision]:
        """
        Return what the rule says about items, by their newest answers.

        :param asked: item -> seats that were paid or are open, without those of rejected answers.
        """
        return self._jury.judge(asked)

    def _decisions(self, seen: Mapping[str, int]) -> dict[str, Decision]:
        # A rejected answer keeps its seat of the HIT, but cost nothing: it is none of the rule's `most`
        decisions = self.judge(
            {
                item: max(self.state.seats[item], count) - self.state.rejected_of(item)
                for item, count in seen.items()
            }
        )
        # By what is known now the rule might say otherwise; but the seat may be open and taken
        return decisions | {item: Decision.ASK for item in seen if self.extender.is_meant(item)}

    def _close_judged(self, outcomes: Mapping[str, Outcome], known: Mapping[str, int]) -> None:
        """Close items, unless what is known about the workers makes a twin ask one more about them."""
        if not self.rule.needs_model:
            self.close(outcomes)  # twins that saw the same answers decide alike
            return
        for item in self.extender.close(outcomes, known):
            self.run.mturk.mark_reviewing(self.state.hits[item]["hit"])

    def _ours(self, reviewable: Iterable[str]) -> list[str]:
        items = []
        for hit in reviewable:
            item = self._item_of.get(hit)
            if item is None:
                self.foreign.add(hit)
            elif item in self.state.outcomes and self.state.answered(item) >= self.state.seats[item]:
                self.run.mturk.mark_reviewing(hit)  # its flag was lost with an earlier attempt
            else:  # also a closed one that somebody answered since: what they did is recorded and paid
                items.append(item)
        return items

    def close_if_lost(self, item: str) -> bool:
        """Close the item if its HIT is gone (by hand, disposed, lost with a backup); return whether it is."""
        if not self.run.mturk.is_gone(self.state.hits[item]["hit"]):
            return False
        log.error("HIT %s of item %r is gone from the workforce", self.state.hits[item]["hit"], item)
        self.add("outcomes", [{"item": item, "outcome": str(Outcome.LOST)}])
        return True

    def _fetch(self, items: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        return {item: self.run.mturk.assignments(self.state.hits[item]["hit"]) for item in items}

    def add(self, kind: str, rows: list[dict[str, Any]]) -> None:
        """Write a part, and take it into the state."""
        self.run.ledger.record(kind, rows, self.state)

    def _record(self, fetched: Mapping[str, list[dict[str, Any]]]) -> None:
        """Record every answer before anything is done about it. The record is also the intent to pay."""
        rows = [
            self.answer_row(item, assignment)
            for item, assignments in fetched.items()
            for assignment in assignments
            if assignment["AssignmentId"] not in self.state.answers
        ]
        self.add("answers", rows)

    def answer_row(self, item: str, assignment: Assignment) -> dict[str, Any]:
        """Return the ledger's row of an assignment: a label, or the problem of one that cannot be read."""
        label, problem = None, None
        try:
            label = self._label(assignment)
        except AnswerError as error:
            problem = str(error)
            log.warning("quarantined assignment %s of %r: %s", assignment["AssignmentId"], item, problem)
        row = {
            "assignment": assignment["AssignmentId"],
            "item": item,
            "worker": assignment["WorkerId"],
            "accepted": _utc(assignment["AcceptTime"]),
            "submitted": _utc(assignment["SubmitTime"]),
            "label": label,
            "problem": problem,
            "answer": assignment["Answer"],
        }
        hit = assignment.get("HITId")
        # Who counts a HIT's answers must be able to tell them from those of a second HIT of the item
        return row | ({"hit": hit} if hit and hit != self.state.hits[item]["hit"] else {})

    def _label(self, assignment: Assignment) -> str:
        if assignment["AssignmentStatus"] == "Rejected":
            raise AnswerError("was rejected outside this run, so it does not count")
        return label_of(parse_answer(assignment["Answer"]), LABEL_FIELD, self.run.batch.task.labels)

    def _pay(self, fetched: Mapping[str, list[dict[str, Any]]], withheld: Collection[str] = ()) -> list[str]:
        """
        Approve what is submitted; record as paid what is approved, by us or by an earlier attempt.

        :param withheld: assignments that wait for a review.

        Returns the items whose answers are all dealt with. An answer that cannot be approved now (it is not
        visible yet, say) must not keep the other workers waiting: its item is left for the next wave.
        """
        rows: list[dict[str, Any]] = []
        done: list[str] = []
        try:
            for item, assignments in fetched.items():
                try:
                    owed = [each for each in assignments if each["AssignmentId"] not in withheld]
                    rows.extend(filter(None, [self.payment_row(item, each) for each in owed]))
                    if self._lists_all(item, assignments):
                        done.append(item)
                except ClientError as error:
                    if error_code(error) in CREDENTIAL_CODES or turk_code(error) == "InsufficientFunds":
                        raise
                    log.warning("item %r waits: an answer cannot be paid: %s", item, turk_message(error))
        finally:
            self.add("payments", rows)
        return done

    def _lists_all(self, item: str, assignments: Iterable[Assignment]) -> bool:
        """
        Return whether no answer is missing that an earlier attempt recorded and may not have paid.

        The list can lag behind; closed now, the item would never be looked at again.
        """
        listed = {each["AssignmentId"] for each in assignments}
        unlisted = [row["submitted"] for row in self.state.unpaid(item) if row["assignment"] not in listed]
        if not unlisted or datetime.fromisoformat(max(unlisted)) < self.run.mturk.now() - LAG:
            return True
        log.warning("item %r waits: the list of its answers lags behind", item)
        return False

    def payment_row(self, item: str, assignment: Assignment) -> dict[str, Any] | None:
        """Approve an assignment that waits for it; return the payment's row unless it is recorded."""
        identifier, status = assignment["AssignmentId"], assignment["AssignmentStatus"]
        if status == "Submitted":
            self.run.mturk.approve(identifier)
        elif status != "Approved":
            return None  # rejected by somebody else: nothing was paid
        if identifier in self.state.payments:
            return None
        return {"assignment": identifier, "item": item, "cents": self.cost, "at": paid_at(assignment)}

    def _verdict(self, item: str, seen: int, decision: Decision) -> Outcome | Decision | None:
        """Return the item's outcome, ASK where one more worker is wanted, None where to look again later."""
        settled = decision is Decision.SETTLED
        seen = max(seen, self.state.answered(item))  # what is recorded was seen once, even if it is lost now
        if seen < self.state.seats[item]:
            # Also where the answers agree already: somebody may be at work on the last one
            over = self._is_over(item, seen)
            return (Outcome.SETTLED if settled else Outcome.EXPIRED) if over else None
        if settled:
            return Outcome.SETTLED
        return Outcome.GAVE_UP if decision is Decision.GIVE_UP else Decision.ASK

    def _is_over(self, item: str, seen: int) -> bool:
        """Judge a HIT with seats unfilled: is its lifetime over, or does the list of answers lag behind?"""
        hit = self.run.mturk.get_hit(self.state.hits[item]["hit"])
        free = hit["NumberOfAssignmentsAvailable"]
        submitted = hit["MaxAssignments"] - free - hit["NumberOfAssignmentsPending"]
        # Reviewable with free seats is how the service says "expired"; no clock of ours is asked
        over = hit["HITStatus"] in {"Reviewable", "Reviewing"} and free > 0
        return bool(over and seen >= submitted)

    def close(self, outcomes: Mapping[str, Outcome]) -> None:
        """Record outcomes, then flag the HITs, so that the list of reviewable HITs holds only new work."""
        self.add("outcomes", [self.state.closing(item, value) for item, value in outcomes.items()])
        for item in outcomes:
            self.run.mturk.mark_reviewing(self.state.hits[item]["hit"])


def _chunks(items: Sequence[str]) -> Iterator[Sequence[str]]:
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))


def paid_at(assignment: Assignment) -> str:
    """Return when an assignment was paid: long ago, maybe, where nobody was there to record it."""
    approved = assignment.get("ApprovalTime")
    return _utc(approved) if approved and assignment["AssignmentStatus"] == "Approved" else now_text()


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
