"""Rows that are about a run as a whole: few, and kept as they are."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from groundswell.errors import LedgerError
from groundswell.ledger import RunState
from groundswell.views.reading import checked, rows_of
from groundswell.views.remembered import put

#: Kinds of rows that are about the run as a whole.
LOOSE = ("spend", "approvals", "bonuses")


def loose_lines(kind: str, body: bytes, key: str) -> list[tuple[str, str]]:
    """Return (kind, line) of the rows of a part. Raises LedgerError where one is damaged."""
    found = []
    for line, row in rows_of(body, key):
        checked(kind, row, key)
        found.append((kind, line))
    return found


def keep_loose(db: sqlite3.Connection, prefix: str, several: Sequence[tuple[str, str]]) -> None:
    """Keep such lines, and what was paid by them. Within a transaction.

    Raises:
        LedgerError: the state of a run cannot take one of them.
    """
    if not several:
        return
    db.executemany("INSERT OR IGNORE INTO loose VALUES (?, ?)", several)
    state = RunState()
    try:
        for kind, body in db.execute("SELECT kind, body FROM loose"):
            state.add(kind, json.loads(body))
        put(db, "bonus_cents", state.spent_cents)
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerError(
            f"{prefix}: a part of kind {', '.join(LOOSE)} has a wrong row ({error!r}); restore it from a "
            "backup or version"
        ) from error
