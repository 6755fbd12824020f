"""Reading many days of reports at once: side by side, each revision once, in bounded memory and time."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from groundswell.errors import GroundswellError
from groundswell.ui.throughput.filters import Span

if TYPE_CHECKING:
    import pandas
    import pyarrow

log = logging.getLogger(__name__)

_Value = TypeVar("_Value")
_LONGEST_REASON = 300


class UnreachableError(GroundswellError):
    """The store of the reports does not answer, or answers with errors only."""


class Store(Protocol):
    """What the page needs of :class:`groundswell.reports.store.ReportStore`."""

    def days(self) -> list[date]:
        """Return the days that have a report."""

    def current(self, day: date) -> dict[str, Any] | None:
        """Return the record of the latest revision of a day."""

    def file(self, day: date, record: Mapping[str, Any], name: str) -> bytes | None:
        """Return a file of the revision that a record tells of."""

    def body(self, day: date, file: str, revision: int | None = None) -> bytes | None:
        """Return a file of a day."""


class Kept:
    """Values by key, the least used ones forgotten once all together are larger than ``limit`` bytes.

    Whoever asks for a value that is being made waits for that one: nothing is read twice at the same time.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._coming: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], _Value], size: Callable[[_Value], int]) -> _Value:
        """Return the value of ``key``, made by ``make`` where it is not there.

        :param size: bytes that a value takes
        :raises Exception: what ``make`` raised, for all who waited for it; nothing is kept then
        """
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key][0]  # type: ignore[no-any-return]
            coming = self._coming.get(key)
            if coming is None:
                mine = self._coming[key] = Future()
        if coming is not None:
            return coming.result()  # type: ignore[no-any-return]
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                del self._coming[key]
            mine.set_exception(error)
            raise
        self._keep(key, value, size(value))
        mine.set_result(value)
        return value

    def _keep(self, key: Hashable, value: object, size: int) -> None:
        with self._lock:
            del self._coming[key]
            if size > self.limit:
                return
            self._values[key] = (value, size)
            self.size += size
            while self.size > self.limit:
                _, (_, freed) = self._values.popitem(last=False)
                self.size -= freed


@dataclass(frozen=True)
class Days:
    """The reports of a span of days.

    :param records: ``current.json`` of each day that has one and could be read, in order
    :param frames: by the same days, the table asked for
    :param unread: days whose report is there but cannot be read, and why
    """

    span: Span
    records: Mapping[date, Mapping[str, Any]]
    unread: Mapping[date, str] = field(default_factory=dict)

    @property
    def missing(self) -> list[date]:
        """Return the days of the span without a report."""
        ordinals = range(self.span.first.toordinal(), self.span.last.toordinal() + 1)
        days = map(date.fromordinal, ordinals)
        return [day for day in days if day not in self.records and day not in self.unread]

    @property
    def key(self) -> tuple[tuple[date, int], ...]:
        """Return what names the content: the days and their revisions."""
        return tuple((day, revision(record)) for day, record in self.records.items())


def revision(record: Mapping[str, Any]) -> int:
    """Return the number of the revision that a record tells of."""
    return int(record.get("revision", 0))


