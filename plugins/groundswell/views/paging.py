"""Pages of items, found by the index's own indexes."""

# ruff: noqa: S608  names of columns come from here; every value is bound

from __future__ import annotations

import base64
import json
import sqlite3
from dataclasses import dataclass, replace
from typing import Any

from groundswell.views.deriving import STATUSES
from groundswell.views.index_file import SORTED
from groundswell.views.syncing import get

#: Sorts of items; position is the order of the dataset.
SORTS = ("position", *SORTED)
#: Items of a page, at most.
MOST_ROWS = 500
#: Up to so many matches are sorted by themselves; more are met soon enough in the order of an index.
_FEW = 20_000
_LAST_CHARACTER = "\U0010ffff"

_COLUMNS = (
    "items.id, items.item, items.status, labels.label, items.answers, items.seats, items.agreement, "
    "items.confidence, items.cents, items.last, items.labelled"
)


@dataclass(frozen=True)
class ItemRow:
    """An item in a list.

    Attributes:
        item: its id.
        status: waiting (no HIT yet), open, settled, gave_up, expired, budget or lost.
        label: what the run's latest consolidation gave it, otherwise the label that most of its counted
            answers have; None for a tie or no answer.
        labelled: whether ``label`` is from a consolidation.
        answers: answers that were handed in.
        seats: seats that its HIT was given so far.
        agreement: share of its counted answers that have the leading label; None for fewer than two.
        confidence: of the consolidation; None before.
        cents: what was paid for it, fees included.
        last: when the last answer was submitted (ISO 8601, UTC); None before the first.
    """

    item: str
    status: str
    label: str | None
    labelled: bool
    answers: int
    seats: int
    agreement: float | None
    confidence: float | None
    cents: int
    last: str | None


@dataclass(frozen=True)
class Page:
    """Some of the items that match.

    Attributes:
        rows: the items, in order.
        total: how many items match.
        after: what to ask with for the items after these; None at the end.
    """

    rows: tuple[ItemRow, ...]
    total: int
    after: str | None


@dataclass(frozen=True)
class Query:
    """What items are asked for; see :meth:`groundswell.views.index.RunIndex.items`. Raises ValueError."""

    status: str | None = None
    label: str | None = None
    search: str = ""
    sort: str = "position"
    descending: bool = False
    page: int = 1
    after: str | None = None
    size: int = 50

    def __post_init__(self) -> None:
        if self.sort not in SORTS:
            raise ValueError(f"sort: {self.sort!r} is none of {', '.join(SORTS)}")
        if self.status is not None and self.status not in STATUSES:
            raise ValueError(f"status: {self.status!r} is none of {', '.join(STATUSES)}")
        if not (1 <= self.size <= MOST_ROWS and 1 <= self.page <= 10**9):
            raise ValueError(f"page and size count from 1, and a page has {MOST_ROWS} rows at most")


def page_of(db: sqlite3.Connection, query: Query) -> Page:
    """Return the items that a query asks for. Raises ValueError where ``after`` is not from a page before."""
    where = _filter(db, query)
    if query.search.strip():
        where = _searched(db, query, where)
    total = _total(db, where) if where.total is None else where.total
    if not total:
        return Page((), 0, None)
    rows = _rows(db, query, where, total)
    shown, more = rows[: query.size], len(rows) > query.size
    cursor = _cursor(query.sort, shown[-1]) if shown and more else None
    return Page(tuple(map(_item_row, shown)), total, cursor)


@dataclass(frozen=True)
class _Where:
    """What items match: conditions with their values, and how many where that is known."""

    conditions: tuple[str, ...]
    values: tuple[Any, ...]
    total: int | None = None

    def __str__(self) -> str:
        return " AND ".join(self.conditions)

    def also(self, condition: str, *values: Any) -> _Where:
        return _Where((*self.conditions, condition), (*self.values, *values))


def _filter(db: sqlite3.Connection, query: Query) -> _Where:
    where = _Where((), ())
    if query.status is not None:
        where = where.also("status = ?", STATUSES.index(query.status))
    else:
        where = where.also("status >= 0")
    if query.label is not None:
        found = db.execute("SELECT id FROM labels WHERE label = ?", (query.label,)).fetchone()
        where = where.also("label = ?", 0 if not query.label else found[0] if found else -1)
    return where


def _searched(db: sqlite3.Connection, query: Query, where: _Where) -> _Where:
    """Return what a search leaves: items that begin so, or where none does, that have it in them."""
    text = query.search.strip().encode(errors="replace").decode()
    found = where.also("item COLLATE NOCASE >= ? AND item COLLATE NOCASE < ?", text, text + _LAST_CHARACTER)
    few = _few(db, found)
    if few == []:
        found = where.also("instr(lower(item), ?) > 0", text.lower())
        few = _few(db, found)
    if few is not None:  # looked for once, whatever is done with them
        return _Where(("id IN (SELECT value FROM json_each(?))",), (json.dumps(few),), len(few))
    hint = _hint(db, "by_item")
    [total] = db.execute(f"SELECT count(*) FROM items {hint} WHERE {found}", found.values).fetchone()
    return _Where(found.conditions, found.values, total)


