"""The life of the crowd as a queue of events in crowd time (seconds since the crowd started).

A worker comes, looks for work, takes a HIT, reads the page, thinks, submits, looks again, and leaves when
the session is over. Nothing here knows of threads or of the time of day.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from workforce.crowd.behaviour import Member, form_answers, intent, members
from workforce.crowd.chance import chance
from workforce.crowd.errors import UnreadableTask
from workforce.crowd.forms import RenderedTask
from workforce.crowd.plan import CrowdPlan
from workforce.crowd.reading import TaskReader
from workforce.market import AssignmentView, HitListing, Market, MarketError

log = logging.getLogger("workforce.crowd")

# Real seconds, since they bound the load on the database and not the pace of the crowd
IDLE_FIRST, IDLE_MOST = 1.0, 4.0
IDLE_GAP = 0.25
WAKE_GAP = 0.05
AFTER_FAULT = 5.0

_PAGE = 20
_PAGES = 25
_TRIES = 5
_SLOWEST = 5.0


@dataclass
class CrowdStats:
    """What the crowd has done since it started."""

    answers: int = 0
    returned: int = 0
    abandoned: int = 0
    refused: int = 0
    unknown_items: int = 0
    faults: int = 0


@dataclass
class _Person:
    member: Member
    timing: random.Random
    known: bool = False
    leaves_at: float = 0.0
    idle_for: float = 0.0
    ticket: int = 0
    avoid: set[str] = field(default_factory=set)


Event = Callable[[_Person, float], None]


class Simulation:
    """The crowd of one plan at work on one market."""

    def __init__(self, market: Market, plan: CrowdPlan) -> None:
        self.stats = CrowdStats()
        self._workers = market.workers
        self._plan = plan
        self._reader = TaskReader(market.workers, plan.item_attribute)
        self._queue: list[tuple[float, int, int, _Person, Event]] = []
        self._order = itertools.count()
        self._idle: dict[str, _Person] = {}
        self._next_idle_look = 0.0
        self._unknown: set[str] = set()
        self._people = [
            _Person(member, chance(plan.seed, member.worker_id, "timing")) for member in members(plan)
        ]
        for person in self._people:
            self._at(person.timing.uniform(0, person.member.group.arrival.first), person, self._arrive)

    @property
    def next_event(self) -> float | None:
        """Crowd time of the next event."""
        while self._queue and self._queue[0][2] != self._queue[0][3].ticket:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def run_until(self, time: float, stopped: Callable[[], bool] = lambda: False) -> None:
        """Let everything happen that is due by `time`; an event that fails is logged, never fatal."""
        while not stopped() and (due := self.next_event) is not None and due <= time:
            when, _, _, person, event = heapq.heappop(self._queue)
            try:
                event(person, when)
            except Exception as error:
                self._after_fault(person, when, error)

    def _after_fault(self, person: _Person, now: float, error: Exception) -> None:
        self.stats.faults += 1
        if self.stats.faults & (self.stats.faults - 1) == 0:  # 1st, 2nd, 4th, 8th, ...: no flood of traces
            who = person.member.worker_id
            log.error("worker %s met an error (number %d)", who, self.stats.faults, exc_info=error)
        again = self._look if person.known else self._arrive
        self._at(now + AFTER_FAULT * self._plan.speed_up, person, again)

    def _at(self, time: float, person: _Person, event: Event) -> None:
        """Plan the next thing that a person does; it replaces whatever was planned before."""
        person.ticket += 1
        heapq.heappush(self._queue, (time, next(self._order), person.ticket, person, event))

    # --- coming and going -------------------------------------------------------------------------

    def _arrive(self, person: _Person, now: float) -> None:
        arrival = person.member.group.arrival
        length = person.timing.expovariate(1 / arrival.session)
        person.leaves_at = now + min(max(length, arrival.session / 4), arrival.session * 3)
        person.idle_for = 0.0
        if not person.known:
            self._workers.ensure_worker(person.member.worker_id)
            person.known = True
            if self._resume(person, now):
                return
        self._look(person, now)

    def _leave(self, person: _Person, now: float) -> None:
        arrival = person.member.group.arrival
        away = arrival.every - arrival.session
        pause = person.timing.expovariate(1 / away) if away > 0 else 0.0
        self._at(now + pause, person, self._arrive)

    def _resume(self, person: _Person, now: float) -> bool:
        """Go on with what was accepted before the server was started again."""
        for assignment in self._workers.held(person.member.worker_id):
            if self._begin(person, assignment, now):
                return True
        return False

    # --- looking for work -------------------------------------------------------------------------

    def _look(self, person: _Person, now: float) -> None:
        self._idle.pop(person.member.worker_id, None)
        if now >= person.leaves_at:
            self._leave(person, now)
            return
        if self._take_one(person, now):
            if person.idle_for:
                self._wake_others(now)
            person.idle_for = 0.0
            return
        self._wait(person, now)

    def _wait(self, person: _Person, now: float) -> None:
        """Look again after a while; the looks of the whole idle crowd keep a distance."""
        person.idle_for = min(max(person.idle_for * 2, IDLE_FIRST), IDLE_MOST)
        speed = self._plan.speed_up
        slot = max(now + person.idle_for * speed, self._next_idle_look)
        self._next_idle_look = slot + IDLE_GAP * speed
        self._idle[person.member.worker_id] = person
        self._at(slot, person, self._look)

    def _wake_others(self, now: float) -> None:
        """Word gets round that there is work again."""
        for place, person in enumerate(self._idle.values(), start=1):
            self._at(now + place * WAKE_GAP * self._plan.speed_up, person, self._look)
        self._idle.clear()
        self._next_idle_look = now

    def _take_one(self, person: _Person, now: float) -> bool:
        worker_id = person.member.worker_id
        for page in range(_PAGES):
            listings = self._workers.available(worker_id, limit=_PAGE, offset=page * _PAGE)
            refused = self.stats.refused
            for listing in listings:
                if self._take(person, listing, now):
                    return True
                if self.stats.refused - refused >= _TRIES:
                    return False
            if len(listings) < _PAGE:
                return False
        return False

    def _take(self, person: _Person, listing: HitListing, now: float) -> bool:
        if listing.hit_id in person.avoid or not self._reader.workable(listing.hit_id):
            return False
        try:
            assignment = self._workers.accept(person.member.worker_id, listing.hit_id)
        except MarketError as error:
            self.stats.refused += 1
            log.debug("%s could not take %s: %s", person.member.worker_id, listing.hit_id, error)
            return False
        return self._begin(person, assignment, now)

    # --- working ----------------------------------------------------------------------------------

    def _begin(self, person: _Person, assignment: AssignmentView, now: float) -> bool:
        """Read the page of an accepted HIT and plan what comes of it; False when nothing can."""
        try:
            task = self._reader.task(assignment.hit_id)
            item = task.item or assignment.hit_id
            fields = self._answers(person, task, item)
        except UnreadableTask as error:
            self._reader.give_up(assignment.hit_id, error)
            self._give_back(person, assignment)
            return False
        will = intent(self._plan, person.member, item)
        if will == "abandon":
            person.avoid.add(assignment.hit_id)
            self.stats.abandoned += 1
            self._leave(person, now)
            return True

        def finish(worker: _Person, then: float) -> None:
            if will == "return":
                self._give_back(worker, assignment)
            else:
                self._submit(worker, assignment, item, fields)
            self._look(worker, then)

        self._at(now + self._thinking_time(person), person, finish)
        return True

    def _answers(self, person: _Person, task: RenderedTask, item: str) -> list[tuple[str, str]]:
        try:
            return task.filled(form_answers(self._plan, person.member, task, item))
        except UnreadableTask:
            raise
        except Exception as error:  # one odd form must not keep the crowd from all the others
            raise UnreadableTask(f"its form cannot be answered: {type(error).__name__}: {error}") from error

    def _thinking_time(self, person: _Person) -> float:
        speed = person.member.group.speed
        factor = math.exp(speed.spread * person.timing.gauss(0, 1))
        return speed.median * min(max(factor, 1 / _SLOWEST), _SLOWEST)

    def _submit(
        self, person: _Person, assignment: AssignmentView, item: str, fields: list[tuple[str, str]]
    ) -> None:
        sent = [(name, value) for name, value in fields if name != "assignmentId"]
        sent.append(("assignmentId", assignment.assignment_id))
        try:
            self._workers.submit(assignment.assignment_id, sent, worker_id=person.member.worker_id)
        except MarketError as error:  # expired, deleted, or time over: the next HIT, please
            self.stats.refused += 1
            log.debug("%s could not submit: %s", person.member.worker_id, error)
            return
        self.stats.answers += 1
        self._note_unknown(item)

    def _note_unknown(self, item: str) -> None:
        if item in self._plan.key or item in self._unknown:
            return
        self._unknown.add(item)
        self.stats.unknown_items = len(self._unknown)
        level = logging.WARNING if self.stats.unknown_items == 1 else logging.DEBUG
        log.log(level, "item %s is not in the answer key: the crowd guesses", item)

    def _give_back(self, person: _Person, assignment: AssignmentView) -> None:
        person.avoid.add(assignment.hit_id)
        try:
            self._workers.give_back(person.member.worker_id, assignment.assignment_id)
            self.stats.returned += 1
        except MarketError as error:
            log.debug("%s could not return %s: %s", person.member.worker_id, assignment.hit_id, error)
