"""
Putting right what was found.

Every repair follows the protocol of the run that it is about: the intent is in the run's ledger before the
call, the outcome after it, and the truth is read first. So a repair may be killed anywhere, repeated, and may
even meet a run that somebody clears at that moment: it is one more twin. Nothing here rejects an answer, and
nothing deletes a ledger, a label or data.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import cached_property
from itertools import groupby

from airflow.sdk.exceptions import AirflowException

from groundswell.aws import stopping
from groundswell.aws.clearing import clear_hits
from groundswell.aws.collecting import Wave
from groundswell.aws.exceptions import clear_errors
from groundswell.aws.janitor import resources
from groundswell.aws.janitor.findings import Finding, Kind
from groundswell.aws.janitor.hits import hit_or_gone
from groundswell.aws.janitor.house import Hit, House, is_open
from groundswell.aws.limits import give_back
from groundswell.aws.runs import LabelingRun, now_text
from groundswell.batches.pricing import fee_cents
from groundswell.batches.units import to_cents
from groundswell.errors import GroundswellError
from groundswell.ledger import Outcome, annotation, request_token
from groundswell.ledger.claims import release
from groundswell.ledger.shards import read_items

log = logging.getLogger(__name__)

REPAIRED = "repaired"


def repair(house: House, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Repair what is safe to repair, run by run; yield every finding with what became of it."""
    ordered = sorted(findings, key=lambda each: (each.run, list(Kind).index(each.kind)))
    for run_id, of_run in groupby(ordered, key=lambda each: each.run):
        yield from _repair_run(house, run_id, list(of_run))


def _repair_run(house: House, run_id: str, findings: list[Finding]) -> Iterator[Finding]:
    # Asked again: somebody may have cleared the run since it was surveyed
    reason = house.under_way(run_id) if run_id in house.ledgers or run_id in house.held else None
    desk = _Desk(house, run_id)
    ended: list[Finding] = []
    for finding in findings:
        result = f"left: {reason}" if reason else _left(house, finding) or desk.repair(finding)
        log.info("%s %s: %s", finding.kind, finding.name or finding.run, result)
        ended.append(finding.ended(result))
        yield ended[-1]
    if desk.known and all(each.settled for each in ended):
        desk.give_back()


def _left(house: House, finding: Finding) -> str | None:
    """Return why a finding is left to a person, or None."""
    if finding.repair is None:
        return "left: it takes a person"
    if not finding.safe and finding.kind not in house.rules.unsure:
        return f"left: the janitor cannot be sure; look, then run it with unsure=[{finding.kind}]"
    return None


