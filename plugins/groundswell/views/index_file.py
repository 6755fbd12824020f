"""The SQLite file of an index: made when needed, shared between processes, thrown away when it is no good."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from groundswell.errors import LedgerError

#: Files of another version are made anew.
VERSION = 3
#: Wait so long for another process's write, in seconds.
_PATIENCE = 10.0
_CACHE_KIB = 65_536
#: Pages that are given back to the disk at once.
_FREE_PAGES = 10_000
_MB = 1_000_000
#: What SQLite keeps beside a file.
_BESIDE = ("", "-wal", "-shm", "-journal")

#: Sorts of items that have an index: name -> column. Each index also holds what is filtered by.
SORTED = {
    "item": "item COLLATE NOCASE",
    "status": "status",
    "label": "label",
    "answers": "answers",
    "agreement": "agreement",
    "confidence": "confidence",
    "cents": "cents",
    "last": "last",
}
_INDEXES = {f"by_{name}": f"{column}, id, status, label" for name, column in SORTED.items()} | {
    "by_status": "status, id, label",
    "by_label": "label, id, status",
}

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parts (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS parts_to_do ON parts (kind, id) WHERE done = 0;
CREATE TABLE IF NOT EXISTS items (
    id INTEGER PRIMARY KEY,
    item TEXT NOT NULL,
{columns}
);
CREATE TABLE IF NOT EXISTS fresh (
    place INTEGER,
    item TEXT NOT NULL,
{columns}
);
CREATE TABLE IF NOT EXISTS staged (id INTEGER PRIMARY KEY, heap INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS staged_heaps ON staged (heap);
CREATE TABLE IF NOT EXISTS packs (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS records (item INTEGER PRIMARY KEY, body TEXT NOT NULL, tally TEXT);
CREATE TABLE IF NOT EXISTS given (id INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS names (place INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS dirty (
    pack INTEGER NOT NULL, item INTEGER NOT NULL, PRIMARY KEY (pack, item)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS loose (
    kind TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, body)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS labels (id INTEGER PRIMARY KEY, label TEXT UNIQUE);
INSERT OR IGNORE INTO labels VALUES (0, NULL);
CREATE TABLE IF NOT EXISTS workers (
    id INTEGER PRIMARY KEY,
    worker TEXT NOT NULL UNIQUE,
    answers INTEGER NOT NULL DEFAULT 0,
    quarantined INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    cents INTEGER NOT NULL DEFAULT 0,
    seconds INTEGER NOT NULL DEFAULT 0,
    timed INTEGER NOT NULL DEFAULT 0,
    judged INTEGER NOT NULL DEFAULT 0,
    agreed INTEGER NOT NULL DEFAULT 0,
    last TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS tallies (
    status INTEGER NOT NULL, label INTEGER NOT NULL,
    items INTEGER NOT NULL DEFAULT 0,
    answers INTEGER NOT NULL DEFAULT 0,
    cents INTEGER NOT NULL DEFAULT 0,
    quarantined INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    withheld INTEGER NOT NULL DEFAULT 0,
    extended INTEGER NOT NULL DEFAULT 0,
    leading INTEGER NOT NULL DEFAULT 0,
    judged INTEGER NOT NULL DEFAULT 0,
    labelled INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (status, label)
) WITHOUT ROWID;
"""
# part: of the dataset, where its columns are; pack and given: where its first rows and its label's row are;
# lead: the label that most answers have; label: what a consolidation gave it, else lead
_ITEM_COLUMNS = """\
    part INTEGER,
    pack INTEGER NOT NULL DEFAULT 0,
    given INTEGER NOT NULL DEFAULT 0,
    lead INTEGER NOT NULL DEFAULT 0,
    status INTEGER NOT NULL DEFAULT -1,
    label INTEGER NOT NULL DEFAULT 0,
    answers INTEGER NOT NULL DEFAULT 0,
    seats INTEGER NOT NULL DEFAULT 0,
    agreement REAL NOT NULL DEFAULT -1,
    confidence REAL NOT NULL DEFAULT -1,
    cents INTEGER NOT NULL DEFAULT 0,
    last TEXT NOT NULL DEFAULT '',
    quarantined INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    withheld INTEGER NOT NULL DEFAULT 0,
    extended INTEGER NOT NULL DEFAULT 0,
    leading INTEGER NOT NULL DEFAULT 0,
    judged INTEGER NOT NULL DEFAULT 0,
    labelled INTEGER NOT NULL DEFAULT 0"""

T = TypeVar("T")


