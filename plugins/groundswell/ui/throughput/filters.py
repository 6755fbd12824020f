"""What an address asks for: which days, which rows, and how each table is sorted.

Everything the page shows is named in its address, so that a view can be shared and the form works without
script. Values that cannot be meant are refused with the name of the field; a team or worker that no report
knows is not wrong, it only finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from urllib.parse import urlencode

from groundswell.errors import GroundswellError

#: The ranges that have a name, in the order in which the page offers them.
PRESETS: Mapping[str, str] = {
    "yesterday": "Yesterday",
    "7d": "Last 7 days",
    "28d": "Last 4 weeks",
    "month": "This month",
}
DEFAULT_PRESET = "7d"
#: A range that has no name: its dates say it.
DATES = "dates"
#: What the page calls a source in its address.
SOURCE_NAMES: Mapping[str, str] = {"private": "worker_activity", "public": "ledger"}
SOURCE_LABELS: Mapping[str, str] = {"private": "Private teams", "public": "Public workforce"}
#: The longest range that is read at once: a year, and the month before it.
MOST_DAYS = 400
_LONGEST_VALUE = 400
_DAY = timedelta(days=1)
_LENGTHS = {"7d": 7, "28d": 28}
_FIELDS = ("team", "job", "worker")


class BadFilterError(GroundswellError):
    """A value in the address cannot be meant; the text says which field, and what would do."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


@dataclass(frozen=True)
class Span:
    """Days from ``first`` to ``last``, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days these are."""
        return (self.last - self.first).days + 1

    def before(self) -> Span:
        """Return as many days, right before these."""
        return Span(self.first - self.days * _DAY, self.first - _DAY)

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True)
class Filters:
    """The rows that are asked for. Empty text means all.

    :param preset: a key of :data:`PRESETS`, or "" where dates are given
    :param first: the first day asked for; None where ``preset`` says it, or for the week up to ``last``
    :param last: the last day asked for; None where ``preset`` says it, or for the latest report
    :param source: a key of :data:`SOURCE_NAMES`, or ""
    """

    preset: str = DEFAULT_PRESET
    first: date | None = None
    last: date | None = None
    team: str = ""
    job: str = ""
    worker: str = ""
    source: str = ""

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> Filters:
        """Read the filters of an address.

        :raises BadFilterError: a value is malformed, unknown or too long
        """
        first, last = _date(parameters, "from"), _date(parameters, "to")
        preset = _choice(parameters, "range", (*PRESETS, DATES)).removesuffix(DATES)
        if first is not None and last is not None and last < first:
            raise BadFilterError("to", f"{last} is before the first day, {first}; swap them")
        if first is not None and last is not None and Span(first, last).days > MOST_DAYS:
            raise BadFilterError("from", f"more than {MOST_DAYS} days; ask for fewer")
        texts = {field: _text(parameters, field) for field in _FIELDS}
        return cls(
            preset="" if first or last else preset or DEFAULT_PRESET,
            first=first,
            last=last,
            source=_choice(parameters, "source", SOURCE_NAMES),
            **texts,
        )

    def span(self, latest: date, today: date) -> Span:
        """Return the days that are meant.

        "Last 7 days" and "last 4 weeks" end with the latest report, so that they show something also where
        reports are late; "yesterday" and "this month" are those of the calendar.

        :param latest: the day of the latest report
        :param today: the calendar day in the time zone of the reports
        :raises BadFilterError: no last day is given, and the first is too long ago
        """
        if self.first is not None:
            return _given_span(self.first, self.last, latest)
        if self.last is not None:
            return Span(self.last - (_LENGTHS[DEFAULT_PRESET] - 1) * _DAY, self.last)
        if self.preset == "yesterday":
            return Span(today - _DAY, today - _DAY)
        if self.preset == "month":
            return Span(today.replace(day=1), max(today - _DAY, today.replace(day=1)))
        return Span(latest - (_LENGTHS[self.preset] - 1) * _DAY, latest)

    def rows(self) -> dict[str, str]:
        """Return the columns of a report that must have one value, and the value."""
        wanted = {field: getattr(self, field) for field in _FIELDS}
        wanted["source"] = SOURCE_NAMES.get(self.source, "")
        return {column: value for column, value in wanted.items() if value}

    def parameters(self) -> dict[str, str]:
        """Return what an address needs to say to mean these filters; defaults are left out."""
        said = {
            "range": "" if self.preset == DEFAULT_PRESET else self.preset,
            "from": str(self.first or ""),
            "to": str(self.last or ""),
            "team": self.team,
            "job": self.job,
            "worker": self.worker,
            "source": self.source,
        }
        return {name: value for name, value in said.items() if value}

    def query(self, **changes: str) -> str:
        """Return the query of an address: ``?a=b&c=d``, or "" where all is as by default.

        :param changes: filters (``team="a"``), a ``range``, or other parameters to add; "" takes one away
        """
        filters = self
        if "range" in changes:
            filters = replace(self, preset=changes["range"], first=None, last=None)
        said = filters.parameters()
        for name, value in changes.items():
            if name != "range":
                said[name] = value
        said = {name: value for name, value in said.items() if value}
        return f"?{urlencode(said)}" if said else ""


