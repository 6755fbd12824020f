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
_SPARSE = 100


def folded_name(text: str) -> bytes:
    """Return a text as it is compared: upper and lower case are the same, a line break is a space."""
    return text.lower().replace("\n", " ").encode(errors="backslashreplace")


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
    body = b"".join(b"\n" + folded_name(name) for name in names)
    known = db.execute("SELECT body FROM names WHERE place = ?", (place,)).fetchone()
    whole = body if known is None else known[0] + body
    db.execute("INSERT OR REPLACE INTO names VALUES (?, ?)", (place, whole))


def matching(db: sqlite3.Connection, text: str, *, begins: bool) -> Iterator[Sequence[int]]:
    """Yield the numbers of the items whose ids have a text in them, some at a time, in order.

    Args:
        db: the index.
        text: what is looked for.
        begins: whether the ids are to begin so.
    """
    wanted = folded_name(text)
    sought = b"\n" + wanted if begins else wanted
    for place, body in db.execute("SELECT place, body FROM names ORDER BY place"):
        if sought in body:
            first = (place << _BITS) or 1  # no item has the number 0
            yield _matching(body, sought, first)


def _matching(body: bytes, sought: bytes, first: int) -> Sequence[int]:
    count = body.count(sought)
    if count > _SPARSE:
        if sought.startswith(b"\n") and count == body.count(b"\n"):
            return range(first, first + count)
        lines = [b"\n" + line for line in body[1:].split(b"\n")]
        return [first + place for place, line in enumerate(lines) if sought in line]
    found: list[int] = []
    line, seen, at = first - 1, 0, body.find(sought)
    while at >= 0:
        # The break before a line belongs to it
        line += body.count(b"\n", seen, at + 1)
        found.append(line)
        seen = body.find(b"\n", at + 1)
        at = body.find(sought, seen) if seen >= 0 else -1
    return found


class Matches:
    """The items whose ids have a text in them: their numbers, or where they are many a mark for each item.

    :param db: the index.
    :param text: what is looked for.
    :param begins: whether the ids are to begin so.
    :param few: up to so many are few.
    """

    def __init__(self, db: sqlite3.Connection, text: str, *, begins: bool, few: int) -> None:
        [highest] = db.execute("SELECT ifnull(max(id), 0) FROM items").fetchone()
        self._marks = bytearray(highest + 1)
        self.count = 0
        numbers: list[int] = []
        for several in matching(db, text, begins=begins):
            self.count += len(several)
            if self.count <= few:
                numbers += several
            if isinstance(several, range):
                self._marks[several.start : several.stop] = b"\x01" * len(several)
            else:
                for number in several:
                    self._marks[number] = 1
        #: The numbers where they are few, else None.
        self.numbers = numbers if self.count <= few else None
        #: Whether every item matches.
        self.all = self.count == highest

    def marked(self, number: int) -> int:
        """Return whether an item matches: 1 or 0."""
        return self._marks[number]
