"""Taking into an index what a ledger has got since, in small transactions: it can stop at any time."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from groundswell.ledger import Ledger
from groundswell.ledger.shards import read_index
from groundswell.views.building import Building
from groundswell.views.index_file import give_back, make_indexes
from groundswell.views.keeping import Keeping
from groundswell.views.label_rows import version_of_labels
from groundswell.views.overview import PROGRESS, SUMMARY, updated
from groundswell.views.reading import rows_of
from groundswell.views.record_rows import Row, plain
from groundswell.views.remembered import get, put, transaction
from groundswell.views.sums import Sums
from groundswell.views.work import READ

#: A look at what there is costs a listing: it is not repeated before so many times what it took.
_REST = 20
#: A finished run is looked at again after so long, in seconds: a rejection may have been taken back.
_AFTER = 3_600.0
#: With so many new parts, and so many times as many as are known, it is faster to begin anew.
_MANY_NEW, _TIMES_KNOWN = 500, 4
#: Parts that are kept in memory while twins' answers in them are told apart.
_PARTS_KEPT = 16


@dataclass(frozen=True)
class Synced:
    """How far an index has come.

    Attributes:
        parts: parts of the ledger that it has read.
        of: parts that there are.
        items_left: items whose rows are read and that are yet to be brought up to date.
        as_of: when the ledger was looked at that it shows completely (ISO 8601, UTC); None before.
        complete: whether it shows all that there was at the last look.
        final: whether the run is finished and nothing more is expected.
        share: how much of the work is done, 0 to 1, roughly: for people who wait.
    """

    parts: int
    of: int
    items_left: int
    as_of: str | None
    complete: bool
    final: bool
    share: float = 0.0


def synced(db: sqlite3.Connection) -> Synced:
    """Return how far an index has come."""
    of, parts = db.execute("SELECT count(*), ifnull(sum(done), 0) FROM parts").fetchone()
    [left] = db.execute("SELECT count(*) FROM dirty").fetchone()
    complete = bool(get(db, "complete"))
    final = complete and get(db, "final") is not None
    return Synced(parts, of, left, get(db, "as_of"), complete, final, _share(db, parts, of, complete))


def _share(db: sqlite3.Connection, parts: int, of: int, complete: bool) -> float:
    if complete or not of:
        return float(complete)
    stage = str(get(db, "stage"))
    if stage == "reading":
        return round(0.6 * parts / of, 3)
    if stage == "folding":
        heaps = int(get(db, "heaps"))
        [lowest] = db.execute("SELECT ifnull(min(heap), ?) FROM staged", (heaps,)).fetchone()
        return round(0.65 + 0.25 * int(lowest) / heaps, 3)
    shares = {"labels": 0.62, "settling": 0.9, "naming": 0.95}
    return shares.get(stage, 0.98)


class Syncing:
    """One process's work on an index.

    :param db: the index.
    :param ledger: the run's.
    :param recheck: seconds from one look at what there is to the next, at least.
    """

    def __init__(self, db: sqlite3.Connection, ledger: Ledger, recheck: float) -> None:
        self._db = db
        self._ledger = ledger
        self._recheck = recheck
        sums = Sums(db)
        full = WholeRows(db, ledger).rows
        self._building = Building(db, ledger, sums, full)
        self._keeping = Keeping(db, ledger, sums, full)

    def run(self, seconds: float) -> bool:
        """Work until all is done or the time is over, one step at least; return whether it could go on.

        It cannot where the run is gone, or another one than was indexed, and where to begin anew is faster.

        :raises LedgerError: a part is damaged; what was done before stays.
        """
        end = time.monotonic() + seconds
        if self._is_due() and not self._look():
            return False
        if not self._steps(end):
            return True
        if not get(self._db, "complete"):
            with transaction(self._db):
                put(self._db, "complete", True)
                put(self._db, "as_of", get(self._db, "looked_at"))
        return True

    def _steps(self, end: float) -> bool:
        """Do what there is to do; return whether all of it is done."""
        keeping = self._keeping
        steps = [lambda: self._building.some(end), keeping.read_some, keeping.label_some]
        steps += [keeping.derive_some, lambda: make_indexes(self._db), lambda: give_back(self._db)]
        for step in steps:
            while step():
                if time.monotonic() >= end:
                    return False
        return True

    # what there is

    def _is_due(self) -> bool:
        looked_at = get(self._db, "looked_at")
        if looked_at is None:
            return True
        age = time.time() - datetime.fromisoformat(looked_at).timestamp()
        if self._recheck and 0 <= age < max(self._recheck, _REST * (get(self._db, "took") or 0.0)):
            return False
        final = get(self._db, "final")
        return final is None or not 0 <= age < _AFTER or final != self._written()

    def _written(self) -> list[Any]:
        """Return when the run's documents were written."""
        return [updated(self._ledger, name) for name in (PROGRESS, SUMMARY)]

    def _look(self) -> bool:
        """Note which parts there are; return whether there is a run."""
        began, looked_at = time.monotonic(), datetime.now(UTC).isoformat()
        written = self._written()  # before the parts: what the summary tells is among them
        shards = read_index(self._ledger) or []
        keys = self._keys([str(entry["key"]) for entry in shards])
        known = {key for (key,) in self._db.execute("SELECT key FROM parts")}
        there = {key for _, key in keys}
        if known - there:
            return False  # deleted, or restored from an older backup
        if known and len(there) - len(known) > max(_MANY_NEW, _TIMES_KNOWN * len(known)):
            return False
        labels = [key for key in there if key.startswith(f"{self._ledger.prefix}labels/")]
        version = version_of_labels(self._ledger, labels)
        with transaction(self._db):
            self._db.executemany(
                "INSERT OR IGNORE INTO parts (key, kind, done) VALUES (?, ?, ?)",
                [(key, kind, kind < 0) for kind, key in keys if key not in known],
            )
            if there != known or version != (get(self._db, "labels") or ""):
                put(self._db, "complete", False)
            if version != (get(self._db, "labels_wanted") or ""):
                put(self._db, "labels_wanted", version)
                put(self._db, "labels_read", 0)
            if get(self._db, "looked_at") is None:
                self._building.begin(sum(int(entry.get("items", 0)) for entry in shards))
            put(self._db, "final", written if written[1] is not None else None)
            put(self._db, "looked_at", looked_at)
            put(self._db, "took", time.monotonic() - began)
            if get(self._db, "complete"):
                put(self._db, "as_of", looked_at)
        return True

    def _keys(self, of_items: Sequence[str]) -> list[tuple[int, str]]:
        """Return (number of its kind, key) of the parts that count, in the order of reading; -1: not read."""
        shards = {key: place for place, key in enumerate(of_items)}
        found = []
        for key in self._ledger.store.keys(self._ledger.prefix):
            kind, _, name = key.removeprefix(self._ledger.prefix).partition("/")
            if "/" in name or not name.endswith(".jsonl"):
                continue  # a document, or a part of a run whose id begins like this one's
            if kind == "labels":
                found.append((-1, 0, key))
            elif kind in READ and (kind != "items" or key in shards):
                found.append((READ.index(kind), shards.get(key, 0), key))
        return [(kind, key) for kind, _, key in sorted(found)]


class WholeRows:
    """The whole rows of answers: of the parts that were asked about last, as twins' answers lie together.

    :param db: the index.
    :param ledger: the run's.
    """

    def __init__(self, db: sqlite3.Connection, ledger: Ledger) -> None:
        self._db = db
        self._ledger = ledger
        self._lines = lru_cache(maxsize=_PARTS_KEPT)(self._read)

    def rows(self, part: int, assignment: str) -> list[Row]:
        """Return the rows of an assignment in a part; see :func:`record_rows.decoded`."""
        found: list[Row] = [json.loads(line) for line in self._lines(part).get(assignment, ())]
        return [row | {"item": plain(row["item"])} for row in found]

    def _read(self, part: int) -> dict[str, list[str]]:
        """Return assignment -> lines: they take less memory than rows."""
        [key] = self._db.execute("SELECT key FROM parts WHERE id = ?", (part,)).fetchone()
        found: defaultdict[str, list[str]] = defaultdict(list)
        for line, row in rows_of(self._ledger.store.get(key) or b"", key):
            found[row["assignment"]].append(line)
        return found
