"""Keeping an index up to date with parts and labels that come after it was built."""

# ruff: noqa: S608  names of columns come from here; every value is bound

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

from groundswell.views.deriving import SUMMED, Derived, derive
from groundswell.views.given_labels import Given, item_of
from groundswell.views.loose_rows import LOOSE, keep_loose, loose_lines
from groundswell.views.packs import Packs
from groundswell.views.reading import rows_of
from groundswell.views.record_rows import Kept, encode, parsed_lines
from groundswell.views.remembered import take_parts, transaction
from groundswell.views.searching import name_some
from groundswell.views.sums import STATE, Tally, state_of, summed
from groundswell.views.work import Work

#: Rows and items dealt with between two looks at the clock.
_ROWS, _ITEMS = 10_000, 1_000
#: Kinds that change nothing of what is listed or added up about an item.
_SILENT = frozenset({"expirations", "deletions"})

_SET = ("lead", "label", *STATE, *SUMMED)
_FOUND = ", ".join(f"items.{name}" for name in ("id", "item", "pack", "given", "status", "label", *SUMMED))


class Keeping(Work):
    """One process's work on an index that was built."""

    # rows

    def read_some(self) -> bool:
        """Take the rows of some parts; return whether there were any."""
        new, done, count = _New(), [], 0
        for number, kind, key, body in self._unread():
            count += self._take(new, kind, body, number, key)
            done.append(number)
            if count >= _ROWS:
                break
        if not done:
            return False
        with transaction(self._db):
            take_parts(self._db, done)
            self._keep(new)
        return True

    def _take(self, new: _New, kind: str, body: bytes, number: int, key: str) -> int:
        if kind in LOOSE:
            several = loose_lines(kind, body, key)
            new.loose += several
            return len(several)
        if kind == "items":
            names = [item_of(row, key) for _, row in rows_of(body, key)]
            new.parts |= dict.fromkeys(names, number)
            return len(names)
        count = 0
        for token, line in self._encoding.lines(kind, body, number, key):
            new.lines[token].append(line)
            if kind not in _SILENT:
                new.loud.add(token)
            count += 1
        return count

    def _keep(self, new: _New) -> None:
        names = {token: str(json.loads(token)) for token in new.lines}
        numbers, unknown = self._numbers(dict.fromkeys([*new.parts, *names.values()]))
        self._db.executemany(
            "UPDATE items SET part = ? WHERE id = ?",
            [(part, numbers[item]) for item, part in new.parts.items()],
        )
        self._db.executemany(
            "INSERT INTO records (item, body) VALUES (?, ?) "
            "ON CONFLICT (item) DO UPDATE SET body = body || char(10) || excluded.body",
            [
                (numbers[names[token]], b"\n".join(lines).decode("ascii"))
                for token, lines in new.lines.items()
            ],
        )
        self._mark({numbers[names[token]] for token in new.loud} | unknown)
        keep_loose(self._db, self._ledger.prefix, new.loose)

    def _mark(self, numbers: Iterable[int]) -> None:
        """Note which items are to be brought up to date; those of a pack lie together."""
        self._db.executemany(
            "INSERT OR IGNORE INTO dirty SELECT pack, id FROM items WHERE id = ?",
            [(number,) for number in numbers],
        )

    def _numbers(self, items: Iterable[str]) -> tuple[dict[str, int], set[int]]:
        """Return item -> number, and the numbers of those that are new."""
        # In upper and lower case they are one entry of the index that there is anyway
        find = "SELECT id FROM items INDEXED BY by_item WHERE item = ? COLLATE NOCASE AND item = ?"
        numbers: dict[str, int] = {}
        new: dict[int, str] = {}
        for item in items:
            found = self._db.execute(find, (item, item)).fetchone()
            if found is None:
                number = self._db.execute("INSERT INTO items (item) VALUES (?)", (item,)).lastrowid or 0
                new[number] = item
                found = (number,)
            numbers[item] = int(found[0])
        name_some(self._db, new.items())
        return numbers, set(new)

    # labels

    def label_some(self) -> bool:
        """Take some of the latest labels; return whether there were any."""
        return self._labels.some(self._give, self._take_away)

    def _give(self, several: Sequence[Given], generation: int) -> None:
        numbers, unknown = self._numbers(each.item for each in several)
        self._mark(unknown)
        for given in several:
            label = self._sums.label_id(given.label)
            self._relabel(numbers[given.item], given.pack, label, given.confidence)
        self._sums.write()

    def _take_away(self, first: int) -> None:
        """Take their labels from the items that the latest consolidation gave none."""
        number = 0
        while stale := self._db.execute(  # some at a time: it may be all items of the run
            "SELECT id, lead FROM items WHERE id > ? AND given != 0 AND given < ? ORDER BY id LIMIT ?",
            (number, first, _ITEMS),
        ).fetchall():
            for number, lead in stale:
                self._relabel(number, 0, lead, -1.0)
        self._sums.write()

    def _relabel(self, number: int, pack: int, label: int, confidence: float) -> None:
        columns = ", ".join(("status", "label", *SUMMED))
        [status, before, *sums] = self._db.execute(
            f"SELECT {columns} FROM items WHERE id = ?", (number,)
        ).fetchone()
        if status >= 0:
            self._sums.strike(status, before, sums)
            self._sums.enter(status, label, (*sums[:-1], int(bool(pack))))
        self._db.execute(
            "UPDATE items SET given = ?, label = ?, confidence = ?, labelled = ? WHERE id = ?",
            (pack, label, confidence, int(bool(pack)), number),
        )

    # items

    def derive_some(self) -> bool:
        """Bring some items up to date whose rows have changed; return whether there were any."""
        if self._db.execute("SELECT 1 FROM dirty LIMIT 1").fetchone() is None:
            return False
        with transaction(self._db):
            found = self._db.execute(
                f"SELECT {_FOUND}, records.body, records.tally FROM dirty "
                "JOIN items ON items.id = dirty.item LEFT JOIN records ON records.item = dirty.item "
                "ORDER BY dirty.pack, dirty.item LIMIT ?",
                (_ITEMS,),
            ).fetchall()
            packs = Packs(self._db)
            updates, tallies, done = [], [], []
            for number, item, pack, given, status, label, *sums, body, tally in found:
                base = packs.rows(pack, item)
                derived = self._derive(item, base + parsed_lines(body or ""))
                if status >= 0:
                    self._sums.strike(status, label, sums)
                    self._sums.strike_workers(self._before(item, base, tally))
                lead = self._sums.label_id(derived.label)
                label = label if given else lead
                counted = summed(derived, bool(given))
                self._sums.enter(derived.status, label, counted)
                self._sums.enter_workers(derived)
                kept = encode(self._sums.tally(derived))
                updates.append((lead, label, *state_of(derived), *counted, number))
                tallies.append((kept, number))
                done.append((pack, number))
            assignments = ", ".join(f"{name} = ?" for name in _SET)
            self._db.executemany(f"UPDATE items SET {assignments} WHERE id = ?", updates)
            self._db.executemany("UPDATE records SET tally = ? WHERE item = ?", tallies)
            self._db.executemany("DELETE FROM dirty WHERE pack = ? AND item = ?", done)
            self._sums.write()
        return True

    def _derive(self, item: str, kept: Sequence[Kept]) -> Derived:
        return derive(item, kept, self._full, self._ledger.prefix)

    def _before(self, item: str, base: Sequence[Kept], tally: str | None) -> Tally:
        """Return what an item has added to its workers' sums so far."""
        if tally is not None:
            found: Tally = json.loads(tally)
            return found
        return self._sums.tally(self._derive(item, base))


class _New:
    """What some parts bring."""

    def __init__(self) -> None:
        self.lines: defaultdict[bytes, list[bytes]] = defaultdict(list)  # by item as JSON
        self.loud: set[bytes] = set()
        self.parts: dict[str, int] = {}
        self.loose: list[tuple[str, str]] = []