def _few(db: sqlite3.Connection, where: _Where) -> list[int] | None:
    """Return the numbers of the items that match, or None where they are many."""
    hint = _hint(db, "by_item")
    rows = db.execute(f"SELECT id FROM items {hint} WHERE {where} LIMIT ?", (*where.values, _FEW + 1))
    found = [number for (number,) in rows]
    return found if len(found) <= _FEW else None


def _total(db: sqlite3.Connection, where: _Where) -> int:
    # Sums of sums: so many as there are kinds of items, not items
    found = db.execute(f"SELECT ifnull(sum(items), 0) FROM tallies WHERE {where}", where.values)
    return int(found.fetchone()[0])


def _rows(db: sqlite3.Connection, query: Query, where: _Where, total: int) -> list[tuple[Any, ...]]:
    """Return the columns of one page, and of one item more where there is one."""
    if not query.after and _is_whole(db, query, total):
        query = _by_position(query, total)
    column = SORTED.get(query.sort, "id")
    order, compare = ("DESC", "<") if query.descending else ("ASC", ">")
    offset = 0 if query.after else (query.page - 1) * query.size
    if query.after:
        value, number = _read_cursor(query.after, query.sort)
        if query.sort == "position":
            where = where.also(f"id {compare} ?", number)
        else:
            where = where.also(f"({column}, id) {compare} (?, ?)", value, number)
    ordered = f"id {order}" if query.sort == "position" else f"{column} {order}, id {order}"
    inner = f"SELECT id FROM items {_plan(db, query, total)} WHERE {where} ORDER BY {ordered}"
    found = db.execute(
        f"SELECT {_COLUMNS} FROM ({inner} LIMIT ? OFFSET ?) AS chosen JOIN items ON items.id = chosen.id "
        "LEFT JOIN labels ON labels.id = items.label",
        (*where.values, query.size + 1, offset),
    ).fetchall()
    return _in_order(found, query)


def _is_whole(db: sqlite3.Connection, query: Query, total: int) -> bool:
    """Return whether all items are asked for in the order of their numbers, which run from 1 to the total."""
    asked = (query.sort, query.status, query.label, query.search.strip())
    highest = db.execute("SELECT max(id) FROM items").fetchone()[0]
    return asked == ("position", None, None, "") and bool(highest == total)


def _by_position(query: Query, total: int) -> Query:
    """Return the query that begins where a page begins, instead of counting up to there."""
    before = (query.page - 1) * query.size
    number = total + 1 - before if query.descending else before
    return replace(query, after=_cursor("position", (number,)))


def _in_order(rows: list[tuple[Any, ...]], query: Query) -> list[tuple[Any, ...]]:
    """Sort what a join gave back as the page wants it."""
    place = None if query.sort == "position" else _PLACES[query.sort]

    def key(row: tuple[Any, ...]) -> tuple[Any, ...]:
        if place is None:
            return (row[0],)
        value = row[place]
        return (_folded(value) if query.sort == "item" else value, row[0])

    return sorted(rows, key=key, reverse=query.descending)


def _folded(text: str) -> bytes:
    """Return a text as SQLite's NOCASE compares it: only ASCII letters are alike, then by UTF-8."""
    return text.encode().lower()


def _plan(db: sqlite3.Connection, query: Query, total: int) -> str:
    """Return the hint by which SQLite finds a page: few matches are sorted, many are met in order."""
    if total <= _FEW:
        if query.search.strip():
            return ""  # by their numbers
        if query.status is not None or query.label is not None:
            return _hint(db, "by_status" if query.status is not None else "by_label")
    return "NOT INDEXED" if query.sort == "position" else _hint(db, f"by_{query.sort}")


def _hint(db: sqlite3.Connection, name: str) -> str:
    """Return the hint to use an index; none before it is made."""
    return f"INDEXED BY {name}" if get(db, "as_of") is not None else ""


_PLACES = {"item": 1, "answers": 4, "agreement": 6, "confidence": 7, "cents": 8, "last": 9}


def _cursor(sort: str, row: tuple[Any, ...]) -> str:
    value = None if sort == "position" else row[_PLACES[sort]]
    return base64.urlsafe_b64encode(json.dumps([sort, value, row[0]]).encode()).decode()


def _read_cursor(text: str, sort: str) -> tuple[Any, int]:
    try:
        found, value, number = json.loads(base64.urlsafe_b64decode(text.encode()))
        if found == sort and type(number) is int and isinstance(value, str | int | float | None):
            return value, number
    except (ValueError, TypeError):
        pass
    raise ValueError("after: is not what a page of this sort gave; begin with the first page")


def _item_row(row: tuple[Any, ...]) -> ItemRow:
    _, item, status, label, answers, seats, agreement, confidence, cents, last, labelled = row
    return ItemRow(
        item=item,
        status=STATUSES[status],
        label=label,
        labelled=bool(labelled),
        answers=answers,
        seats=seats,
        agreement=None if agreement < 0 else agreement,
        confidence=None if confidence < 0 else confidence,
        cents=cents,
        last=last or None,
    )
