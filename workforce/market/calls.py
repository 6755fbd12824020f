"""How often each operation was called: counted in memory, written once a second and when asked."""

from __future__ import annotations

from collections import Counter
from threading import Lock
from time import monotonic

from sqlalchemy import select

from workforce.market.unit import Context
from workforce.store.tables import api_calls

_EVERY_S = 1.0


class CallCounter:
    """Counts API requests. A killed server forgets at most the last second of them."""

    def __init__(self, context: Context) -> None:
        self._store = context.store
        self._lock = Lock()
        self._new: Counter[tuple[str, str]] = Counter()
        self._written = monotonic()

    def count(self, account: str, operation: str) -> None:
        """Count one request."""
        with self._lock:
            self._new[account, operation] += 1
            due = monotonic() - self._written >= _EVERY_S
        if due:
            self.flush()

    def counts(self, account: str) -> dict[str, int]:
        """Requests per operation since the database was made."""
        self.flush()
        with self._store.read() as connection:
            query = select(api_calls.c.operation, api_calls.c.calls).where(api_calls.c.account_id == account)
            rows = connection.execute(query.order_by(api_calls.c.operation))
            return {row.operation: row.calls for row in rows}

    def flush(self) -> None:
        """Write what has been counted since the last time."""
        with self._lock:
            new, self._new = self._new, Counter()
            self._written = monotonic()
        if not new:
            return
        statement = self._store.insert(api_calls)
        statement = statement.on_conflict_do_update(
            index_elements=["account_id", "operation"],
            set_={"calls": api_calls.c.calls + statement.excluded.calls},
        )
        rows = [
            {"account_id": account, "operation": operation, "calls": calls}
            for (account, operation), calls in sorted(new.items())
        ]
        with self._store.write() as connection:
            connection.execute(statement, rows)
