"""Keeps a quiet market up to date: what is due happens without anybody calling."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Self

from workforce.market import Market

logger = logging.getLogger(__name__)

_EVERY_SECONDS = 5.0


class Housekeeping:
    """Runs the market's timers every few seconds in a thread, and once more at the end.

    Use it as a context manager around whatever serves the market.
    """

    def __init__(self, market: Market, every_seconds: float = _EVERY_SECONDS) -> None:
        self._market = market
        self._every = every_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="workforce-housekeeping", daemon=True)

    def start(self) -> None:
        """Start the thread; an object can be started once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and run the timers a last time; call it before the store is closed."""
        self._stop.set()
        self._thread.join()
        self._tidy()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self._tidy()

    def _tidy(self) -> None:
        try:
            self._market.run_timers()
        except Exception:
            logger.exception("housekeeping failed; the next round tries again")
