"""Where the time comes from, so that tests can move it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The present, aware, in UTC."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """The present, aware, in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is told to move; safe to share between threads."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("ManualClock needs an aware datetime; add tzinfo=UTC")
        self._now = start.astimezone(UTC)
        self._lock = Lock()

    def now(self) -> datetime:
        """The instant the clock was last set to, in UTC."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        """Move forward by a number of seconds; raises ValueError when asked to move back."""
        if seconds < 0:
            raise ValueError("a clock does not run backwards; advance by zero or more seconds")
        with self._lock:
            self._now += timedelta(seconds=seconds)
