"""The people: they come, take a HIT that is on offer, and submit, give back or forget it."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Sequence

from sqlalchemy import select

from tools.chaos.schedule import LABELS, Schedule
from tools.chaos.world import World
from workforce.market import Market
from workforce.market.errors import MarketError
from workforce.store.tables import hits

#: Seconds before the deadline at which a late worker submits.
_LAST_MOMENT = 2.0


class Workers:
    """
    Play the crowd on a market.

    They make the same decisions in every replay of a schedule.
    """

    def __init__(self, market: Market, world: World, schedule: Schedule) -> None:
        self._market = market
        self._world = world
        self._crowd = crowd = schedule.crowd
        self._chance = random.Random(f"workers {schedule.seed}")
        self._seconds = float(str(schedule.batch["task__assignment_duration"]).removesuffix("s"))
        self._left = crowd.arrivals
        self._known: list[str] = []
        self._pause = crowd.pause

    def start(self) -> None:
        """Let them come from now on."""
        self._world.plan(self._chance.expovariate(1 / self._pause), self._arrive)

    def _arrive(self) -> None:
        if self._left == 0:
            return
        if self._work():
            self._left -= 1
            self._pause = self._crowd.pause
        else:  # nothing on offer: they look less often, until there is
            self._pause = min(self._pause * 1.6, self._crowd.pause * 16)
        self._world.plan(self._chance.expovariate(1 / self._pause), self._arrive)

    def _work(self) -> bool:
        if not self._anything_on_offer():
            return False
        worker = self._who()
        offers = self._market.workers.available(worker, limit=20)
        if not offers:
            return False
        hit = self._chance.choice(sorted(offers, key=lambda each: each.hit_id)).hit_id
        assignment = self._market.workers.accept(worker, hit).assignment_id
        crowd, roll = self._crowd, self._chance.random()
        seconds = self._chance.uniform(0.02, 0.6) * self._seconds
        if roll < crowd.abandon:
            return True
        if roll < crowd.abandon + crowd.give_back:
            self._world.plan(seconds, lambda: self._give_back(worker, assignment))
            return True
        if self._chance.random() < crowd.late:
            seconds = self._seconds - _LAST_MOMENT
        fields = self._answer(self._item_of(hit))
        self._world.plan(seconds, lambda: self._submit(worker, assignment, fields))
        return True

    def _anything_on_offer(self) -> bool:
        with self._market.store.read() as connection:
            query = select(hits.c.seq).where(hits.c.status == "Assignable").limit(1)
            return connection.execute(query).first() is not None

    def _who(self) -> str:
        if self._known and self._chance.random() < self._crowd.regulars:
            return self._chance.choice(self._known)
        worker = f"AWORKER{len(self._known)}"
        self._market.workers.ensure_worker(worker)
        self._known.append(worker)
        return worker

    def _item_of(self, hit_id: str) -> str:
        with self._market.store.read() as connection:
            query = select(hits.c.annotation).where(hits.c.hit_id == hit_id)
            mark = connection.execute(query).scalar_one()
        return str(json.loads(mark or "{}").get("item", ""))

    def _answer(self, item: str) -> Sequence[tuple[str, str]]:
        true = LABELS[sum(item.encode()) % len(LABELS)]
        label = true if self._chance.random() < self._crowd.right else self._chance.choice(LABELS)
        if self._chance.random() < self._crowd.unreadable:
            return [("item", item)] if self._chance.random() < 0.5 else [("item", item), ("label", "??")]
        return [("item", item), ("label", label)]

    def _give_back(self, worker: str, assignment: str) -> None:
        with contextlib.suppress(MarketError):  # its time was over
            self._market.workers.give_back(worker, assignment)

    def _submit(self, worker: str, assignment: str, fields: Sequence[tuple[str, str]]) -> None:
        with contextlib.suppress(MarketError):  # its time was over, or its HIT is gone
            self._market.workers.submit(assignment, fields, worker_id=worker)
