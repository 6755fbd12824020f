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
from groundswell.views.record_rows import plain
from groundswell.views.remembered import get
from groundswell.views.searching import Matches

#: Sorts of items; position is the order of the dataset.
SORTS = ("position", *SORTED)
#: Items of a page, at most.
MOST_ROWS = 500
#: Up to so many matches are sorted by themselves; more are met soon enough in the order of an index.
_FEW = 20_000

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
        where = _searched(db, query.search.strip(), where)
    total = _total(db, where) if where.total is None else where.total
    if not total:
        return Page((), 0, None)
    rows = _rows(db, query, where, total)
    shown, more = rows[: query.size], len(rows) > query.size
    cursor = _cursor(query.sort, shown[-1]) if shown and more else None
    return Page(tuple(map(_item_row, shown)), total, cursor)


@dataclass(frozen=True)
class _Where:
    """What items match: conditions with their values, and how many where that is known.

    :param status: the condition on it, if any.
    :param label: the number of the label, if any.
    :param searched: whether there is a condition on ids.
    """

    conditions: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    status: int | None = None
    label: int | None = None
    searched: bool = False
    total: int | None = None

    def __str__(self) -> str:
        return " AND ".join(self.conditions) or "1"

    def also(self, condition: str, *values: Any) -> _Where:
        return replace(self, conditions=(*self.conditions, condition), values=(*self.values, *values))


def _filter(db: sqlite3.Connection, query: Query) -> _Where:
    where = _Where()
    if query.status is not None:
        status = STATUSES.index(query.status)
        where = replace(where.also("items.status = ?", status), status=status)
    else:
        where = where.also("items.status >= 0")
    if query.label is not None:
        label = _label_id(db, query.label or None)
        where = replace(where.also("items.label = ?", label), label=label)
    return where


def _label_id(db: sqlite3.Connection, label: str | None) -> int:
    """Return the number of a label; -1 for one that no item has."""
    if label is None:
        return 0
    found = db.execute("SELECT id FROM labels WHERE label = ?", (plain(label),)).fetchone()
    return int(found[0]) if found else -1


def _searched(db: sqlite3.Connection, text: str, where: _Where) -> _Where:
    """Return what a search leaves: items that begin so, or where none does, that have it in them."""
    for begins in (True, False):
        found = _matched(db, Matches(db, text, begins=begins, few=_FEW), where)
        if found.total != 0:
            break
    return found


def _matched(db: sqlite3.Connection, matches: Matches, where: _Where) -> _Where:
    """Return a condition with the matches of a search, which are looked for once."""
    if matches.all:
        return replace(where, total=_total(db, where))
    if matches.numbers is None:
        found = where.also("substr(?, items.id + 1, 1) = x'01'", bytes(matches.marks))
        select = f"FROM items {_narrow(db, where, 'by_status')} WHERE {found}"
    else:
        found = where.also("items.id IN (SELECT value FROM json_each(?))", json.dumps(matches.numbers))
        select = f"FROM items WHERE {found}"
    few = [number for (number,) in db.execute(f"SELECT items.id {select} LIMIT {_FEW + 1}", found.values)]
    if len(few) <= _FEW:
        listed = _Where(("items.id IN (SELECT value FROM json_each(?))",), (json.dumps(few),))
        return replace(listed, searched=True, total=len(few))
    [total] = db.execute(f"SELECT count(*) {select}", found.values).fetchone()
    return replace(found, searched=True, total=total)


def _total(db: sqlite3.Connection, where: _Where) -> int:
    # Sums of sums: so many as there are kinds of items, not items
    found = db.execute(f"SELECT ifnull(sum(items), 0) FROM tallies AS items WHERE {where}", where.values)
    return int(found.fetchone()[0])


def _rows(db: sqlite3.Connection, query: Query, where: _Where, total: int) -> list[tuple[Any, ...]]:
    """Return the columns of one page, and of one item more where there is one."""
    if not query.after and _is_whole(db, query, where, total):
        query = _by_position(query, total)
    numbers = (_by_label if query.sort == "label" else _by_column)(db, query, where, total)
    found = db.execute(
        f"SELECT {_COLUMNS} FROM items LEFT JOIN labels ON labels.id = items.label "
        "WHERE items.id IN (SELECT value FROM json_each(?))",
        (json.dumps(numbers),),
    ).fetchall()
    places = {number: place for place, number in enumerate(numbers)}
    return sorted(found, key=lambda row: places[row[0]])


def _by_column(db: sqlite3.Connection, query: Query, where: _Where, total: int) -> list[int]:
    """Return the numbers of a page's items, and of one more, in the order of a column of theirs."""
    column = SORTED.get(query.sort)
    order, compare = ("DESC", "<") if query.descending else ("ASC", ">")
    if query.after:
        value, number = _read_cursor(query.after, query.sort)
        if column is None:
            where = where.also(f"items.id {compare} ?", number)
        else:
            where = where.also(f"({column}, items.id) {compare} (?, ?)", value, number)
    ordered = f"items.id {order}" if column is None else f"{column} {order}, items.id {order}"
    source = f"items {_plan(db, query, where, total)}"
    return _numbers(db, source, where, ordered, query.size + 1, _offset(query))


