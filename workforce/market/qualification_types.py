"""Qualification types of requesters: a name for something that a worker can be given a value of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, or_, select, true, update

from workforce.market import limits
from workforce.market.accounts import is_funded
from workforce.market.errors import PREFIX, NotImplementedYet, RequestError, invalid, unknown, wrong_state
from workforce.market.ids import new_id
from workforce.market.paging import Cursor, Pages
from workforce.market.qualifications import SYSTEM_TYPES, custom_types, is_system_type
from workforce.market.shapes import FULL_HIT, hit_shapes
from workforce.market.unit import Context
from workforce.store.tables import hit_types, hits, qualification_types
from workforce.store.times import from_ms_whole

_STATUSES = ("Active", "Inactive")
_NOT_YET = ("Test", "AnswerKey", "TestDurationInSeconds", "AutoGranted")
_OWN: Select[Any] = select(qualification_types).where(
    qualification_types.c.account_id == bindparam("account")
)
_ONE = _OWN.where(qualification_types.c.type_id == bindparam("type_id"))
_SEVERAL = _OWN.where(qualification_types.c.type_id.in_(bindparam("type_ids", expanding=True)))
_LIVE = _OWN.where(qualification_types.c.deleted_ms.is_(None)).order_by(qualification_types.c.seq)
_FROM_SYSTEM = 1  # first number of a cursor: in the requester's own types, or past them


class QualificationTypes:
    """The operations on types."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pages = Pages(context.store.secret)

    def create(self, account: str, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """CreateQualificationType; a requester's types have different names."""
        _check_supported(params)
        name = limits.text(params, "Name", 200)
        columns = {
            "type_id": new_id(),
            "account_id": account,
            "name": name,
            "live_name": name,
            "keywords": limits.optional_text(params, "Keywords", 1000),
            "description": limits.text(params, "Description", 2000),
            "status": _status(params),
            "retry_delay_s": _retry_delay(params),
            "created_ms": now_ms,
        }
        with self._context.unit(now_ms) as unit:
            is_funded(unit.connection, account)
            statement = self._context.store.insert(qualification_types).values(columns)
            statement = statement.on_conflict_do_nothing(index_elements=["account_id", "live_name"])
            made = unit.connection.execute(statement.returning(qualification_types)).first()
        if made is None:
            raise RequestError(
                "You have already created a QualificationType with this name. A QualificationType's name "
                "must be unique among all of the QualificationTypes created by the same user.",
                f"{PREFIX}QualificationTypeAlreadyExists",
            )
        return {"QualificationType": _shape(made)}

    def get(self, account: str, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
        """GetQualificationType: the requester's own, or one of the system's."""
        type_id = limits.object_id(params, "QualificationTypeId")
        with self._context.store.read() as connection:
            is_funded(connection, account)
            if type_id in SYSTEM_TYPES:
                return {"QualificationType": _system_shape(type_id)}
            return {"QualificationType": _shape(own_type(connection, account, params))}

    def update(self, account: str, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """UpdateQualificationType: description, status, retry delay; the name stays."""
        _check_supported(params)
        changes: dict[str, Any] = {}
        if params.get("Description") is not None:
            changes["description"] = limits.text(params, "Description", 2000)
        if params.get("QualificationTypeStatus") is not None:
            changes["status"] = _status(params)
        if params.get("RetryDelayInSeconds") is not None:
            changes["retry_delay_s"] = _retry_delay(params)
        with self._context.unit(now_ms) as unit:
            is_funded(unit.connection, account)
            found = own_type(unit.connection, account, params, lock=True)
            if changes:
                unit.connection.execute(_change(found).values(**changes))
            return {"QualificationType": _shape(own_type(unit.connection, account, params))}

    def delete(self, account: str, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """DeleteQualificationType: no HIT can be made with it any more, those that exist keep their guard."""
        type_id = limits.object_id(params, "QualificationTypeId")
        with self._context.unit(now_ms) as unit:
            is_funded(unit.connection, account)
            found = _find(unit.connection, account, type_id, lock=True)
            if found is None:
                raise unknown("QualificationType", type_id)
            if found.deleted_ms is not None:
                raise wrong_state("QualificationType", "Active,Inactive")
            unit.connection.execute(_change(found).values(deleted_ms=now_ms, live_name=None))
        return {}

    def found(self, account: str, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
        """ListQualificationTypes: the requester's own first, then the system's unless they are unwanted."""
        size = limits.page_size(params, self._context.settings.default_max_results)
        words = (limits.optional_text(params, "Query", 1000) or "").lower().split()
        requestable = bool(params.get("MustBeRequestable", False))
        own_only = bool(params.get("MustBeOwnedByCaller", False)) or requestable
        bound = ("ListQualificationTypes", account, str(requestable), str(own_only), *words)
        stage, position = self._pages.cursor(params.get("NextToken"), *bound) or (0, 0)
        query = _LIVE.limit(size)
        if requestable:
            query = query.where(qualification_types.c.status == "Active")
        for word in words:
            query = query.where(_mentions(word))
        with self._context.store.read() as connection:
            is_funded(connection, account)
            after = query.where(qualification_types.c.seq > position)
            rows = connection.execute(after, {"account": account}).all() if stage == 0 else []
        shapes = [_shape(row) for row in rows]
        last: Cursor | None = (0, rows[-1].seq) if rows else None
        if not own_only and len(shapes) < size:
            start = position if stage == _FROM_SYSTEM else 0
            system = _system_found(words)[start : start + size - len(shapes)]
            shapes += [_system_shape(type_id) for type_id in system]
            last = (_FROM_SYSTEM, start + len(system)) if system else last
        return self._pages.page("QualificationTypes", shapes, last, bound)

    def hits(self, account: str, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
        """ListHITsForQualificationType: own HITs that require it, unless deleted; the newest first."""
        size = limits.page_size(params, self._context.settings.default_max_results)
        type_id = limits.object_id(params, "QualificationTypeId")
        bound = ("ListHITsForQualificationType", account, type_id)
        cursor = self._pages.cursor(params.get("NextToken"), *bound)
        requiring = select(hit_types.c.hit_type_id).where(
            hit_types.c.account_id == account,
            hit_types.c.guarded == true(),
            # as json.dumps writes it
            hit_types.c.requirements.contains(f'"QualificationTypeId": "{type_id}"', autoescape=True),
        )
        query = FULL_HIT.where(
            hits.c.account_id == account, hits.c.deleted_ms.is_(None), hits.c.hit_type_id.in_(requiring)
        )
        query = query.where(hits.c.seq < cursor[0]) if cursor else query
        with self._context.store.read() as connection:
            is_funded(connection, account)
            if not is_system_type(type_id):
                own_type(connection, account, params)
            rows = connection.execute(query.order_by(hits.c.seq.desc()).limit(size)).all()
        return self._pages.page("HITs", hit_shapes(rows), (rows[-1].seq, 0) if rows else None, bound)


def own_type(
    connection: Connection, account: str, params: Mapping[str, Any], *, lock: bool = False
) -> Row[Any]:
    """The requester's type of QualificationTypeId; with `lock`, others wait to change it or grant it.

    Raises RequestError (QualificationTypeDoesNotExist) if there is none, it is deleted, the system's or
    another account's.
    """
    type_id = limits.object_id(params, "QualificationTypeId")
    found = _find(connection, account, type_id, lock=lock)
    if found is None or found.deleted_ms is not None:
        raise unknown("QualificationType", type_id)
    return found


def check_requirements(connection: Connection, account: str, requirements: str) -> None:
    """Raise RequestError unless HITs can be made with requirements (JSON): all types there and active."""
    type_ids = sorted(custom_types(json.loads(requirements)))
    if not type_ids:
        return
    found = connection.execute(_SEVERAL, {"account": account, "type_ids": type_ids})
    statuses = {row.type_id: row.status for row in found if row.deleted_ms is None}
    for type_id in type_ids:
        if type_id not in statuses:
            raise unknown("QualificationType", type_id)
        if statuses[type_id] != "Active":
            raise wrong_state("QualificationType", "Active")


def _find(connection: Connection, account: str, type_id: str, *, lock: bool) -> Row[Any] | None:
    query = _ONE.with_for_update() if lock else _ONE
    return connection.execute(query, {"account": account, "type_id": type_id}).one_or_none()


def _change(found: Row[Any]) -> Any:
    return update(qualification_types).where(qualification_types.c.seq == found.seq)


def _check_supported(params: Mapping[str, Any]) -> None:
    for name in _NOT_YET:
        if params.get(name):
            raise NotImplementedYet(f"{name} of a qualification type (grant it to workers instead)")


def _status(params: Mapping[str, Any]) -> str:
    status = params.get("QualificationTypeStatus")
    if status not in _STATUSES:
        raise invalid("QualificationTypeStatus", f"must be {' or '.join(_STATUSES)}")
    return str(status)


def _retry_delay(params: Mapping[str, Any]) -> int | None:
    if params.get("RetryDelayInSeconds") is None:
        return None
    return limits.whole(params, "RetryDelayInSeconds", 0, 2**62)


def _mentions(word: str) -> Any:
    columns = (
        qualification_types.c.name,
        qualification_types.c.keywords,
        qualification_types.c.description,
    )
    return or_(*(column.icontains(word, autoescape=True) for column in columns))


def _system_found(words: list[str]) -> list[str]:
    return [
        type_id
        for type_id, (name, description) in SYSTEM_TYPES.items()
        if all(word in f"{name} {description}".lower() for word in words)
    ]


def _system_shape(type_id: str) -> dict[str, Any]:
    name, description = SYSTEM_TYPES[type_id]
    return {
        "QualificationTypeId": type_id,
        "Name": name,
        "Description": description,
        "QualificationTypeStatus": "Active",
        "IsRequestable": False,
    }


def _shape(row: Row[Any]) -> dict[str, Any]:
    shape = {
        "QualificationTypeId": row.type_id,
        "CreationTime": from_ms_whole(row.created_ms),
        "Name": row.name,
        "Description": row.description,
        "Keywords": row.keywords,
        "QualificationTypeStatus": row.status,
        "RetryDelayInSeconds": row.retry_delay_s,
        "IsRequestable": True,
        "AutoGranted": False,
    }
    return {name: value for name, value in shape.items() if value is not None}