def _given_span(first: date, last: date | None, latest: date) -> Span:
    span = Span(first, last if last is not None else max(first, latest))
    if span.days > MOST_DAYS:
        raise BadFilterError("from", f"more than {MOST_DAYS} days before the latest report; give a last day")
    return span


def _date(parameters: Mapping[str, str], field: str) -> date | None:
    text = parameters.get(field, "").strip()
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # fromisoformat takes 20261121 and 2026-W47-6 as well
    if day is None or str(day) != text or day.year < 2000:
        raise BadFilterError(field, "is not a day; write it as 2026-11-21")
    return day


def _choice(parameters: Mapping[str, str], field: str, choices: Iterable[str]) -> str:
    text = parameters.get(field, "").strip()
    if text and text not in choices:
        raise BadFilterError(field, f"is none of {', '.join(choices)}")
    return text


def _text(parameters: Mapping[str, str], field: str) -> str:
    text = parameters.get(field, "").strip()
    if len(text) > _LONGEST_VALUE:
        raise BadFilterError(field, f"is longer than {_LONGEST_VALUE} characters; no report has such a name")
    return text


@dataclass(frozen=True)
class Order:
    """How a table is sorted, and which page of it is shown.

    :param column: a column of the table
    :param descending: largest first
    :param page: 1 is the first
    """

    column: str
    descending: bool
    page: int = 1

    @classmethod
    def read(cls, parameters: Mapping[str, str], table: str, columns: Sequence[str], default: str) -> Order:
        """Read ``<table>=-column`` (descending) or ``<table>=column``, and ``<table>_page``.

        :raises BadFilterError: the table has no such column, or the page is no number
        """
        text = parameters.get(table, "").strip() or default
        column = text.removeprefix("-")
        if column not in columns:
            raise BadFilterError(table, f"has no column of that name; use one of {', '.join(columns)}")
        return cls(column, text.startswith("-"), read_page(parameters, table))

    def said(self) -> str:
        """Return the value of the parameter that means this order."""
        return f"-{self.column}" if self.descending else self.column


def read_page(parameters: Mapping[str, str], table: str) -> int:
    """Return the page of a table that is asked for: ``<table>_page``, 1 where nothing is said.

    :raises BadFilterError: it is no number of a page
    """
    text = parameters.get(f"{table}_page", "").strip() or "1"
    if not (text.isascii() and text.isdecimal() and len(text) < 7 and int(text) > 0):
        raise BadFilterError(f"{table}_page", "is not the number of a page, such as 2")
    return int(text)
