"""Asking one more worker, within the budget and once per seat."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from groundswell.aws.exceptions import turk_code
from groundswell.aws.fence import READ_LIFE
from groundswell.aws.limits import RunLimit
from groundswell.aws.runs import LabelingRun, now_text
from groundswell.batches.pricing import LARGE_HIT
from groundswell.ledger import Outcome, RunState, request_token

log = logging.getLogger(__name__)

#: An extension made when less than this share of the lifetime is left also moves the expiration.
FRESH = 0.5


class Extender:
    """
    Extends the HITs of a run.

    The budget is shared by all twins of the task: who wants to ask takes a numbered reservation with a
    conditional write. Having got number n means having seen all earlier ones, so no two can both believe that
    the last cents are theirs. A reservation is also the intent of its calls. What it may cost is then held in
    the month's book, before the call.

    :param run: the run.
    :param state: the folded ledger; reservations and extensions are added to it.
    :param cost: reward and fee of one answer, in cents.
    """

    def __init__(self, run: LabelingRun, state: RunState, cost: int) -> None:
        self.run = run
        self.state = state
        self.cost = cost
        self.limit = RunLimit(run, state)
        self._safe_until = datetime.now(UTC) + READ_LIFE
        self._moved: list[str] = []

    def room(self) -> int:
        """Return how many more answers the run's limit and the account's balance allow."""
        if self.state.stopped:
            return 0
        left = self.limit.cents - self.limit.committed_cents()
        return max(0, min(left, self.run.mturk.available_cents())) // self.cost

    def ask(self, known: Mapping[str, int]) -> dict[str, Outcome]:
        """
        Ask one more worker about each item; return the items for which there is no money.

        Where a twin has extended the HIT or fetched an answer since that was decided, the item is left to the
        next wave.

        :param known: item -> seats of it that were used when that was decided, see :meth:`used`.
        """
        refused = self._open(
            lambda: [self._plan(item, used + 1) for item, used in known.items() if self.used(item) == used]
        )
        return {plan["item"]: outcome for plan, outcome in refused}

    def close(self, outcomes: Mapping[str, Outcome], known: Mapping[str, int]) -> list[str]:
        """
        Record how the asking about items ends, unless a twin has asked about them since; return which ended.

        A rule that goes by what is known about the workers may say "settled" to one twin and "ask" to the
        other. An item that both heeded would be closed with a seat on the market that nobody counts. So such
        closings take numbers of the reservations' series: who has number n has seen all before it.

        :param known: as in :meth:`ask`.
        """
        left = dict(outcomes)
        while left:
            number = self._known_reservations()
            left = {item: outcome for item, outcome in left.items() if self._is_as_known(item, known[item])}
            rows = [self.state.closing(item, outcome) | {"number": number} for item, outcome in left.items()]
            if not rows or self.run.ledger.write("reservations", f"{number:06d}", rows):
                for row in rows:
                    self.state.add("reservations", row)
                break
        return list(left)

    def _is_as_known(self, item: str, used: int) -> bool:
        """Return whether nobody has ended the asking about an item, asked, or got an answer since."""
        if self.state.outcomes.get(item) not in {None, Outcome.BUDGET}:
            return False
        return self.used(item) == used and not self.is_meant(item)

    def is_meant(self, item: str) -> bool:
        """Return whether the item's next seat is reserved and, as far as is known, not opened yet."""
        token = self._plan(item, self.used(item) + 1)["token"]
        row = self.state.reserved.get(token)
        return row is not None and "replaces" not in row and self._granted(row)

    def replace(self, rejected: Sequence[Mapping[str, Any]]) -> dict[str, Outcome]:
        """
        Open the seat of each rejected answer again, once, whatever became of its item.

        :param rejected: rows with ``assignment`` and ``item``.
        :return: why a seat stays closed, by the rejected assignment.
        """
        refused = self._open(lambda: self._replacements(rejected))
        return {plan["replaces"]: outcome for plan, outcome in refused}

    def _open(self, make_plans: Callable[[], list[dict[str, Any]]]) -> list[tuple[dict[str, Any], Outcome]]:
        """Reserve and open the seats of these plans; return the plans that must stay closed, and why."""
        plans, granted, meant_before = self._reserve(make_plans)
        # Also for what an earlier attempt reserved: it may have been killed before it held the money
        held = bool(granted) and not self.state.stopped and self.limit.ensure(self.limit.committed_cents())
        refused: list[tuple[dict[str, Any], Outcome]] = []
        rows: list[dict[str, Any]] = []
        try:
            for plan in plans:
                result: dict[str, Any] | Outcome = Outcome.BUDGET
                if self._too_large(plan):
                    result = _give_up(plan)
                elif plan["token"] in granted:
                    with self.run.mturk.signed_before(self._safe_until):
                        result = self._extend(plan, repeated=plan["token"] in meant_before, held=held)
                if isinstance(result, Outcome):
                    refused.append((plan, result))
                else:
                    rows.append(result)
        finally:
            self.run.ledger.record("extensions", rows, self.state)
        self._heed_stop()
        return refused

    def _heed_stop(self) -> None:
        """Expire again what was given a new lifetime while somebody stopped the run."""
        moved, self._moved = self._moved, []
        if moved and not self.state.stopped:
            for kind, row in self.run.ledger.rows("approvals"):
                self.state.add(kind, row)
        if self.state.stopped:
            for hit in moved:
                self.run.mturk.expire(hit)

    def used(self, item: str) -> int:
        """Return how many seats of an item are known: opened, or answered."""
        return max(self.state.seats[item], len(self.state.answers_of(item)))

    def _plan(self, item: str, seats: int) -> dict[str, Any]:
        token = request_token(self.run.batch.name, self.run.run_id, item, "extend", seats)
        return {"token": token, "purpose": "extend", "item": item, "seats": seats, "at": now_text()}

    def _replacements(self, rejected: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Give each rejected answer a seat number of its own: the one it was given before, or the next."""
        last = {row["item"]: self.used(row["item"]) for row in rejected}
        # A seat that was reserved for anything else and never opened leaves its number to these
        for row in self.state.replacements.values():
            if row["item"] in last:
                last[row["item"]] = max(row["seats"], last[row["item"]])
        plans = []
        for answer in rejected:
            plan = self.state.replacements.get(answer["assignment"])
            if plan is None:
                item = answer["item"]
                last[item] += 1
                plan = self._plan(item, last[item]) | {"replaces": answer["assignment"]}
            plans.append(plan)
        return plans

    def _too_large(self, plan: Mapping[str, Any]) -> bool:
        """Return whether the seat would be the tenth or later of a HIT that was created with fewer."""
        return int(self.state.hits[plan["item"]]["seats"]) < LARGE_HIT <= int(plan["seats"])

    def _reserve(
        self, make_plans: Callable[[], list[dict[str, Any]]]
    ) -> tuple[list[dict[str, Any]], set[str], set[str]]:
        """
        Reserve what is new of these plans as far as the budget allows.

        :return: the plans, the tokens of those that the budget allows, and all that were reserved before.
        """
        while True:
            read_at = datetime.now(UTC)
            known = self._known_reservations()
            self._safe_until = read_at + READ_LIFE
            # Also what a twin has reserved while this process knew nothing of it: its call may be a day old
            before = set(self.state.reserved)
            plans = [plan for plan in make_plans() if not self._closed_meanwhile(plan)]
            granted = {plan["token"] for plan in plans if self._granted(plan)}
            new = [plan for plan in plans if plan["token"] not in granted and not self._too_large(plan)]
            room = max(0, (self.limit.cents - self.limit.committed_cents()) // self.cost) if new else 0
            new = [] if self.state.stopped else [plan | {"number": known} for plan in new[:room]]
            if not new:
                return plans, granted, before
            if self.run.ledger.write("reservations", f"{known:06d}", new):
                for row in new:
                    self.state.add("reservations", row)
                return plans, granted | {plan["token"] for plan in new}, before
            # A twin was first: look again at what is left

    def _granted(self, plan: Mapping[str, Any]) -> bool:
        """
        Return whether the seat is reserved; not if its item was given up for want of money after that.

        Nor where it was reserved for something else: what it replaces must be on record before the call.
        """
        row = self.state.reserved.get(plan["token"])
        if row is None or self.state.outcomes.get(plan["item"]) is Outcome.BUDGET:
            return False
        return bool("replaces" not in plan or row.get("replaces") == plan["replaces"])

    def _closed_meanwhile(self, plan: Mapping[str, Any]) -> bool:
        """Return whether a twin ended the asking meanwhile; a seat that is replaced opens it again."""
        if plan["item"] in self.state.deleted:
            return True
        ended = self.state.outcomes.get(plan["item"]) not in {None, Outcome.BUDGET}
        return ended and "replaces" not in plan

    def _known_reservations(self) -> int:
        """Take in all that is recorded by now; return the number of the next reservation."""
        # Listed before they are read: one that comes in between makes the conditional write fail
        prefix = f"{self.run.ledger.prefix}reservations/"
        names = [key.removeprefix(prefix).partition(".")[0] for key in self.run.store.keys(prefix)]
        # The number after the last, not their count: should one be lost, its number must not be waited for
        number = 1 + max((int(name) for name in names if name.isdigit()), default=-1)
        # All of it: what the money suffices for is no sum of what is new and what was known an hour ago
        self.run.ledger.refresh(self.state)
        return number

    def _extend(self, plan: Mapping[str, Any], *, repeated: bool, held: bool) -> dict[str, Any] | Outcome:
        """
        Open the seat; return the row to record, or how the item ends where it stays closed.

        :param repeated: an earlier attempt meant the call.
        :param held: the month's book has the money for it, and nobody has stopped the run.
        """
        item, seats = plan["item"], plan["seats"]
        hit, mturk = self.state.hits[item]["hit"], self.run.mturk
        if "replaces" in plan or self.state.closed_before(item):
            # Its item was dealt with: flagged, the HIT would not be listed when the seat is filled
            mturk.revert_reviewing(hit)
        # The life of this token is not documented: where an earlier attempt meant the call, read first. A
        # replaced seat may also be there because the ledger was restored from before the review.
        there = mturk.get_hit(hit) if repeated or "replaces" in plan else None
        if there is not None and there["MaxAssignments"] < seats:
            there = None
        try:
            if there is None:
                if not held:
                    return Outcome.BUDGET
                mturk.add_seats(hit, 1, token=plan["token"])
        except ClientError as error:
            if turk_code(error) == "InvalidMaximumAssignmentsIncrease":
                return _give_up(plan)
            if turk_code(error) != "InsufficientFunds":
                raise
            log.warning("item %r is given up: the account has no money for one more answer", item)
            return Outcome.BUDGET
        expires = self.fresh(item, there)
        row = {"item": item, "hit": hit, "seats": seats, "token": plan["token"], "expires": expires}
        return row | {key: plan[key] for key in ("replaces",) if key in plan}

    def fresh(self, item: str, there: Mapping[str, Any] | None) -> str:
        """
        Give a late extension a whole lifetime again; return the expiration that is in force.

        :param there: the HIT, where somebody has opened the seat. If they moved the expiration too, that is
            left: the time may be over by now, and the item closed. Else it is moved for them: a seat that is
            on record with a lifetime that is over would be given up, while they give it another.
        """
        hit = self.state.hits[item]["hit"]
        lifetime = timedelta(seconds=self.run.batch.task.lifetime_seconds)
        expires = datetime.fromisoformat(self.state.expires[item])
        if there is not None:
            # What is on record is a little early, after a crash while publishing much too early
            expires = max(expires, there["CreationTime"] + lifetime)
            if there["Expiration"] - expires > lifetime * FRESH / 2:
                return str(there["Expiration"].astimezone(UTC).isoformat(timespec="seconds"))
        now = self.run.mturk.now()
        if expires - now < lifetime * FRESH and not self.state.stopped:
            self._moved.append(hit)
            expires = (now + lifetime).replace(microsecond=0)
            self.run.mturk.set_expiration(hit, expires)
        return expires.isoformat(timespec="seconds")


def _give_up(plan: Mapping[str, Any]) -> Outcome:
    log.warning(
        "item %r is given up: its HIT was created with fewer than %d assignments and cannot reach %d",
        plan["item"],
        LARGE_HIT,
        plan["seats"],
    )
    return Outcome.GAVE_UP
