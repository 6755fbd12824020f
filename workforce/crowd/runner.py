"""Runs the crowd in real time: one daemon thread, or step by step in tests."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime

from workforce.crowd.plan import CrowdPlan
from workforce.crowd.simulation import CrowdStats, Simulation
from workforce.market import Market

log = logging.getLogger("workforce.crowd")

_LONGEST_NAP = 0.25
_LONGEST_JUMP = 1.0
_REPORT_EVERY = 30.0


class CrowdRunner:
    """Lets the crowd of a plan loose on a market; `speed_up` crowd seconds pass in a real second."""

    def __init__(self, market: Market, plan: CrowdPlan) -> None:
        self._plan = plan
        self._simulation = Simulation(market, plan)
        self._started: datetime | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def stats(self) -> CrowdStats:
        """What the crowd has done so far."""
        return self._simulation.stats

    def step(self, now: datetime) -> float | None:
        """Do all that is due at `now` (the first call starts the crowd).

        Returns the seconds from `now` to the next event, None when there is none.
        """
        self._started = self._started or now
        elapsed = (now - self._started).total_seconds()
        return self._advance(elapsed)

    def start(self) -> None:
        """Start the thread; raises RuntimeError when it runs already."""
        if self._thread is not None:
            raise RuntimeError("this crowd is at work already; stop it before starting it again")
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="workforce-crowd", daemon=True)
        self._thread.start()
        log.info(
            "a crowd of %d comes to work, %g times as fast as life", self._plan.workers, self._plan.speed_up
        )

    def stop(self, timeout: float = 5.0) -> None:
        """Stop after the event that is under way; waits at most `timeout` seconds."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout)
            self._thread = None

    def _advance(self, elapsed: float) -> float | None:
        speed = self._plan.speed_up
        self._simulation.run_until(elapsed * speed, self._stop.is_set)
        due = self._simulation.next_event
        return None if due is None else max(due / speed - elapsed, 0.0)

    def _run(self) -> None:
        elapsed, reported, told = 0.0, 0.0, 0
        before = time.monotonic()
        while not self._stop.is_set():
            try:
                wait = self._advance(elapsed)
            except Exception:
                log.exception("the crowd stumbled; it goes on")
                wait = _LONGEST_NAP
            if elapsed - reported >= _REPORT_EVERY and self.stats.answers != told:
                reported, told = elapsed, self.stats.answers
                log.info("crowd: %s", self.stats)
            self._stop.wait(_LONGEST_NAP if wait is None else min(wait, _LONGEST_NAP))
            now = time.monotonic()
            # After a machine's sleep or a stalled database the crowd goes on, it does not catch up in a burst
            elapsed += min(now - before, _LONGEST_JUMP)
            before = now
