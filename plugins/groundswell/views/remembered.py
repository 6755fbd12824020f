"""What an index remembers about itself, and transactions on it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Overtaken(Exception):
    """Another process has done this work meanwhile."""


def get(db: sqlite3.Connection, name: str) -> Any:
    """Return a remembered value, or None."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return None if row is None else json.loads(row[0])


def put(db: sqlite3.Connection, name: str, value: Any) -> None:
    """Remember a value, which JSON can hold."""
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, json.dumps(value)))


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Write all that is written within, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if db.in_transaction:  # SQLite has ended it where the disk is full
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def take_parts(db: sqlite3.Connection, numbers: list[int]) -> None:
    """Mark parts as read. Raises Overtaken where another process has read one of them."""
    marks = [(number,) for number in numbers]
    done = db.executemany("UPDATE parts SET done = 1 WHERE id = ? AND done = 0", marks).rowcount
    if done != len(numbers):
        raise Overtaken
