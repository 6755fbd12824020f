"""Time: one clock for the run, the workforce and the people, which moves only when it is told to."""

from __future__ import annotations

import contextlib
import datetime as real
import heapq
import importlib
import itertools
import pkgutil
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from typing import Any
from unittest import mock

START = real.datetime(2026, 3, 2, 8, tzinfo=UTC)


class World:
    """
    The clock, and what people have planned to do.

    Waiting costs no time: whoever would sleep calls :meth:`advance` instead, and everything that is due in
    between happens on the way.
    """

    def __init__(self) -> None:
        self._now = START
        self._plans: list[tuple[real.datetime, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._lock = threading.RLock()

    def now(self) -> real.datetime:
        """The present, aware, in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since the start."""
        return (self._now - START).total_seconds()

    def plan(self, seconds: float, act: Callable[[], None]) -> None:
        """Let something happen so many seconds from now."""
        with self._lock:
            due = self._now + timedelta(seconds=seconds)
            heapq.heappush(self._plans, (due, next(self._numbers), act))

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            target = self._now + timedelta(seconds=seconds)
            while self._plans and self._plans[0][0] <= target:
                due, _, act = heapq.heappop(self._plans)
                self._now = max(self._now, due)
                act()
            self._now = max(self._now, target)


class _AnyDatetime(type):
    """Lets what other libraries made with the real class pass for instances of the replacement."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, real.datetime)


@contextlib.contextmanager
def time_of(current: Callable[[], World]) -> Iterator[None]:
    """Let all modules of the product take the time from the current world."""

    class WorldDatetime(real.datetime, metaclass=_AnyDatetime):
        @classmethod
        def now(cls, tz: real.tzinfo | None = None) -> Any:
            return current().now().astimezone(tz)

    with contextlib.ExitStack() as patches:
        for module in _product_modules():
            if getattr(module, "datetime", None) is real.datetime:
                patches.enter_context(mock.patch.object(module, "datetime", WorldDatetime))
        yield


def _product_modules() -> list[Any]:
    package = importlib.import_module("groundswell")
    names = [each.name for each in pkgutil.walk_packages(package.__path__, "groundswell.")]
    for name in names:
        if ".ui" not in name:
            importlib.import_module(name)
    return [module for name, module in list(sys.modules.items()) if name.startswith("groundswell.")]
