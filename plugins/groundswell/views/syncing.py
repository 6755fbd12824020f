"""Taking into an index what a ledger has got since, in small transactions: it can stop at any time."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from groundswell.errors import LedgerError
from groundswell.ledger import Ledger, RunState
from groundswell.ledger.shards import read_index
from groundswell.views.deriving import Deriving
from groundswell.views.index_file import make_index
from groundswell.views.label_rows import label_rows, version_of_labels
from groundswell.views.overview import PROGRESS, SUMMARY, updated
from groundswell.views.reading import bodies, checked, rows_of
from groundswell.views.record_rows import ABOUT_ITEMS, Encoding, Row, as_record, plain

#: Kinds of rows that are about the run as a whole.
LOOSE = ("spend", "approvals", "bonuses")
#: Kinds that are read, in this order: items first, so that they are numbered as in the dataset.
_READ = ("items", *LOOSE, *ABOUT_ITEMS)
#: Rows and items dealt with between two looks at the clock.
_ROWS, _ITEMS, _LABELS = 10_000, 1_000, 10_000
#: A look at what there is costs a listing: it is not repeated before so many times what it took.
_REST = 20
#: A finished run is looked at again after so long, in seconds: a rejection may have been taken back.
_AFTER = 3_600.0


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


def get(db: sqlite3.Connection, name: str) -> Any:
    """Return a remembered value, or None."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return None if row is None else json.loads(row[0])


def put(db: sqlite3.Connection, name: str, value: Any) -> None:
    """Remember a value, which JSON can hold."""
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, json.dumps(value)))


def synced(db: sqlite3.Connection) -> Synced:
    """Return how far an index has come."""
    of, parts = db.execute("SELECT count(*), ifnull(sum(done), 0) FROM parts").fetchone()
    [left] = db.execute("SELECT count(*) FROM dirty").fetchone()
    complete = bool(get(db, "complete"))
    final = complete and get(db, "final") is not None
    return Synced(parts, of, left, get(db, "as_of"), complete, final, _share(db, parts, of, left, complete))


