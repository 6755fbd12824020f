"""Reads the pages of HITs once, and remembers which ones the crowd can do nothing with."""

from __future__ import annotations

import logging
from collections import OrderedDict

from workforce.crowd.errors import UnreadableTask
from workforce.crowd.forms import RenderedTask, read_task
from workforce.market import MarketError
from workforce.market.workers import WorkerService

log = logging.getLogger("workforce.crowd")

_REMEMBERED = 2000


class TaskReader:
    """The rendered questions of the market, as the crowd sees them."""

    def __init__(self, workers: WorkerService, item_attribute: str) -> None:
        self._workers = workers
        self._item_attribute = item_attribute
        self._tasks: OrderedDict[str, RenderedTask | None] = OrderedDict()

    def workable(self, hit_id: str) -> bool:
        """Whether the crowd can do this HIT: people look at the page before they accept."""
        try:
            self.task(hit_id)
        except (UnreadableTask, MarketError):
            return False
        return True

    def task(self, hit_id: str) -> RenderedTask:
        """The page of a HIT; raises UnreadableTask, or MarketError when the HIT is gone."""
        if hit_id in self._tasks:
            self._tasks.move_to_end(hit_id)
        else:
            try:
                self._remember(hit_id, self._read(hit_id))
            except UnreadableTask as error:
                self.give_up(hit_id, error)
        task = self._tasks[hit_id]
        if task is None:
            raise UnreadableTask(f"HIT {hit_id} was given up before")
        return task

    def give_up(self, hit_id: str, why: UnreadableTask) -> None:
        """Remember that nobody of this crowd can do the HIT."""
        log.warning("the crowd leaves HIT %s alone: %s", hit_id, why)
        self._remember(hit_id, None)

    def _read(self, hit_id: str) -> RenderedTask:
        question = self._workers.question(hit_id)
        if question.kind != "html":
            raise UnreadableTask(f"its question is of kind {question.kind}; the crowd reads only html")
        return read_task(question.content, self._item_attribute)

    def _remember(self, hit_id: str, task: RenderedTask | None) -> None:
        self._tasks[hit_id] = task
        self._tasks.move_to_end(hit_id)
        while len(self._tasks) > _REMEMBERED:
            self._tasks.popitem(last=False)
