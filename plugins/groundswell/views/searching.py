"""Finding items by a text in their ids: all ids lie one below the other, and are searched as one text.

A million ids are some ten megabytes, which are gone through in a hundredth of a second. What is typed is
text and nothing else: no character means anything to the search.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

#: Ids that lie together: 2 to the power of this.
_BITS = 12
#: So many matches of some ids are found one by one; more by looking at each id.
_SPARSE = 1_500


def folded_name(text: str) -> bytes:
    """Return a text as it is compared: upper and lower case are the same, a line break is a space."""
    return _folded(text).encode(errors="backslashreplace")


def _folded(text: str) -> str:
    return text.casefold().replace("\n", " ")


def name_all(db: sqlite3.Connection) -> None:
    """Lay out the ids of all items, whose numbers run from 1 on."""
    db.execute("DELETE FROM names")
    names: list[str] = []
    for number, name in db.execute("SELECT id, item FROM items ORDER BY id"):
        names.append(name)
        if (number + 1) % (1 << _BITS) == 0:
            _lay(db, number >> _BITS, names)
            names = []
    if names:
        _lay(db, number >> _BITS, names)


def name_some(db: sqlite3.Connection, items: Iterable[tuple[int, str]]) -> None:
    """Add the ids of new items, by number."""
    for place, several in groupby(sorted(items), lambda each: each[0] >> _BITS):
        _lay(db, place, [name for _, name in several])


def _lay(db: sqlite3.Connection, place: int, names: Sequence[str]) -> None:
    body = "".join(f"\n{_folded(name)}" for name in names).encode()
    known = db.execute("SELECT body FROM names WHERE place = ?", (place,)).fetchone()
    whole = body if known is None else known[0] + body
    db.execute("INSERT OR REPLACE INTO names VALUES (?, ?)", (place, whole))


class Matches:
    """The items whose ids have a text in them: their numbers, or where they are many a mark for each item.

    :param db: the index.
    :param text: what is looked for.
    :param begins: whether the ids are to begin so.
    :param few: up to so many are few.
    """

    def __init__(self, db: sqlite3.Connection, text: str, *, begins: bool, few: int) -> None:
        [highest] = db.execute("SELECT ifnull(max(id), 0) FROM items").fetchone()
        wanted = folded_name(text)
        sought = b"\n" + wanted if begins else wanted
        numbers: list[int] = []
        #: By number: 1 for an item that matches.
        self.marks = bytearray(highest + 1)
        for place, body in db.execute("SELECT place, body FROM names ORDER BY place"):
            if sought not in body:
                continue
            first = (place << _BITS) or 1  # no item has the number 0
            if body.count(sought) <= _SPARSE:
                for line in _lines_with(body, sought):
                    self.marks[first + line] = 1
                    numbers.append(first + line)
            else:
                lines = body[1:].split(b"\n")
                marks = bytes([line.startswith(wanted) if begins else wanted in line for line in lines])
                self.marks[first : first + len(marks)] = marks
                if len(numbers) <= few:
                    numbers += [first + line for line, mark in enumerate(marks) if mark]
        self.count = self.marks.count(1)
        #: The numbers where they are few, else None.
        self.numbers = numbers if self.count <= few else None
        #: Whether every item matches.
        self.all = self.count == highest


def _lines_with(body: bytes, sought: bytes) -> Iterator[int]:
    """Yield the places of the lines that have a text in them, in a body in which a break begins each line."""
    line, seen, at = -1, 0, body.find(sought)
    while at >= 0:
        # The break before a line belongs to it
        line += body.count(b"\n", seen, at + 1)
        yield line
        seen = body.find(b"\n", at + 1)
        at = body.find(sought, seen) if seen >= 0 else -1
