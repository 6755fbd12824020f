"""The first building of an index, all at once: far cheaper per item than keeping an index up to date.

Parts tell about items in any order, and a run may have more rows than fit into memory. So their rows are
first laid aside in heaps by item; then, heap by heap, all rows of some thousand items are at hand, and each
of these items is written once, complete. It can stop between any two steps, and another process can go on.
"""

# ruff: noqa: S608  names of columns come from here; every value is bound

from __future__ import annotations

import gc
import sqlite3
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from groundswell.views.deriving import SUMMED, derive
from groundswell.views.given_labels import Given, item_of
from groundswell.views.index_file import make_index
from groundswell.views.loose_rows import LOOSE, keep_loose, loose_lines
from groundswell.views.packs import ITEMS, packed
from groundswell.views.reading import rows_of
from groundswell.views.record_rows import Kept, encode, parsed_lines
from groundswell.views.remembered import Overtaken, get, put, take_parts, transaction
from groundswell.views.searching import name_all
from groundswell.views.sums import STATE, state_of, summed
from groundswell.views.work import Work

#: Rows laid aside between two looks at the clock.
_ROWS = 60_000
#: Items of a heap.
_HEAP = 2_048
#: Lines of a heap that are no rows about an item: its place in the dataset, and a label that it was given.
_PLACE, _GIVEN = -1, -2
#: Lines of a dataset's part are told apart by this.
_LINES = 10_000_000

_COLUMNS = (
    *("item", "part", "pack", "given", "lead", "label", "confidence"),
    *(*STATE, *SUMMED),
)


@dataclass
class _Item:
    """What a heap has about an item."""

    place: int | None = None
    part: int | None = None
    given: tuple[int, object, float] | None = None
    kept: list[Kept] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)


