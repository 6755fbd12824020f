"""The front door of the market."""

from __future__ import annotations

from workforce.clock import Clock, SystemClock
from workforce.market.requester import RequesterService
from workforce.market.settings import MarketSettings
from workforce.market.workers import WorkerService
from workforce.store import Store


class Market:
    """One market on one store; every public call is one transaction."""

    requester: RequesterService
    workers: WorkerService

    def __init__(
        self, store: Store, settings: MarketSettings | None = None, clock: Clock | None = None
    ) -> None:
        self.store = store
        self.settings = settings or MarketSettings()
        self.clock: Clock = clock or SystemClock()

    def run_timers(self) -> None:
        """Do what is due: expiry, abandonment, auto-approval, disposal."""
        raise NotImplementedError

    def count_call(self, account: str, operation: str) -> None:
        """Count one authenticated API request."""
        raise NotImplementedError

    def counts(self, account: str) -> dict[str, int]:
        """API requests per operation since the database was made."""
        raise NotImplementedError

    def audit(self, account: str) -> list[str]:
        """Recompute the account from its journal and HITs; one sentence per difference found."""
        raise NotImplementedError
