"""Which sign-ins of a worker still count."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from workforce.market.unit import Context
from workforce.store.tables import session_epochs

_EPOCH = select(session_epochs.c.epoch).where(session_epochs.c.worker_id == bindparam("worker"))


class SessionEpochs:
    """A number per worker; a session is good while the number is the one it began with."""

    def __init__(self, context: Context) -> None:
        self._store = context.store

    def current(self, worker_id: str) -> int:
        """The worker's number; 0 until the first sign-out."""
        with self._store.read() as connection:
            return connection.execute(_EPOCH, {"worker": worker_id}).scalar_one_or_none() or 0

    def end(self, worker_id: str) -> None:
        """End all sessions of a worker, in every browser."""
        statement = self._store.insert(session_epochs).values(worker_id=worker_id, epoch=1)
        statement = statement.on_conflict_do_update(
            index_elements=["worker_id"], set_={"epoch": session_epochs.c.epoch + 1}
        )
        with self._store.write() as connection:
            connection.execute(statement)
