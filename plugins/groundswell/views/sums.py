"""The sums that an index keeps, so that no question has to add up items: by kind of item, and by worker."""

# ruff: noqa: S608  names of columns come from here; every value is bound

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import add, sub

from groundswell.views.deriving import OF_WORKERS, SUMMED, Derived
from groundswell.views.record_rows import plain

#: What a worker's sums are kept as: number of the worker, then by OF_WORKERS.
Tally = list[list[int]]
#: Columns of an item that its rows give, besides those that are added up and its label.
STATE = ("status", "seats", "agreement", "last")


class Sums:
    """Collects what changes in the sums during one transaction, and writes it at its end.

    :param db: the index.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._kinds: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0] * (len(SUMMED) + 1))
        self._workers: defaultdict[int, list[int]] = defaultdict(lambda: [0] * len(OF_WORKERS))
        self._last: dict[int, str] = {}
        self._worker_ids: dict[str, int] = {}
        self._label_ids: dict[str, int] = {}

    def label_id(self, label: object) -> int:
        """Return the number of a label; 0 for none."""
        if label is None:
            return 0
        text = plain(str(label))
        if text not in self._label_ids:
            self._label_ids[text] = self._number("labels", "label", text)
        return self._label_ids[text]

    def enter(self, status: int, label: int, summed: Sequence[int]) -> None:
        """Count an item in: its status, label and columns by SUMMED."""
        self._kinds[status, label] = list(map(add, self._kinds[status, label], (*summed, 1)))

    def strike(self, status: int, label: int, summed: Sequence[int]) -> None:
        """Take out an item that was counted in."""
        self._kinds[status, label] = list(map(sub, self._kinds[status, label], (*summed, 1)))

    def tally(self, derived: Derived) -> Tally:
        """Return what an item adds to its workers' sums."""
        return [[self._worker_id(worker, last), *sums] for worker, (sums, last) in derived.workers.items()]

    def enter_workers(self, derived: Derived) -> None:
        """Add what an item adds to its workers' sums."""
        for worker, (sums, last) in derived.workers.items():
            number = self._worker_id(worker, last)
            self._workers[number] = list(map(add, self._workers[number], sums))

    def strike_workers(self, tally: Iterable[Sequence[int]]) -> None:
        """Take out again what an item had added."""
        for number, *sums in tally:
            self._workers[number] = list(map(sub, self._workers[number], sums))

    def write(self) -> None:
        """Write what was collected."""
        names = (*SUMMED, "items")
        sums = ", ".join(f"{name} = {name} + excluded.{name}" for name in names)
        self._db.executemany(
            f"INSERT INTO tallies (status, label, {', '.join(names)}) VALUES (?, ?{', ?' * len(names)}) "
            f"ON CONFLICT DO UPDATE SET {sums}",
            [(*kind, *values) for kind, values in self._kinds.items()],
        )
        self._db.execute("DELETE FROM tallies WHERE items = 0")
        sums = ", ".join(f"{name} = {name} + ?" for name in OF_WORKERS)
        self._db.executemany(
            f"UPDATE workers SET {sums}, last = max(last, ?) WHERE id = ?",
            [(*values, self._last.get(number, ""), number) for number, values in self._workers.items()],
        )
        self._kinds.clear()
        self._workers.clear()
        self._last.clear()

    def _worker_id(self, worker: str, last: str) -> int:
        number = self._worker_ids.get(worker)
        if number is None:
            number = self._worker_ids[worker] = self._number("workers", "worker", worker)
        if last > self._last.get(number, ""):
            self._last[number] = last
        return number

    def _number(self, table: str, column: str, text: str) -> int:
        self._db.execute(f"INSERT INTO {table} ({column}) VALUES (?) ON CONFLICT DO NOTHING", (text,))
        found = self._db.execute(f"SELECT id FROM {table} WHERE {column} = ?", (text,)).fetchone()
        return int(found[0])


def summed(derived: Derived, labelled: bool) -> tuple[int, ...]:
    """Return an item's columns by SUMMED."""
    return (*derived.counted, int(labelled))


def state_of(derived: Derived) -> tuple[object, ...]:
    """Return an item's columns by STATE."""
    return (derived.status, derived.seats, derived.agreement, derived.last)