class IndexFile:
    """An SQLite file that may be thrown away at any time: all that it says is in the ledger.

    :param path: the file; its folder exists and is private.
    :param limit_bytes: what the file may grow to.
    """

    def __init__(self, path: Path, limit_bytes: int) -> None:
        self.path = path
        self.limit_bytes = limit_bytes

    def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Return what a question finds in one consistent look; in an empty index where there is none yet.

        :raises LedgerError: the file cannot be read now.
        """
        for _ in range(2):
            try:
                with contextlib.closing(self._reader()) as db:
                    db.execute("BEGIN")
                    return question(db)
            except sqlite3.DatabaseError as error:
                self._give_up_unless_damaged(error)
        raise LedgerError(f"{self.path}: the index is damaged again and again; look at the disk")

    def work(self, task: Callable[[sqlite3.Connection], T]) -> T:
        """Let a task write; where the file turns out to be damaged, once more in an empty one.

        :raises LedgerError: the file cannot be written now.
        """
        for _ in range(2):
            try:
                with contextlib.closing(self._writer()) as db:
                    return task(db)
            except sqlite3.DatabaseError as error:
                self._give_up_unless_damaged(error)
        raise LedgerError(f"{self.path}: the index is damaged again and again; look at the disk")

    @contextlib.contextmanager
    def lock(self) -> Iterator[bool]:
        """Hold the right to bring the file up to date, or yield False where another process or thread does.

        It saves work: the file stays right without it.
        """
        descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)

    def discard(self) -> None:
        """Remove the file; who has it open goes on with what it was."""
        for ending in _BESIDE:
            self.path.with_name(self.path.name + ending).unlink(missing_ok=True)

    def _give_up_unless_damaged(self, error: sqlite3.DatabaseError) -> None:
        # Only a damaged file is reported by the base class itself
        if type(error) is not sqlite3.DatabaseError:
            raise LedgerError(
                f"{self.path}: {error}; free disk space, or raise the limit of an index's size, which is "
                f"{self.limit_bytes // _MB} MB"
                if "full" in str(error)
                else f"the index {self.path} cannot be used now: {error}"
            ) from error
        self.discard()

    def _reader(self) -> sqlite3.Connection:
        if self.path.exists():
            with _closed_on_error(_connect(self.path)) as db:
                if _version(db) == VERSION:
                    db.execute("PRAGMA query_only = 1")
                    return db
            db.close()
        db = sqlite3.connect(":memory:", isolation_level=None)
        _create(db)
        return db

    def _writer(self) -> sqlite3.Connection:
        # Before SQLite makes it, so that nobody else can read it for a moment
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        with _closed_on_error(_connect(self.path)) as db:
            version = _version(db)
            if version in (0, VERSION):
                self._prepare(db, new=version == 0)
                return db
        db.close()
        self.discard()
        return self._writer()

    def _prepare(self, db: sqlite3.Connection, *, new: bool) -> None:
        if new:
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        page = int(db.execute("PRAGMA page_size").fetchone()[0])
        db.execute(f"PRAGMA max_page_count = {max(1, self.limit_bytes // page)}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        if new:
            _create(db)


@contextlib.contextmanager
def _closed_on_error(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield db
    except BaseException:
        db.close()
        raise


def make_indexes(db: sqlite3.Connection) -> bool:
    """Make one of the indexes by which pages of items are found; return whether one was missing.

    They are made once the first look at a ledger is complete: keeping them up to date from the beginning
    would cost far more.
    """
    there = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    missing = [name for name in _INDEXES if name not in there]
    for name in missing[:1]:
        make_index(db, name)
    return bool(missing)


def make_index(db: sqlite3.Connection, name: str) -> None:
    """Make one of the indexes by which pages of items are found."""
    db.execute(f"CREATE INDEX IF NOT EXISTS {name} ON items ({_INDEXES[name]})")


def give_back(db: sqlite3.Connection) -> bool:
    """Give some of what the file does not need any more back to the disk; return whether there was enough."""
    [free], [pages] = (db.execute(f"PRAGMA {name}").fetchone() for name in ("freelist_count", "page_count"))
    if free < max(256, pages // 8):
        return False
    db.execute(f"PRAGMA incremental_vacuum({_FREE_PAGES})").fetchall()
    return True


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)


def _version(db: sqlite3.Connection) -> int:
    db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _create(db: sqlite3.Connection) -> None:
    # All at once: another process sees no table of it, or all
    tables = _TABLES.format(columns=_ITEM_COLUMNS)
    db.executescript(f"BEGIN IMMEDIATE;{tables}PRAGMA user_version = {VERSION};COMMIT;")
