"""The ledger of a run against the workforce: what one of them has and the other has not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

from groundswell.aws.deployment import is_ours
from groundswell.aws.funds import compare_funds
from groundswell.aws.runs import COMPENSATIONS, LabelingRun, all_cases
from groundswell.batches.planning import plan_spend
from groundswell.batches.units import to_cents
from groundswell.ledger import Ledger, Outcome, RunState, annotation, request_token
from groundswell.ledger.comparing import (
    Difference,
    as_table,
    check_answers,
    check_bonuses,
    needs_a_look,
    place,
)
from groundswell.ledger.tokens import marked_item

__all__ = ["Difference", "Reconciliation", "reconcile"]

#: Seconds until a difference is looked at again, and once more: lists lag behind what was done.
SETTLE = (3.0, 15.0)
_PAID_OUTSIDE = "expire and delete it at the workforce, and pay what was answered"


@dataclass
class Reconciliation:
    """What a comparison found.

    Attributes:
        rows: the differences; none where ledger and workforce agree.
        notes: what could not be compared, or is no difference but worth knowing.
        late: items with answers that came after the asking about them had ended, and wait to be taken.
        hits: HITs of the run that the workforce has, and that were compared.
    """

    rows: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    hits: int = 0

    def document(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self) | {"reconciled": not self.rows}

    def table(self) -> str:
        """Return the differences as aligned plain text."""
        return as_table(self.rows)


def reconcile(run: LabelingRun, *, pause: Callable[[float], None] = time.sleep) -> Reconciliation:
    """
    Compare the ledger of a run with the workforce: HITs, answers, bonuses, and the account's money.

    It changes nothing. ListHITs gives the counts of 100 HITs a call; the answers to an item are listed only
    where the counts leave doubt, where something was rejected, or where the money does not add up. A
    difference is reported where several looks, some seconds apart, all find it.
    """
    found = _Look(run).compare()
    for seconds in SETTLE:
        if not found.rows:
            break
        pause(seconds)
        before = {(row.what, row.where) for row in found.rows}
        found = _Look(run).compare()
        found.rows = [row for row in found.rows if (row.what, row.where) in before]
    return found


class _Look:
    """One comparison of the ledger and the workforce as they are now."""

    def __init__(self, run: LabelingRun) -> None:
        self.run = run
        self.state: RunState = run.ledger.fold()
        self.found = Reconciliation()
        self.unrecorded = 0
        self.holds = False
        self._looked_at: set[str] = set()
        self._rewards_seen: set[str] = set()

    def compare(self) -> Reconciliation:
        """Return what differs now."""
        if not self.state.hits and not self.state.intents:
            self.found.notes.append("the run has published nothing")
            return self.found
        there = self._hits_there()
        self.found.hits = len(there)
        for item, hit in there.items():
            self._compare_seats(item, hit)
            self._compare_counts(item, hit)
        cost = plan_spend(self.run.batch, 1).answer_cents
        funds = compare_funds(self.run, self.state, unrecorded_cents=self.unrecorded * cost, holds=self.holds)
        if funds.difference is not None:
            # Counts may agree by chance where the money does not: look at every answer and bonus
            for item, hit in there.items():
                self._compare_answers(item, hit["HITId"])
                self._compare_bonuses(item, hit["HITId"])
            self.found.rows.append(funds.difference)
        self.found.notes += funds.notes
        return self.found

    def _hits_there(self) -> dict[str, dict[str, Any]]:
        """Return item -> HIT as the workforce has it; HITs that are on one side only become rows."""
        items = {row["hit"]: item for item, row in self.state.hits.items()}
        there: dict[str, dict[str, Any]] = {}
        for hit in self.run.mturk.hits():
            if hit["HITId"] in items:
                there[items[hit["HITId"]]] = hit
            else:
                self._foreign(hit)
        for item in self.state.hits:
            if item not in there and (found := self._unlisted(item)):
                there[item] = found
        return there

    def _foreign(self, hit: Mapping[str, Any]) -> None:
        """Judge a HIT that is not the ledger's: one of another batch, or one that should not be."""
        mark, run = hit.get("RequesterAnnotation", ""), (self.run.live.name, self.run.run_id)
        item = marked_item(mark, *run)
        if item is None:
            return
        if not is_ours(self.run, hit):
            self.found.notes.append(
                f"{place(item, hit['HITId'])}: of another deployment that has this batch name and run id"
            )
            return
        if item not in self.state.hits:  # a long id is not in the mark, only its digest
            item = next((each for each in self.state.hits if annotation(*run, each) == mark), item)
        where = place(item, hit["HITId"])
        first = self.state.hits.get(item)
        if first is not None:
            self._row("second HIT of an item", where, f"HIT {first['hit']}", hit["HITStatus"], _PAID_OUTSIDE)
        else:
            fix = "clear publish_hits, which records it and goes on with it"
            self._row("HIT not in the ledger", where, "no HIT", hit["HITStatus"], fix)

    def _unlisted(self, item: str) -> dict[str, Any] | None:
        """Return the HIT that ListHITs left out: a new one may be missing there, a deleted one always is."""
        hit = self.state.hits[item]["hit"]
        token = request_token(self.run.live.name, self.run.run_id, item, "delete", 0)
        if item in self.state.deleted or token in self.state.intents:
            return None  # as the ledger says, or a process died before it could
        found = self.run.mturk.find_hit(hit)
        if found is None and self.state.outcomes.get(item) is Outcome.LOST:
            self.found.notes.append(f"{place(item, hit)}: gone from the workforce, and known to be lost")
        elif found is None:
            fix = "clear collect_and_extend, which gives the item up as lost; then this task"
            self._row("HIT unknown to the workforce", place(item, hit), "published", "gone", fix)
        return found

    def _compare_seats(self, item: str, hit: Mapping[str, Any]) -> None:
        known, there = self.state.seats[item], int(hit["MaxAssignments"])
        meant = (row["seats"] for row in self.state.reserved.values() if row["item"] == item)
        where = place(item, hit["HITId"])
        if not known <= there <= max(known, *meant, 0):
            fix = "see who extended the HIT: answers beyond the ledger's seats are paid as well"
            self._row("seats", where, str(known), str(there), fix)
        if item in self.state.deleted:
            fix = "delete it at the workforce"
            self._row("HIT not deleted", where, "deleted", hit["HITStatus"], fix)

    def _compare_counts(self, item: str, hit: Mapping[str, Any]) -> None:
        free, held = int(hit["NumberOfAssignmentsAvailable"]), int(hit["NumberOfAssignmentsPending"])
        reviewed = int(hit["NumberOfAssignmentsCompleted"])
        handed_in = int(hit["MaxAssignments"]) - free - held
        on_offer = free if hit["HITStatus"] in {"Assignable", "Unassignable"} else 0
        self.holds |= held + on_offer + handed_in - reviewed > 0
        if needs_a_look(self.state, item, handed_in=handed_in, reviewed=reviewed):
            self._compare_answers(item, hit["HITId"])
        answers = {row["assignment"] for row in self.state.answers_of(item)}
        if any(row["assignment"] in answers for row in self.state.bonuses.values()):
            self._compare_bonuses(item, hit["HITId"])

    def _compare_bonuses(self, item: str, hit: str) -> None:
        if item in self._rewards_seen:
            return
        self._rewards_seen.add(item)
        sent = [
            each | {"cents": to_cents(Decimal(each["BonusAmount"]))}
            for each in self.run.mturk.bonuses(hit_id=hit)
        ]
        self.found.rows += check_bonuses(self.state, item, hit, sent, self._compensations)

    @cached_property
    def _compensations(self) -> list[dict[str, Any]]:
        """Bonuses that workers of the batch got by compensations, which have ledgers of their own."""
        cases = [case for case in all_cases(self.run.store) if case.startswith(f"{self.run.live.name}/")]
        folded = (Ledger(self.run.store, COMPENSATIONS, case).fold("bonuses") for case in cases)
        return [row for state in folded for row in state.bonuses.values()]

    def _compare_answers(self, item: str, hit: str) -> None:
        if item in self._looked_at:
            return
        self._looked_at.add(item)
        listed = self.run.mturk.assignments(hit)
        there = {each["AssignmentId"]: each["AssignmentStatus"] for each in listed}
        check = check_answers(self.state, item, hit, there)
        self.unrecorded += check.unrecorded
        self.found.rows += check.rows
        if check.late:
            self.found.late.append(item)

    def _row(self, what: str, where: str, ledger: str, workforce: str, fix: str) -> None:
        self.found.rows.append(Difference(what, where, ledger, workforce, fix))
