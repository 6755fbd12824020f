"""Opening the database, and the two kinds of transaction on it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import RLock
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import StaticPool

from workforce.store.errors import StoreError
from workforce.store.tables import meta, metadata

SCHEMA = "1"
_BUSY_MS = 30_000
_WRITE = "workforce_write"
_SCHEMA_LOCK = 7_264_013_559  # any constant: servers that start together make the tables one after another


class Store:
    """The database of one market; shared by threads, and on PostgreSQL by processes and machines.

    SQLite is opened in WAL mode with `synchronous=FULL`: neither killing the process nor a power failure
    loses what was committed. `?synchronous=NORMAL` in the URL trades the second of these for speed; the file
    stays consistent all the same.
    """

    def __init__(self, engine: Engine, *, lock: RLock | None, lock_reads: bool) -> None:
        self._engine = engine
        # SQLite has one writer: queueing here is fairer and quicker than its retry after a sleep
        self._write_lock = lock or nullcontext()
        self._read_lock = self._write_lock if lock_reads else nullcontext()
        self.secret = b""

    @classmethod
    def open(cls, url: str) -> Store:
        """Open `sqlite:///path`, `sqlite://` (in memory, for tests) or `postgresql://…`; make the tables.

        Raises StoreError if the URL is of another kind, the database cannot be reached, or its tables are
        of another version.
        """
        parsed = _parse(url)
        if parsed.get_backend_name() == "sqlite":
            store = _open_sqlite(parsed)
        else:
            store = cls(
                create_engine(parsed, pool_size=20, max_overflow=40, pool_pre_ping=True),
                lock=None,
                lock_reads=False,
            )
        try:
            store._prepare()
        except DBAPIError as error:
            store.close()
            shown = parsed.render_as_string(hide_password=True)
            raise StoreError(f"{shown}: cannot open the database: {error.orig}; check the URL") from error
        return store

    @property
    def dialect(self) -> str:
        """Either "sqlite" or "postgresql"."""
        return self._engine.dialect.name

    @contextmanager
    def read(self, *, snapshot: bool = False) -> Iterator[Connection]:
        """A transaction that only reads; with `snapshot`, all its statements see one moment."""
        with self._read_lock, self._engine.connect() as connection:
            if snapshot and self.dialect == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write; commits at the end, rolls back when an exception leaves it."""
        with self._write_lock, self._engine.connect() as connection:
            connection = connection.execution_options(**{_WRITE: True})
            with connection.begin():
                yield connection

    def insert(self, table: Table) -> Any:
        """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
        return sqlite.insert(table) if self.dialect == "sqlite" else postgresql.insert(table)

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def _prepare(self) -> None:
        with self.write() as connection:
            if self.dialect == "postgresql":
                connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _SCHEMA_LOCK})
            metadata.create_all(connection)
            for key, value in (("schema", SCHEMA), ("secret", secrets.token_hex(32))):
                connection.execute(self.insert(meta).on_conflict_do_nothing(), {"key": key, "value": value})
            found = {row.key: row.value for row in connection.execute(select(meta))}
        if found["schema"] != SCHEMA:
            raise StoreError(
                f"the database has tables of version {found['schema']}, this program needs {SCHEMA}; "
                "use the program that made it, or another database"
            )
        self.secret = bytes.fromhex(found["secret"])


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(f"{url!r} is not a database URL; use sqlite:///path or postgresql://…") from error
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername in ("sqlite", "postgresql+psycopg"):
        return parsed
    raise StoreError(f"{parsed.drivername}:// is not supported; use sqlite:///path or postgresql://…")


def _open_sqlite(url: URL) -> Store:
    synchronous = str(url.query.get("synchronous", "FULL")).upper()
    if synchronous not in ("NORMAL", "FULL", "EXTRA"):
        raise StoreError(f"synchronous={synchronous} in the database URL; use NORMAL, FULL or EXTRA")
    url = url.difference_update_query(["synchronous"])
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False, "timeout": _BUSY_MS / 1000}}
    in_memory = url.database in (None, "", ":memory:")
    if in_memory:
        options["poolclass"] = StaticPool
    else:
        folder = Path(url.database or "").parent
        if not folder.is_dir():
            raise StoreError(f"{url.database}: the folder {folder} does not exist; make it first")
        options |= {"pool_size": 20, "max_overflow": 40}
    engine = create_engine(url, **options)

    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver shall not begin transactions of its own
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            f"busy_timeout={_BUSY_MS}",
            "foreign_keys=ON",
            "cache_size=-65536",
            "temp_store=MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return Store(engine, lock=RLock(), lock_reads=in_memory)
