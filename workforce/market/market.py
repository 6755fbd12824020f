"""The front door of the market."""

from __future__ import annotations

from workforce.clock import Clock, SystemClock
from workforce.market.audit import audit
from workforce.market.calls import CallCounter
from workforce.market.history import History
from workforce.market.messages import Inbox
from workforce.market.requester import RequesterService
from workforce.market.sessions import SessionEpochs
from workforce.market.settings import MarketSettings
from workforce.market.timers import Timers
from workforce.market.tokens import Tokens
from workforce.market.unit import Context
from workforce.market.workers import WorkerService
from workforce.store import Store


class Market:
    """One market on one store; every public call is one transaction, and may be made from any thread."""

    def __init__(
        self, store: Store, settings: MarketSettings | None = None, clock: Clock | None = None
    ) -> None:
        self.store = store
        self.settings = settings or MarketSettings()
        self.clock: Clock = clock or SystemClock()
        self._context = Context(store, self.settings, self.clock)
        self._timers = Timers(self._context)
        self._calls = CallCounter(self._context)
        self.requester = RequesterService(self._context, self._timers)
        self.workers = WorkerService(self._context, self._timers)
        self.inbox = Inbox(self._context)
        self.history = History(self._context)
        self.sessions = SessionEpochs(self._context)

    def run_timers(self) -> None:
        """Do what is due: expiry, abandonment, automatic approval, disposal, forgetting of old tokens.

        Every call does so too for what it could see; call this now and then so that a quiet server keeps up.
        """
        now_ms = self._context.now_ms()
        self._timers.run(now_ms)
        Tokens(self._context).purge(now_ms)
        self._calls.flush()

    def count_call(self, account: str, operation: str) -> None:
        """Count one authenticated API request."""
        self._calls.count(account, operation)

    def counts(self, account: str) -> dict[str, int]:
        """API requests per operation since the database was made."""
        return self._calls.counts(account)

    def audit(self, account: str) -> list[str]:
        """Recompute the account from its journal, HITs and assignments; one sentence per difference found.

        Raises RequestError for an unknown account.
        """
        return audit(self.store, account)