def _share(db: sqlite3.Connection, parts: int, of: int, left: int, complete: bool) -> float:
    if complete or not of:
        return float(complete)
    items = db.execute("SELECT ifnull(max(id), 0) FROM items").fetchone()[0] or 1
    # Reading the parts and bringing items up to date take about as long; indexes come last
    return round(0.99 * (parts / of + (parts == of) * (1 - left / items)) / 2, 3)


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

    def run(self, seconds: float) -> bool:
        """Work until all is done or the time is over, one step at least; return whether there is a run.

        :raises LedgerError: a part is damaged; what was done before stays.
        """
        end = time.monotonic() + seconds
        if self._is_due() and not self._look():
            return False
        for step in (self._read_some, self._label_some, self._derive_some, self._index_some):
            while step():
                if time.monotonic() >= end:
                    return True
        if not get(self._db, "complete"):
            with self._transaction():
                put(self._db, "complete", True)
                put(self._db, "as_of", get(self._db, "looked_at"))
        return True

    def _index_some(self) -> bool:
        """Make one of the indexes that are missing; return whether there was one."""
        return make_index(self._db)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:  # SQLite has ended it where the disk is full
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

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
        keys = self._keys()
        known = {key for (key,) in self._db.execute("SELECT key FROM parts")}
        there = {key for _, key in keys}
        if known - there:
            return False  # deleted, or restored from an older backup
        labels = [key for key in there if key.startswith(f"{self._ledger.prefix}labels/")]
        version = version_of_labels(self._ledger, labels)
        with self._transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO parts (key, kind, done) VALUES (?, ?, ?)",
                [(key, kind, kind < 0) for kind, key in keys if key not in known],
            )
            if there != known or version != (get(self._db, "labels") or ""):
                put(self._db, "complete", False)
            if version != (get(self._db, "labels_wanted") or ""):
                put(self._db, "labels_wanted", version)
                put(self._db, "labels_read", 0)
            put(self._db, "final", written if written[1] is not None else None)
            put(self._db, "looked_at", looked_at)
            put(self._db, "took", time.monotonic() - began)
            if get(self._db, "complete"):
                put(self._db, "as_of", looked_at)
        return True

    def _keys(self) -> list[tuple[int, str]]:
        """Return (number of its kind, key) of the parts that count, in the order of reading; -1: not read."""
        shards = {str(entry["key"]): place for place, entry in enumerate(read_index(self._ledger) or ())}
        found = []
        for key in self._ledger.store.keys(self._ledger.prefix):
            kind, _, name = key.removeprefix(self._ledger.prefix).partition("/")
            if "/" in name or not name.endswith(".jsonl"):
                continue  # a document, or a part of a run whose id begins like this one's
            if kind == "labels":
                found.append((-1, 0, key))
            elif kind in _READ and (kind != "items" or key in shards):
                found.append((_READ.index(kind), shards.get(key, 0), key))
        return [(kind, key) for kind, _, key in sorted(found)]

    # rows

    def _read_some(self) -> bool:
        """Take the rows of some parts; return whether there were any."""
        rows, count, done = defaultdict(list), 0, []
        loose: list[tuple[str, str]] = []
        first: dict[str, int] = {}
        encoding = Encoding()
        for number, kind, key, body in self._bodies():
            for line, row in rows_of(body, key):
                if kind == "items":
                    first[_item(row, key)] = number
                elif kind in LOOSE:
                    checked(kind, row, key)
                    loose.append((kind, line))
                else:
                    kept = encoding.kept(kind, row, line, number, key)
                    rows[plain(row["item"])].append(kept)
                count += 1
            done.append(number)
            if count >= _ROWS:
                break
        if done:
            with self._transaction():
                self._keep(done, rows, first, loose)
        return bool(done)

    def _bodies(self) -> Iterator[tuple[int, str, str, bytes]]:
        """Yield (number, kind, key, body) of the parts that are to be read, a few ahead of what is taken."""
        todo = self._db.execute(
            "SELECT id, kind, key FROM parts WHERE done = 0 ORDER BY kind, id LIMIT 512"
        ).fetchall()
        found = bodies(self._ledger.store, (key for _, _, key in todo))
        for (number, kind, _), (key, body) in zip(todo, found, strict=True):
            yield number, _READ[kind], key, body

    def _keep(
        self,
        done: Sequence[int],
        rows: dict[str, list[list[Any]]],
        first: dict[str, int],
        loose: Sequence[tuple[str, str]],
    ) -> None:
        marks = [(number,) for number in done]
        if self._db.executemany("UPDATE parts SET done = 1 WHERE id = ? AND done = 0", marks).rowcount != len(
            done
        ):
            raise Overtaken
        numbers = self._numbers([*first, *rows])
        self._db.executemany(
            "UPDATE items SET part = ? WHERE id = ?", [(part, numbers[item]) for item, part in first.items()]
        )
        self._db.executemany(
            "INSERT INTO records (item, body) VALUES (?, ?) "
            "ON CONFLICT (item) DO UPDATE SET body = body || ',' || excluded.body",
            [(numbers[item], as_record(several)) for item, several in rows.items()],
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO dirty VALUES (?)", [(number,) for number in set(numbers.values())]
        )
        if loose:
            self._db.executemany("INSERT OR IGNORE INTO loose VALUES (?, ?)", loose)
            put(self._db, "bonus_cents", self._bonus_cents())

    def _bonus_cents(self) -> int:
        state = RunState()
        try:
            for kind, body in self._db.execute("SELECT kind, body FROM loose"):
                state.add(kind, json.loads(body))
            return state.spent_cents
        except (KeyError, TypeError, ValueError) as error:
            raise LedgerError(
                f"{self._ledger.prefix}: a part of kind {', '.join(LOOSE)} has a wrong row ({error!r}); "
                "restore it from a backup or version"
            ) from error

    def _numbers(self, items: Iterable[str]) -> dict[str, int]:
        self._db.executemany(
            "INSERT INTO items (item) VALUES (?) ON CONFLICT DO NOTHING", [(item,) for item in items]
        )
        find = "SELECT id FROM items WHERE item = ?"
        return {item: int(self._db.execute(find, (item,)).fetchone()[0]) for item in items}

    # labels

    def _label_some(self) -> bool:
        """Take some rows of the latest labels; return whether there were any."""
        wanted = get(self._db, "labels_wanted") or ""
        if wanted == (get(self._db, "labels") or ""):
            return False
        read = int(get(self._db, "labels_read") or 0)
        rows = label_rows(self._ledger, skip=read) if wanted else iter(())
        generation = int(get(self._db, "generation") or 0) + (read == 0)
        labels = Deriving(self._db, self._ledger.prefix, self.full)
        with self._transaction():
            put(self._db, "generation", generation)
            count = 0
            for row in rows:
                self._keep_label(row, generation, labels.label_id)
                count += 1
                if count >= _LABELS:
                    break
            put(self._db, "labels_read", read + count)
            if count < _LABELS:
                old = "SELECT item FROM given WHERE generation != ?"
                self._db.execute(f"INSERT OR IGNORE INTO dirty {old}", (generation,))
                self._db.execute("DELETE FROM given WHERE generation != ?", (generation,))
                put(self._db, "labels", wanted)
        return True

    def _keep_label(self, row: Row, generation: int, label_id: Callable[[str | None], int]) -> None:
        item = _item(row, f"{self._ledger.prefix}labels")
        [number] = self._numbers([item]).values()
        confidence = row.get("confidence")
        kept = {name: value for name, value in row.items() if name not in _IN_THE_LEDGER}
        self._db.execute(
            "INSERT OR REPLACE INTO given VALUES (?, ?, ?, ?, ?)",
            (
                number,
                generation,
                label_id(row.get("label")),
                float(confidence) if isinstance(confidence, int | float) else -1.0,
                json.dumps(kept, separators=(",", ":")),
            ),
        )
        self._db.execute("INSERT OR IGNORE INTO dirty VALUES (?)", (number,))

    # items

    def _derive_some(self) -> bool:
        with self._transaction():
            return Deriving(self._db, self._ledger.prefix, self.full).some(_ITEMS) > 0

    def full(self, part: int, assignment: str) -> Iterator[Row]:
        """Yield the whole rows of an assignment in a part; see :func:`record_rows.decoded`."""
        return whole_rows(self._db, self._ledger, part, assignment)


class Overtaken(Exception):
    """Another process has read these parts meanwhile."""


#: What a label's row repeats of the ledger or of all other rows.
_IN_THE_LEDGER = frozenset(
    {"item", "answers", "values", "rule", "run_id", "template_sha256", "code_version", "n_answers", "cents"}
)


def whole_rows(db: sqlite3.Connection, ledger: Ledger, part: int, assignment: str) -> Iterator[Row]:
    """Yield the whole rows of an assignment in a part of the ledger."""
    [key] = db.execute("SELECT key FROM parts WHERE id = ?", (part,)).fetchone()
    for _, row in rows_of(ledger.store.get(key) or b"", key):
        if row["assignment"] == assignment:
            yield row | {"item": plain(row["item"])}


def _item(row: Row, key: str) -> str:
    item = row.get("item")
    if not isinstance(item, str):
        raise LedgerError(f"{key}: a row has no item; restore this object from a backup or version")
    return plain(item)
