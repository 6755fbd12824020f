"""Taking the labels of the latest consolidation into an index, some at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from groundswell.errors import LedgerError
from groundswell.ledger import Ledger
from groundswell.views.label_rows import placed_label_rows
from groundswell.views.packs import packed
from groundswell.views.record_rows import Row, encode, plain
from groundswell.views.remembered import get, put, transaction

#: Labels dealt with between two looks at the clock, and labels that are packed together.
LABELS, _PACKED = 10_000, 256
#: What a label's row repeats of the ledger or of all other rows.
_IN_THE_LEDGER = frozenset(
    {"item", "answers", "values", "rule", "run_id", "template_sha256", "code_version", "n_answers", "cents"}
)


class Given(NamedTuple):
    """A label that a consolidation gave."""

    item: str
    label: Any
    confidence: float
    pack: int


class GivenLabels:
    """One process's reading of a run's labels. It goes on where another stopped.

    :param db: the index.
    :param ledger: the run's.
    """

    def __init__(self, db: sqlite3.Connection, ledger: Ledger) -> None:
        self._db = db
        self._ledger = ledger
        self._rows: Iterator[tuple[int, Row]] | None = None
        self._at: tuple[str, int] | None = None

    def some(self, take: Callable[[Sequence[Given], int], None], finish: Callable[[int], None]) -> bool:
        """Read some labels; return whether there were any to read.

        Args:
            take: is given some labels and the number of their generation.
            finish: is called at their end with the number of their first pack: older ones are gone.

        Raises:
            LedgerError: a row is damaged.
        """
        wanted = get(self._db, "labels_wanted") or ""
        if wanted == (get(self._db, "labels") or ""):
            return False
        with transaction(self._db):
            read = int(get(self._db, "labels_read") or 0)
            if self._rows is None or self._at != (wanted, read):
                self._rows = placed_label_rows(self._ledger, start=read) if wanted else iter(())
            if not read:
                self._begin()
            generation = int(get(self._db, "generation"))
            end, rows = self._next(read)
            take(self._packed(rows), generation)
            put(self._db, "labels_read", end)
            self._at = (wanted, end)
            if len(rows) < LABELS:
                first = int(get(self._db, "given_from"))
                finish(first)
                self._db.execute("DELETE FROM given WHERE id < ?", (first,))
                put(self._db, "labels", wanted)
        return True

    def _begin(self) -> None:
        put(self._db, "generation", int(get(self._db, "generation") or 0) + 1)
        [highest] = self._db.execute("SELECT ifnull(max(id), 0) FROM given").fetchone()
        put(self._db, "given_from", max(highest, int(get(self._db, "given_from") or 0)) + 1)

    def _next(self, read: int) -> tuple[int, list[Row]]:
        found = list(islice(self._rows or (), LABELS))
        return found[-1][0] if found else read, [row for _, row in found]

    def _packed(self, rows: Sequence[Row]) -> list[Given]:
        found = []
        for start in range(0, len(rows), _PACKED):
            several = [(self._item(row), row) for row in rows[start : start + _PACKED]]
            body = packed(encode((item, _own(row))).encode() for item, row in several)
            pack = self._db.execute("INSERT INTO given (body) VALUES (?)", (body,)).lastrowid or 0
            found += [
                Given(item, row.get("label"), _confidence(row.get("confidence")), pack)
                for item, row in several
            ]
        return found

    def _item(self, row: Row) -> str:
        return item_of(row, f"{self._ledger.prefix}labels")


def item_of(row: Row, key: str) -> str:
    """Return a row's item as the index has it. Raises LedgerError where it has none."""
    item = row.get("item")
    if not isinstance(item, str):
        raise LedgerError(f"{key}: a row has no item; restore this object from a backup or version")
    return plain(item)


def _own(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in _IN_THE_LEDGER}


def _confidence(value: object) -> float:
    # A file of SQLite has no NaN, and absurd numbers are no confidence either
    return float(value) if isinstance(value, int | float) and 0 <= value < 10**12 else -1.0