def _by_label(db: sqlite3.Connection, query: Query, where: _Where, total: int) -> list[int]:
    """Return the same in the order of labels: label by label, those without one first."""
    many = total > _FEW and get(db, "as_of") is not None
    source = "labels CROSS JOIN items INDEXED BY by_label ON items.label = labels.id"
    if not many:
        source = "items JOIN labels ON labels.id = items.label"
    order, compare = ("DESC", "<") if query.descending else ("ASC", ">")
    ordered = f"labels.label {order}, labels.id {order}, items.id {order}"
    if not query.after:
        return _numbers(db, source, where, ordered, query.size + 1, _offset(query))
    value, number = _read_cursor(query.after, query.sort)
    same = where.also("items.label = ?", _label_id(db, value)).also(f"items.id {compare} ?", number)
    by_label = f"items {_hint(db, 'by_label')}" if many else "items"
    found = _numbers(db, by_label, same, f"items.id {order}", query.size + 1, 0)
    if len(found) <= query.size:
        rest = _labels_after(where, value, query.descending)
        found += _numbers(db, source, rest, ordered, query.size + 1 - len(found), 0)
    return found


def _labels_after(where: _Where, value: str | None, descending: bool) -> _Where:
    if value is None:
        return where.also("0" if descending else "labels.label IS NOT NULL")
    if descending:
        return where.also("(labels.label < ? OR labels.label IS NULL)", value)
    return where.also("labels.label > ?", value)


def _numbers(
    db: sqlite3.Connection, source: str, where: _Where, ordered: str, most: int, offset: int
) -> list[int]:
    asked = f"SELECT items.id FROM {source} WHERE {where} ORDER BY {ordered} LIMIT ? OFFSET ?"
    return [number for (number,) in db.execute(asked, (*where.values, most, offset))]


def _offset(query: Query) -> int:
    return 0 if query.after else (query.page - 1) * query.size


def _is_whole(db: sqlite3.Connection, query: Query, where: _Where, total: int) -> bool:
    """Return whether all items are asked for in the order of their numbers, which run from 1 to the total."""
    highest = db.execute("SELECT max(id) FROM items").fetchone()[0]
    narrowed = where.status is not None or where.label is not None or where.searched
    return query.sort == "position" and not narrowed and bool(highest == total)


def _by_position(query: Query, total: int) -> Query:
    """Return the query that begins where a page begins, instead of counting up to there."""
    before = (query.page - 1) * query.size
    number = total + 1 - before if query.descending else before
    return replace(query, after=_cursor("position", (number,)))


def _plan(db: sqlite3.Connection, query: Query, where: _Where, total: int) -> str:
    """Return the hint by which SQLite finds a page: few matches are sorted, many are met in order."""
    if total <= _FEW and where.searched:
        return ""  # by their numbers
    if query.sort == "position":
        return _narrow(db, where, "")
    return _narrow(db, where, f"by_{query.sort}") if total <= _FEW else _hint(db, f"by_{query.sort}")


def _narrow(db: sqlite3.Connection, where: _Where, otherwise: str) -> str:
    """Return the hint to go through the items of a status or a label, whichever are fewer, in their order."""
    indexes = {"by_status": where.status, "by_label": where.label}
    asked = [name for name, value in indexes.items() if value is not None]
    if len(asked) == 2:
        names = {"by_status": "status", "by_label": "label"}
        asked.sort(key=lambda name: _total(db, _Where((f"{names[name]} = ?",), (indexes[name],))))
    name = asked[0] if asked else otherwise
    return _hint(db, name) if name else "NOT INDEXED"


def _hint(db: sqlite3.Connection, name: str) -> str:
    """Return the hint to use an index; none before it is made."""
    return f"INDEXED BY {name}" if get(db, "as_of") is not None else ""


_PLACES = {
    "item": 1,
    "status": 2,
    "label": 3,
    "answers": 4,
    "agreement": 6,
    "confidence": 7,
    "cents": 8,
    "last": 9,
}


def _cursor(sort: str, row: tuple[Any, ...]) -> str:
    value = None if sort == "position" else row[_PLACES[sort]]
    return base64.urlsafe_b64encode(json.dumps([sort, value, row[0]]).encode()).decode()


def _read_cursor(text: str, sort: str) -> tuple[Any, int]:
    try:
        found, value, number = json.loads(base64.urlsafe_b64decode(text.encode()))
        if found == sort and type(number) is int and _can_be(value, sort) and abs(number) < 2**63:
            return value, number
    except (ValueError, TypeError, RecursionError):
        pass
    raise ValueError("after: is not what a page of this sort gave; begin with the first page")


def _can_be(value: object, sort: str) -> bool:
    """Return whether a column may have a value: whatever stands in an address must not reach SQLite."""
    if value is None:
        return sort in {"position", "label"}
    if isinstance(value, str):
        return sort in {"item", "label", "last"} and plain(value) == value
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63
    return number and sort not in {"position", "item", "label", "last"}


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
