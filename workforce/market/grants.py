"""Who has which qualification, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, insert, select, update

from workforce.market import limits
from workforce.market.accounts import is_funded
from workforce.market.errors import invalid, unknown, wrong_state
from workforce.market.messages import deliver
from workforce.market.paging import Pages
from workforce.market.qualification_types import own_type
from workforce.market.qualifications import WorkerRecord
from workforce.market.unit import Context
from workforce.store.tables import qualifications
from workforce.store.times import from_ms_whole

GRANTED, REVOKED = "Granted", "Revoked"
_VALUES = 2**31
_ONE: Select[Any] = select(qualifications).where(
    qualifications.c.type_id == bindparam("type_id"), qualifications.c.worker_id == bindparam("worker")
)
_OF_WORKER = select(qualifications.c.type_id, qualifications.c.value).where(
    qualifications.c.worker_id == bindparam("worker"), qualifications.c.revoked_ms.is_(None)
)


class Grants:
    """The operations that give qualifications, take them away, and tell who has them."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pages = Pages(context.store.secret)

    def associate(self, account: str, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """AssociateQualificationWithWorker: grants, or changes the value of what is granted.

        The worker gets a message of a new one, unless SendNotification is false.
        """
        worker_id = limits.object_id(params, "WorkerId")
        value = limits.whole(params, "IntegerValue", -_VALUES, _VALUES - 1, 1)
        with self._context.unit(now_ms) as unit:
            is_funded(unit.connection, account)
            found = own_type(unit.connection, account, params, lock=True)
            before = _find(unit.connection, found.type_id, worker_id)
            if before is None:
                columns = {"type_id": found.type_id, "worker_id": worker_id, "value": value}
                unit.connection.execute(insert(qualifications), columns | {"granted_ms": now_ms})
            elif before.revoked_ms is not None:
                _change(unit.connection, before, value=value, granted_ms=now_ms, revoked_ms=None)
            else:
                _change(unit.connection, before, value=value)
                return {}
            if params.get("SendNotification") is not False:
                subject = f'You now have the qualification "{found.name}"'
                deliver(unit, account, [worker_id], subject, found.description)
        return {}

    def disassociate(self, account: str, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """DisassociateQualificationFromWorker; a Reason is shown to the worker."""
        worker_id = limits.object_id(params, "WorkerId")
        reason = limits.message(params, "Reason") if params.get("Reason") else None
        with self._context.unit(now_ms) as unit:
            is_funded(unit.connection, account)
            found = own_type(unit.connection, account, params, lock=True)
            granted = _granted(unit.connection, found.type_id, worker_id)
            _change(unit.connection, granted, revoked_ms=now_ms)
            if reason is not None:
                subject = f'You no longer have the qualification "{found.name}"'
                deliver(unit, account, [worker_id], subject, reason)
        return {}

    def score(self, account: str, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
        """GetQualificationScore of what is granted now."""
        worker_id = limits.object_id(params, "WorkerId")
        with self._context.store.read() as connection:
            is_funded(connection, account)
            found = own_type(connection, account, params)
            return {"Qualification": _shape(_granted(connection, found.type_id, worker_id))}

    def workers(self, account: str, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
        """ListWorkersWithQualificationType: Granted ones, unless Status says Revoked; the first one first."""
        size = limits.page_size(params, self._context.settings.default_max_results)
        status = params.get("Status") or GRANTED
        if status not in (GRANTED, REVOKED):
            raise invalid("Status", f"must be {GRANTED} or {REVOKED}")
        with self._context.store.read() as connection:
            is_funded(connection, account)
            type_id = own_type(connection, account, params).type_id
            bound = ("ListWorkersWithQualificationType", account, type_id, status)
            cursor = self._pages.cursor(params.get("NextToken"), *bound)
            revoked = qualifications.c.revoked_ms
            query = select(qualifications).where(
                qualifications.c.type_id == type_id,
                revoked.is_(None) if status == GRANTED else revoked.is_not(None),
                qualifications.c.seq > (cursor[0] if cursor else 0),
            )
            rows = connection.execute(query.order_by(qualifications.c.seq).limit(size)).all()
        last = (rows[-1].seq, 0) if rows else None
        return self._pages.page("Qualifications", [_shape(row) for row in rows], last, bound)


def record_of(connection: Connection, worker: Row[Any]) -> WorkerRecord:
    """What the requirements of HITs are compared with, for a row of `workers`."""
    granted = connection.execute(_OF_WORKER, {"worker": worker.worker_id})
    return WorkerRecord(
        submitted=worker.submitted,
        approved=worker.approved,
        granted={row.type_id: row.value for row in granted},
    )


def _find(connection: Connection, type_id: str, worker_id: str) -> Row[Any] | None:
    return connection.execute(_ONE, {"type_id": type_id, "worker": worker_id}).one_or_none()


def _granted(connection: Connection, type_id: str, worker_id: str) -> Row[Any]:
    found = _find(connection, type_id, worker_id)
    if found is None:
        raise unknown("Qualification", f"{type_id} of worker {worker_id}")
    if found.revoked_ms is not None:
        raise wrong_state("Qualification", GRANTED)
    return found


def _change(connection: Connection, found: Row[Any], **columns: object) -> None:
    connection.execute(update(qualifications).where(qualifications.c.seq == found.seq).values(**columns))


def _shape(row: Row[Any]) -> dict[str, Any]:
    return {
        "QualificationTypeId": row.type_id,
        "WorkerId": row.worker_id,
        "GrantTime": from_ms_whole(row.granted_ms),
        "IntegerValue": row.value,
        "Status": GRANTED if row.revoked_ms is None else REVOKED,
    }