class Building(Work):
    """One process's work on the first building of an index."""

    def begin(self, items: int) -> None:
        """Say that the index is to be built, of about so many items. Within a transaction."""
        put(self._db, "stage", "reading")
        put(self._db, "heaps", items // _HEAP + 1)

    def some(self, end: float) -> bool:
        """Do some of the work; return whether there was any.

        Args:
            end: when to stop at the latest, by the monotonic clock.

        Raises:
            LedgerError: a part is damaged.
            Overtaken: another process is further.
        """
        steps: dict[str, Callable[[float], None]] = {
            "reading": self._read_some,
            "labels": self._label_some,
            "folding": self._fold_some,
            "settling": self._settle,
            "naming": self._name,
        }
        step = steps.get(get(self._db, "stage") or "")
        if step is None:
            return False
        with _uncollected():
            step(end)
        return True

    def _expect(self, stage: str) -> None:
        """Raise Overtaken where the building has left a stage: what is laid aside then nobody would fold."""
        if get(self._db, "stage") != stage:
            raise Overtaken

    # laying aside

    def _read_some(self, end: float) -> None:
        heaps, count = self._heaps(), 0
        loose: list[tuple[str, str]] = []
        done = []
        for number, kind, key, body in self._unread():
            if kind in LOOSE:
                loose += loose_lines(kind, body, key)
            else:
                count += heaps.add(self._lines(kind, body, number, key))
            done.append(number)
            if count >= _ROWS or time.monotonic() >= end:
                break
        with transaction(self._db):
            self._expect("reading")
            take_parts(self._db, done)
            heaps.write()
            keep_loose(self._db, self._ledger.prefix, loose)
            if not done:
                put(self._db, "stage", "labels")

    def _lines(self, kind: str, body: bytes, number: int, key: str) -> Iterable[tuple[bytes, bytes]]:
        if kind != "items":
            return self._encoding.lines(kind, body, number, key)
        found = []
        for line, (_, row) in enumerate(rows_of(body, key)):
            item = encode(item_of(row, key)).encode()
            found.append((item, b"[%d,%b,%d,%d]" % (_PLACE, item, number * _LINES + line, number)))
        return found

    def _label_some(self, end: float) -> None:
        if not self._labels.some(self._lay_aside, lambda first: None):
            with transaction(self._db):
                self._expect("labels")
                put(self._db, "stage", "folding")

    def _lay_aside(self, several: Sequence[Given], generation: int) -> None:
        self._expect("labels")
        heaps = self._heaps()
        found = []
        for item, label, confidence, pack in several:
            line = encode((_GIVEN, item, generation, pack, label, confidence)).encode()
            found.append((encode(item).encode(), line))
        heaps.add(found)
        heaps.write()

    def _heaps(self) -> _Heaps:
        return _Heaps(self._db, int(get(self._db, "heaps")))

    # heap by heap

    def _fold_some(self, end: float) -> None:
        with transaction(self._db):
            self._expect("folding")
            found = self._db.execute("SELECT heap FROM staged ORDER BY heap LIMIT 1").fetchone()
            if found is None:
                put(self._db, "stage", "settling")
                return
            several = self._db.execute("SELECT body FROM staged WHERE heap = ? ORDER BY id", found)
            items = _items(b"\n".join(body for (body,) in several), int(get(self._db, "generation") or 0))
            self._write(items)
            self._db.execute("DELETE FROM staged WHERE heap = ?", found)

    def _write(self, items: dict[str, _Item]) -> None:
        [pack] = self._db.execute("SELECT ifnull(max(id), 0) + 1 FROM packs").fetchone()
        packs: list[tuple[int, bytes]] = []
        lines: list[bytes] = []
        rows = []
        for name, item in items.items():
            rows.append((item.place, *self._columns(name, item, pack if item.lines else 0)))
            if item.lines:
                lines.append(b"[%b,%b]" % (encode(name).encode(), b",".join(item.lines)))
            if len(lines) == ITEMS:
                packs.append((pack, packed(lines)))
                pack, lines = pack + 1, []
        if lines:
            packs.append((pack, packed(lines)))
        self._db.executemany("INSERT INTO packs VALUES (?, ?)", packs)
        self._db.executemany(
            f"INSERT INTO fresh (place, {', '.join(_COLUMNS)}) VALUES (?{', ?' * len(_COLUMNS)})", rows
        )
        self._sums.write()

    def _columns(self, name: str, item: _Item, pack: int) -> tuple[object, ...]:
        found = derive(name, item.kept, self._full, self._ledger.prefix)
        lead = label = self._sums.label_id(found.label)
        given, confidence = 0, -1.0
        if item.given is not None:
            given, text, confidence = item.given
            label = self._sums.label_id(text)
        sums = summed(found, bool(given))
        self._sums.enter(found.status, label, sums)
        self._sums.enter_workers(found)
        return (name, item.part, pack, given, lead, label, confidence, *state_of(found), *sums)

    # all together

    def _settle(self, end: float) -> None:
        """Number the items in the order of the dataset; others follow by name."""
        columns = ", ".join(_COLUMNS)
        with transaction(self._db):
            self._expect("settling")
            self._db.execute(
                f"INSERT INTO items ({columns}) SELECT {columns} FROM fresh "
                "ORDER BY place IS NULL, place, item"
            )
            self._db.execute("DELETE FROM fresh")
            put(self._db, "stage", "naming")

    def _name(self, end: float) -> None:
        with transaction(self._db):
            self._expect("naming")
            make_index(self._db, "by_item")
            name_all(self._db)
            put(self._db, "stage", "")


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the search for cycles away for a step: it finds none in a heap, and looks through all of it."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Heaps:
    """Lines by the heap of their item, until they are written."""

    def __init__(self, db: sqlite3.Connection, heaps: int) -> None:
        self._db = db
        self._heaps = heaps
        self._lines: defaultdict[int, list[bytes]] = defaultdict(list)

    def add(self, lines: Iterable[tuple[bytes, bytes]]) -> int:
        """Lay (item as JSON, line) aside; return how many it were."""
        heaps, count, crc32, several = self._heaps, 0, zlib.crc32, self._lines
        for item, line in lines:
            several[crc32(item) % heaps].append(line)
            count += 1
        return count

    def write(self) -> None:
        """Write the lines. Within a transaction."""
        self._db.executemany(
            "INSERT INTO staged (heap, body) VALUES (?, ?)",
            [(heap, b"\n".join(lines)) for heap, lines in self._lines.items()],
        )


def _items(body: bytes, generation: int) -> dict[str, _Item]:
    """Return what the lines of a heap say about each item."""
    items: defaultdict[str, _Item] = defaultdict(_Item)
    for line, row in zip(body.split(b"\n"), parsed_lines(body), strict=True):
        item = items[row[1]]
        if row[0] >= 0:
            item.kept.append(row)
            item.lines.append(line)
        elif row[0] == _PLACE:
            if item.place is None or row[2] < item.place:
                _, _, item.place, item.part = row
        elif row[2] == generation:
            item.given = tuple(row[3:])
    return items
