"""Messages from requesters to workers: NotifyWorkers, and the box that a worker reads them in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, exists, func, insert, select, update

from workforce.market import limits
from workforce.market.accounts import is_funded
from workforce.market.errors import invalid
from workforce.market.records import APPROVED, REJECTED
from workforce.market.unit import Context, Unit
from workforce.market.views import MessageView
from workforce.store.tables import accounts, assignments, hits, message_recipients, messages, workers
from workforce.store.times import from_ms

_MOST_WORKERS = 100
_MOST_COUNTED = 100
_RECEIVED = message_recipients.c.worker_id == bindparam("worker")
_REVIEWED: Select[Any] = select(workers.c.worker_id).where(
    workers.c.worker_id.in_(bindparam("workers", expanding=True)),
    exists()
    .where(
        assignments.c.worker_id == workers.c.worker_id,
        assignments.c.status.in_((APPROVED, REJECTED)),
        assignments.c.hit_seq == hits.c.seq,
        hits.c.account_id == bindparam("account"),
    )
    .correlate(workers),
)
_UNREAD = (
    select(message_recipients.c.message_seq)
    .where(_RECEIVED, message_recipients.c.read_ms.is_(None))
    .limit(_MOST_COUNTED)
)
_COUNT = select(func.count()).select_from(message_recipients).where(_RECEIVED)
_PAGE: Select[Any] = (
    select(messages, accounts.c.name, message_recipients.c.read_ms)
    .join_from(message_recipients, messages)
    .join(accounts, accounts.c.account_id == messages.c.account_id)
    .where(_RECEIVED)
    .order_by(message_recipients.c.message_seq.desc())
)


class Notices:
    """The operation that sends."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def notify(self, account: str, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """NotifyWorkers: only to workers of whom this requester approved or rejected work before.

        The others are reported, and the call succeeds.
        """
        subject = limits.message(params, "Subject", 200)
        text = limits.message(params, "MessageText")
        wanted = _worker_ids(params.get("WorkerIds"))
        with self._context.unit(now_ms) as unit:
            is_funded(unit.connection, account)
            known = _reviewed(unit.connection, account, wanted)
            deliver(unit, account, [worker for worker in wanted if worker in known], subject, text)
        return {"NotifyWorkersFailureStatuses": [_failure(each) for each in wanted if each not in known]}


class Inbox:
    """What a worker has been sent."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def unread(self, worker_id: str) -> int:
        """How many messages the worker has not seen; counted up to 100."""
        with self._context.store.read() as connection:
            return len(connection.execute(_UNREAD, {"worker": worker_id}).all())

    def count(self, worker_id: str) -> int:
        """How many messages the worker has been sent."""
        with self._context.store.read() as connection:
            return int(connection.execute(_COUNT, {"worker": worker_id}).scalar_one())

    def read(self, worker_id: str, *, limit: int, offset: int = 0) -> list[MessageView]:
        """Messages, the newest first, as they were before this call, which makes them read."""
        now_ms = self._context.now_ms()
        with self._context.store.read() as connection:
            rows = connection.execute(_PAGE.limit(limit).offset(offset), {"worker": worker_id}).all()
        new = [row.seq for row in rows if row.read_ms is None]
        if new:
            with self._context.store.write() as connection:
                box = message_recipients
                these = (box.c.worker_id == worker_id) & box.c.message_seq.in_(new) & box.c.read_ms.is_(None)
                connection.execute(update(box).where(these).values(read_ms=now_ms))
        return [
            MessageView(row.seq, row.name, row.subject, row.body, from_ms(row.at_ms), row.read_ms is None)
            for row in rows
        ]


def deliver(unit: Unit, account: str, worker_ids: Sequence[str], subject: str, text: str) -> None:
    """Put a message in the boxes of workers; nothing is sent to nobody."""
    if not worker_ids:
        return
    columns = {"account_id": account, "subject": subject, "body": text, "at_ms": unit.now_ms}
    seq = unit.connection.execute(insert(messages).returning(messages.c.seq), columns).scalar_one()
    rows = [{"worker_id": worker_id, "message_seq": seq} for worker_id in worker_ids]
    unit.connection.execute(insert(message_recipients), rows)


def _worker_ids(value: object) -> list[str]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise invalid("WorkerIds", "is required, with at least one worker")
    if len(value) > _MOST_WORKERS:
        raise invalid("WorkerIds", f"must be at most {_MOST_WORKERS} workers, got {len(value)}")
    return list(dict.fromkeys(limits.object_id({"WorkerIds": each}, "WorkerIds") for each in value))


def _reviewed(connection: Connection, account: str, wanted: Collection[str]) -> set[str]:
    return set(connection.execute(_REVIEWED, {"workers": list(wanted), "account": account}).scalars())


def _failure(worker_id: str) -> dict[str, str]:
    return {
        "NotifyWorkersFailureCode": "HardFailure",
        "NotifyWorkersFailureMessage": f"You have not approved or rejected any work of worker {worker_id}.",
        "WorkerId": worker_id,
    }
