"""The page's tables: rows of measures by team, job, worker and day, sorted and cut into pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from groundswell.reports import schema
from groundswell.reports.html import formats
from groundswell.ui.throughput.columns import LISTINGS, MEASURES, PAGE_SIZE, SOURCE_WORDS, Listing, shown
from groundswell.ui.throughput.filters import Filters, Order, read_page
from groundswell.ui.throughput.totals import interval

Row = Mapping[str, Any]

#: The lists that have pages and no columns to sort by.
LEAVES = ("anomalies", "sources")
_PAGES = tuple(f"{name}_page" for name in (*LISTINGS, *LEAVES))
_NOT_TOLD = {"worker": "no single worker", "job": "not told apart", "team": "not told apart"}


@dataclass(frozen=True)
class Head:
    """The head of a column: what it is called, the address that sorts by it, and what it means."""

    column: str
    label: str
    query: str
    meaning: str
    numeric: bool


@dataclass(frozen=True)
class Cell:
    """A cell: text, small text below it, and the query of the address that shows more, where there is one."""

    text: str
    note: str = ""
    query: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class TableView:
    """A table as it is shown.

    :param rows: cells of the rows of this page; the first cell heads the row
    :param keys: what each of these rows is about, such as its day
    :param total: rows on all pages
    :param named: how many teams, jobs, workers or days these are about: one may have several rows, and what
        belongs to no single one has a row too
    """

    listing: Listing
    order: Order
    heads: Sequence[Head]
    rows: Sequence[Sequence[Cell]]
    keys: Sequence[Any]
    total: int
    named: int
    page: int
    pages: int
    previous: str = ""
    following: str = ""


@dataclass(frozen=True)
class Asked:
    """What the address asks for, tables included.

    :param parameters: all of its parameters, to keep those of other tables
    """

    filters: Filters
    parameters: Mapping[str, str] = field(default_factory=dict)

    def order(self, listing: Listing) -> Order:
        """Return how a table is sorted.

        :raises BadFilterError: the address asks for what the table does not have
        """
        return Order.read(self.parameters, listing.name, listing.columns, listing.order)

    def check(self) -> None:
        """Look at what no filter is.

        :raises BadFilterError: the address asks for what a table does not have
        """
        for listing in LISTINGS.values():
            self.order(listing)
        for name in LEAVES:
            read_page(self.parameters, name)

    @property
    def whole(self) -> bool:
        """Whether the page comes in one piece, for browsers without script."""
        return self.parameters.get("script") == "no"

    def query(self, **changes: str) -> str:
        """Return the query of an address with the same filters and tables, but for ``changes``."""
        kept = {name: self.parameters.get(name, "") for name in (*LISTINGS, *_PAGES)}
        return self.filters.query(**(kept | {"script": "no" if self.whole else ""} | changes))

    def filtered(self, **changes: str) -> str:
        """Return the query with other filters: pages begin anew."""
        return self.query(**(dict.fromkeys(_PAGES, "") | changes))


def table(listing: Listing, rows: Sequence[Row], asked: Asked) -> TableView:
    """Sort rows, cut out the page asked for, and write the cells.

    :raises BadFilterError: the address asks for what the table does not have
    """
    order = asked.order(listing)
    ordered = sort(rows, order, listing)
    pages = max(1, -(-len(ordered) // PAGE_SIZE))
    page = min(order.page, pages)
    cut = ordered[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]

    def turn(to: int) -> str:
        return asked.query(**{f"{listing.name}_page": str(to) if to > 1 else ""})

    return TableView(
        listing,
        order,
        heads=[_head(listing, column, order, asked) for column in listing.columns],
        rows=[[_cell(column, row, asked) for column in listing.columns] for row in cut],
        keys=[row[listing.keys[0]] for row in cut],
        total=len(ordered),
        named=len({row[listing.keys[0]] for row in ordered} - {"", None}),
        page=page,
        pages=pages,
        previous=turn(page - 1) if page > 1 else "",
        following=turn(page + 1) if page < pages else "",
    )


def sort(rows: Sequence[Row], order: Order, listing: Listing) -> list[Row]:
    """Return rows in order; those without a value are last either way, equal ones by their keys."""
    by_keys = sorted(rows, key=lambda row: [str(row[key]) for key in listing.keys])
    known = [row for row in by_keys if not _nothing(row[order.column])]
    unknown = [row for row in by_keys if _nothing(row[order.column])]
    return sorted(known, key=_sort_key(order.column), reverse=order.descending) + unknown


def _sort_key(column: str) -> Callable[[Row], Any]:
    if column in MEASURES:
        return lambda row: float(row[column])
    return lambda row: str(row[column]).casefold()


def _nothing(value: Any) -> bool:
    return formats.missing(value) or value == ""


def _head(listing: Listing, column: str, order: Order, asked: Asked) -> Head:
    numeric = column in MEASURES
    descending = not order.descending if order.column == column else numeric
    said = Order(column, descending).said()
    changes = {listing.name: "" if said == listing.order else said, f"{listing.name}_page": ""}
    if numeric:
        return Head(column, MEASURES[column].heading, asked.query(**changes), meaning(column), numeric=True)
    label = listing.headings[listing.keys.index(column)]
    return Head(column, label, asked.query(**changes), "", numeric=False)


def meaning(measure: str) -> str:
    """Return what a measure is, and its formula, in a sentence or two."""
    if measure == "active_workers":
        return "Workers who submitted, returned or declined a task."
    column = schema.measure(measure)
    return f"{column.meaning} Formula: {column.formula}." if column.formula else column.meaning


def _cell(column: str, row: Row, asked: Asked) -> Cell:
    value = row[column]
    if column in MEASURES:
        return Cell(shown(column, value), note=_interval_note(column, row))
    if column == "source":
        words = SOURCE_WORDS.get(str(value), (str(value), ""))
        return Cell(words[0], numeric=False, query=asked.filtered(source=words[1]) if words[1] else "")
    if column == "day":
        return Cell(formats.day(formats.as_day(value), weekday=True), numeric=False)
    if _nothing(value):
        return Cell(_NOT_TOLD.get(column, formats.NONE), numeric=False)
    note = str(row.get("name") or "") if column == "worker" else ""
    query = asked.filtered(**{column: str(value)}) if column in {"team", "job", "worker"} else ""
    return Cell(formats.clean(value), note=formats.clean(note), query=query, numeric=False)


def _interval_note(column: str, row: Row) -> str:
    if column != "accuracy" or not interval(row):
        return ""
    return f"{formats.share(row['accuracy_low'])} to {formats.share(row['accuracy_high'])}"