class Reader:
    """Reads a report store for as long as the process lives; safe to use from many threads.

    Tables are kept by day and revision, so they never go stale. Which revision a day has is asked again after
    ``fresh`` seconds: a revised day is seen that late at most.

    :param open_store: returns the store; called for every read, so that a changed connection is noticed
    :param limit: bytes of tables that are kept
    :param fresh: seconds for which the list of days and their records hold
    :param patience: seconds after which the store counts as unreachable
    :param readers: how many requests to the store are under way at once
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        *,
        limit: int = 256 * 2**20,
        fresh: float = 20.0,
        patience: float = 30.0,
        readers: int = 16,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open = open_store
        self.kept = Kept(limit)
        self._fresh = fresh
        self._patience = patience
        self._clock = clock
        self._pool = ThreadPoolExecutor(readers, thread_name_prefix="reports")
        self._records: dict[date | None, tuple[float, Any]] = {}

    def days(self) -> list[date]:
        """Return the days that have a report, in order.

        :raises UnreachableError: the store does not answer
        """
        (days,) = self._each([lambda: self._recent(None, lambda: sorted(self._open().days()))])
        if isinstance(days, BaseException):
            raise UnreachableError(reason(days)) from days
        return days

    def read(self, span: Span) -> Days:
        """Return the records of the days of a span that have one.

        :raises UnreachableError: none of them can be read
        """
        days = [day for day in self.days() if day in span]
        found = self._each([lambda day=day: self._record(day) for day in days])  # type: ignore[misc]
        return Days(span, *_split(days, found))

    def record(self, day: date) -> Mapping[str, Any] | None:
        """Return the record of a day, None where it has no report.

        :raises UnreachableError: the store does not answer, or what it says is no record
        """
        (record,) = self._each([lambda: self._record(day)])
        if isinstance(record, BaseException):
            raise UnreachableError(reason(record)) from record
        return record

    def tables(self, days: Days, name: str) -> tuple[dict[date, pyarrow.Table], dict[date, str]]:
        """Return a table of each day, and why it could not be read where it could not.

        A day whose table was removed for its age is in neither.

        :raises UnreachableError: none of them can be read
        """
        asked = list(days.records)
        found = self._each([lambda day=day: self._table(day, days.records[day], name) for day in asked])  # type: ignore[misc]
        return _split(asked, found)

    def body(self, day: date, file: str, number: int | None) -> bytes | None:
        """Return a file of a day, of the latest revision or of the one with that number.

        :raises UnreachableError: the store does not answer
        """
        (body,) = self._each([lambda: self._open().body(day, file, number)])
        if isinstance(body, BaseException):
            raise UnreachableError(reason(body)) from body
        return body

    def _record(self, day: date) -> Mapping[str, Any] | None:
        return self._recent(day, lambda: self._open().current(day))

    def _table(self, day: date, record: Mapping[str, Any], name: str) -> pyarrow.Table | None:
        def read() -> pyarrow.Table | None:
            from groundswell.reports.tables import read_arrow

            body = self._open().file(day, record, f"{name}.parquet")
            return None if body is None else read_arrow(body)

        return self.kept.get(("table", day, revision(record), name), read, _table_size)

    def _recent(self, key: date | None, read: Callable[[], _Value]) -> _Value:
        kept = self._records.get(key)
        if kept is not None and self._clock() - kept[0] < self._fresh:
            return kept[1]  # type: ignore[no-any-return]
        now = self._clock()
        value = read()
        self._records[key] = (now, value)
        return value

    def _each(self, calls: Sequence[Callable[[], _Value]]) -> list[_Value | BaseException]:
        """Run calls side by side; return what each gave, or raised."""
        futures = [self._pool.submit(call) for call in calls]
        _, late = wait(futures, timeout=self._patience)
        if late:
            for future in late:
                future.cancel()
            raise UnreachableError(f"it did not answer within {self._patience:g} seconds")
        return [future.exception() or future.result() for future in futures]


def _split(days: Sequence[date], found: Sequence[Any]) -> tuple[dict[date, Any], dict[date, str]]:
    good = {day: one for day, one in zip(days, found, strict=True) if _is_value(one)}
    bad = {day: one for day, one in zip(days, found, strict=True) if isinstance(one, BaseException)}
    for day, error in bad.items():
        log.warning("The report of %s cannot be read", day, exc_info=error)
    if bad and not good:
        first = next(iter(bad.values()))
        raise UnreachableError(reason(first)) from first
    return good, {day: reason(error) for day, error in bad.items()}


def _is_value(one: object) -> bool:
    return one is not None and not isinstance(one, BaseException)


def reason(error: BaseException) -> str:
    """Return one line of what went wrong, for people."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"


def size(frame: pandas.DataFrame) -> int:
    """Return the bytes that a table takes."""
    return int(frame.memory_usage(deep=True).sum())


def _table_size(table: pyarrow.Table | None) -> int:
    return 0 if table is None else int(table.nbytes)
