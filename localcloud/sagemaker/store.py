"""Everything SageMaker remembers: JSON documents by kind and name in one SQLite table.

One process owns the file. Every method is one transaction; all may be called from several threads.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

Document = dict[str, Any]

_TIME = "$time"

_metadata = MetaData()
_documents = Table(
    "documents",
    _metadata,
    Column("kind", String(64), primary_key=True),
    # names of SageMaker resources are unique regardless of case
    Column("name", String(256, collation="NOCASE"), primary_key=True),
    Column("body", Text, nullable=False),
)


class AlreadyStored(Exception):
    """A document of this kind and name exists."""


class DocumentStore:
    """Documents are plain dicts of JSON values and aware datetimes; callers get copies."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})
        event.listen(self._engine, "connect", _configure)
        _metadata.create_all(self._engine)
        self._writing = threading.RLock()

    def close(self) -> None:
        """Release the file."""
        self._engine.dispose()

    def insert(self, kind: str, name: str, document: Document) -> None:
        """Add a document; raises AlreadyStored."""
        row = {"kind": kind, "name": name, "body": _text(document)}
        try:
            with self._writing, self._engine.begin() as connection:
                connection.execute(insert(_documents).values(**row))
        except IntegrityError as error:
            raise AlreadyStored(name) from error

    def get(self, kind: str, name: str) -> Document | None:
        """Return the document, or None."""
        with self._engine.connect() as connection:
            body = connection.scalar(select(_documents.c.body).where(*_is(kind, name)))
        return None if body is None else _document(body)

    def update(self, kind: str, name: str, change: Callable[[Document], None]) -> Document | None:
        """Let ``change`` edit the document and store it, unless it raises.

        Returns the new state, None when there is no such document. ``change`` must not use the store.
        """
        with self._writing, self._engine.begin() as connection:
            body = connection.scalar(select(_documents.c.body).where(*_is(kind, name)))
            if body is None:
                return None
            document = _document(body)
            change(document)
            connection.execute(update(_documents).where(*_is(kind, name)).values(body=_text(document)))
        return document

    def delete(self, kind: str, name: str) -> bool:
        """Remove the document; tells whether there was one."""
        with self._writing, self._engine.begin() as connection:
            return connection.execute(delete(_documents).where(*_is(kind, name))).rowcount > 0

    def all(self, kind: str) -> list[Document]:
        """Return all documents of a kind, by name."""
        query = select(_documents.c.body).where(_documents.c.kind == kind).order_by(_documents.c.name)
        with self._engine.connect() as connection:
            return [_document(body) for body in connection.scalars(query)]


def _is(kind: str, name: str) -> tuple[Any, Any]:
    return _documents.c.kind == kind, _documents.c.name == name


def _configure(connection: Any, _record: Any) -> None:
    # a commit survives the process being killed at any moment; readers never wait for a writer
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _text(document: Document) -> str:
    return json.dumps(document, default=_encode, ensure_ascii=False, separators=(",", ":"))


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return {_TIME: value.astimezone(UTC).isoformat()}
    raise TypeError(f"{type(value).__name__} cannot be stored")


def _document(body: str) -> Document:
    document: Document = json.loads(body, object_hook=_decode)
    return document


def _decode(value: dict[str, Any]) -> Any:
    return datetime.fromisoformat(value[_TIME]) if value.keys() == {_TIME} else value