class _Desk:
    """The repairs of one run, on its folded ledger."""

    def __init__(self, house: House, run_id: str) -> None:
        self.house = house
        self.known = run_id in house.ledgers or run_id in house.held
        self.run: LabelingRun = house.run(run_id) if self.known else house.stray(run_id)
        self._wave: Wave | None = None

    @property
    def wave(self) -> Wave:
        """The run's ledger, and what records and pays answers."""
        if self._wave is None:
            self._wave = Wave(self.run, self.run.ledger.fold())
        return self._wave

    def repair(self, finding: Finding) -> str:
        """Repair a finding; return what became of it. What fails is left for the next time."""
        act: Callable[[Finding], str] = getattr(self, f"_{finding.kind.name.lower()}")
        try:
            with clear_errors(connection=self.run.live.connections.mturk):
                return act(finding)
        except AirflowException as error:
            self._wave = None  # what was written before it failed is read again
            return f"failed: {error}"

    # HITs that the ledger does not have

    def _orphan_hit(self, finding: Finding) -> str:
        hit = self._there(finding.name)
        if hit is None:
            return REPAIRED
        recorded = self.wave.state.hits.get(finding.item)
        if recorded is not None and recorded["hit"] != finding.name:
            return self._remove(finding.item, hit)
        self._adopt(finding.item, hit)
        return self._take_off(finding.item, hit)

    def _unknown_run_hit(self, finding: Finding) -> str:
        hit = self._there(finding.name)
        if hit is None:
            return REPAIRED
        item = self._claimed_item(finding, hit)
        if item not in self.wave.state.hits:
            self._adopt(item, hit)
        return self._take_off(item, hit)

    def _claimed_item(self, finding: Finding, hit: Hit) -> str:
        """Return the item's id, also where it was too long for the annotation."""
        return self._claimed_marks.get(hit["RequesterAnnotation"], finding.item)

    @cached_property
    def _claimed_marks(self) -> dict[str, str]:
        """The annotation of every item that the run claimed -> the item."""
        name, run_id = self.house.name, self.run.run_id
        return {annotation(name, run_id, item): item for item in self.house.held.get(run_id, ())}

    def _adopt(self, item: str, hit: Hit) -> None:
        """Record a HIT as publishing does, by what the workforce says of it."""
        row = {
            "item": item,
            "hit": hit["HITId"],
            "hit_type": hit["HITTypeId"],
            "seats": hit["MaxAssignments"],
            "expires": hit["Expiration"].isoformat(timespec="seconds"),
        }
        self.wave.add("hits", [row])

    def _second_hit(self, finding: Finding) -> str:
        hit = self._there(finding.name)
        return REPAIRED if hit is None else self._remove(finding.item, hit)

    def _remove(self, item: str, hit: Hit) -> str:
        """Pay a HIT that is one too many, and take it away. Its answers are its item's: they are paid for."""
        name, run = hit["HITId"], self.run
        self._intend("delete", item, name)
        self._pay(item, hit)
        run.mturk.expire(name)
        self._pay(item, hit)  # what came in before it was expired
        result = run.mturk.delete_hit(name)
        return REPAIRED if result in {"deleted", "absent"} else f"waits: a worker holds it ({result})"

    def _intend(self, purpose: str, item: str, name: str) -> None:
        token = request_token(self.house.name, self.run.run_id, item, f"{purpose} {name}", 0)
        if token not in self.wave.state.intents:
            row = {"token": token, "purpose": purpose, "item": item, "at": now_text()}
            self.wave.add("intents", [row])

    # HITs that the ledger has

    def _zombie(self, finding: Finding) -> str:
        if self._there(finding.name) is not None:
            return "left: it is there again"
        state, item = self.wave.state, finding.item
        if item not in state.outcomes:
            self.wave.add("outcomes", [state.closing(item, Outcome.LOST)])
            release(self.run.store, self.house.name, self.run.run_id, [item])
        self.wave.add("deletions", [{"item": item, "hit": finding.name, "at": now_text()}])
        return REPAIRED

    def _open_hit_of_dead_run(self, finding: Finding) -> str:
        hit = self._there(finding.name)
        return REPAIRED if hit is None else self._take_off(finding.item, hit)

    def _expired_with_work(self, finding: Finding) -> str:
        hit = self._there(finding.name)
        if hit is not None:
            self._pay(finding.item, hit)
        return REPAIRED

    _open_hit = _open_hit_of_dead_run
    _missed_approval = _expired_with_work

    def _take_off(self, item: str, hit: Hit) -> str:
        """Pay what a HIT got, and let nobody else take it."""
        name = hit["HITId"]
        self._pay(item, hit)
        if not is_open(hit):
            return REPAIRED
        stopping.expire(self.run, self.wave.state, {name: item})
        after = self._there(name)
        if after is not None and is_open(after) and not after["NumberOfAssignmentsPending"]:
            # It was taken off before, and extended since
            self.run.mturk.expire(name)
            after = self._there(name)
        if after is None:
            return REPAIRED
        self._pay(item, after)  # what came in before it was expired
        held = after["NumberOfAssignmentsPending"]
        return f"waits: {held} workers hold it" if held else REPAIRED

    def _pay(self, item: str, hit: Hit) -> None:
        # By the HIT, not by the batch file, which may have changed since
        reward = to_cents(Decimal(hit["Reward"]))
        self.wave.cost = reward + fee_cents(reward, hit["MaxAssignments"])
        self.wave.take_late(item, hit=hit["HITId"])

    def _there(self, name: str) -> Hit | None:
        found = hit_or_gone(self.run, name)
        return None if isinstance(found, str) else found

    # the whole run

    def _undeleted_hits(self, finding: Finding) -> str:
        gone = [item for item in self._undeleted() if self._there(self.wave.state.hits[item]["hit"]) is None]
        if gone:
            return f"left: {len(gone)} HITs of the run are gone; the zombies come first"
        if self.house.lapsed(self.run.run_id):
            self._give_up()
        cleared = clear_hits(self.run)
        self._wave = None
        return f"waits: workers hold {cleared['held']} of them" if cleared["held"] else REPAIRED

    def _undeleted(self) -> list[str]:
        return [item for item in self.wave.state.hits if item not in self.wave.state.deleted]

    def _give_up(self) -> None:
        """Give up what a run whose time is over never decided, where nobody can answer it any more."""
        over = []
        for item in self.wave.state.open_items:
            hit = self._there(self.wave.state.hits[item]["hit"])
            if hit is not None and not is_open(hit):
                self._pay(item, hit)
                over.append(self.wave.state.closing(item, Outcome.EXPIRED))
        self.wave.add("outcomes", over)

    @cached_property
    def _in_use(self) -> set[tuple[str, str]]:
        return resources.in_use_now(self.house)

    def _endpoint_left(self, finding: Finding) -> str:
        hook, kind, name = self.house.sagemaker, finding.item, finding.name
        # Asked again: the repairs since the survey may have taken long, and a run may have deployed
        if (kind, name) in self._in_use or (
            kind == "endpoint" and resources.serves_another(hook, name, self.wave.state)
        ):
            return "waits: another run uses it now"
        waits = resources.delete(hook, kind, name)
        if waits:
            return f"waits: {waits}"
        row = {"type": kind, "name": name, "state": "deleted", "at": now_text()}
        self.wave.add("resources", [row])
        return REPAIRED

    def _month_hold(self, finding: Finding) -> str:
        give_back(self.run, end=True)
        return REPAIRED

    def give_back(self) -> None:
        """Give back to the month what can no longer be spent; the next round does what fails."""
        try:
            give_back(self.run, end=True)
        except (GroundswellError, AirflowException) as error:
            log.warning("run %s holds its money for now: %s", self.run.run_id, error)

    def _stale_claims(self, finding: Finding) -> str:
        unpublished = read_items(self.run.ledger).keys() | self.house.held.get(self.run.run_id, {}).keys()
        release(self.run.store, self.house.name, self.run.run_id, unpublished - self.wave.state.hits.keys())
        return REPAIRED
