"""What a report is about: its days, its rows by any key, and the days before to compare with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache, cached_property
from statistics import median
from typing import TYPE_CHECKING, Any

from groundswell.reports.html import charts, formats, frames, wording
from groundswell.reports.html.frames import Row, Tables

if TYPE_CHECKING:
    import pandas as pd

    from groundswell.reports.period import Period
    from groundswell.reports.settings import ReportSettings

WINDOW_DAYS = 28
"""Days before its own whose course a report of one day shows."""

MOST_OPEN = 60
"""Rows of a table that are open: of longer ones fewer, see :mod:`groundswell.reports.html.tabling`."""

_SAME_WEEKDAYS = 3
"""Days of the same weekday that must be known to compare with these; otherwise with all days with work."""

_DID_SOMETHING = ("submitted", "returned", "declined")


@dataclass(frozen=True)
class Usual:
    """What a measure is on other days.

    :param words: which days these are, such as ``the last 4 Fridays``.
    """

    value: float
    low: float
    high: float
    words: str


@dataclass(frozen=True)
class Scope:
    """What the sections are made from.

    :param rows_by: gives one row per value of the keys, with all measures.
    :param course: rows of each day for trends, or None.
    :param flags: findings per worker.
    :param noun: ``day`` or ``period``.
    :param workers_table: the finest rows of the report's days.
    """

    first: date
    last: date
    settings: ReportSettings
    rows_by: Callable[..., list[Row]]
    course: Period | None
    noun: str
    workers_table: pd.DataFrame
    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    _cache: dict[tuple[str, str], list[Row]] = field(default_factory=dict)

    @property
    def one_day(self) -> bool:
        """Whether the report is about a single day."""
        return self.noun == "day"

    @cached_property
    def total(self) -> Row:
        """All measures of all work."""
        found = self.rows_by()
        return found[0] if found else {}

    @property
    def idle(self) -> bool:
        """Whether there is nothing to report but that."""
        return not self.total

    @cached_property
    def workers(self) -> list[Row]:
        """One row per worker, most work first; without the row of what belongs to no single worker."""
        return frames.biggest(
            (row for row in self.rows_by("worker") if frames.text(row, "worker")), "submitted", "worker"
        )

    @cached_property
    def active(self) -> list[Row]:
        """The :attr:`workers` who submitted, returned or declined a task; others only accepted some."""
        return [row for row in self.workers if any(frames.number(row, name) for name in _DID_SOMETHING)]

    def together(self, key: str, other: str) -> dict[str, list[str]]:
        """Return for each value of a key the values of another that it goes with, in the alphabet's order."""
        found: dict[str, list[str]] = {}
        pairs = self.workers_table[[key, other]].drop_duplicates()
        for one, two in sorted(zip(pairs[key].tolist(), pairs[other].tolist(), strict=True)):
            if two:
                found.setdefault(formats.clean(one), []).append(formats.clean(two))
        return found

    @cached_property
    def fair_pay(self) -> float:
        """Pay per hour that is fair, in dollars."""
        return float(self.settings.fair_pay)

    @cached_property
    def days(self) -> list[date]:
        """The days of trends: those of the report, or of the weeks before and up to its day."""
        if not self.one_day:
            return frames.dates(self.first, self.last)
        return frames.dates(min([*self.daily, self.last]), self.last)

    @cached_property
    def daily(self) -> dict[date, Row]:
        """The row of each day of the window that is known."""
        if self._course is None:
            return {self.last: {**self.total, "workers": len(self.active)}} if self.total else {}
        found = {frames.when(row): dict(row) for row in frames.rows(self._course.by("day"))}
        rows = self._course.rows
        did = rows[list(_DID_SOMETHING)].fillna(0).sum(axis=1) > 0
        at_work = rows[(rows["worker"] != "") & did]
        for day, people in at_work.groupby("day")["worker"].nunique().items():
            found[formats.as_day(day)]["workers"] = int(people)
        return dict(sorted(found.items()))

    @cached_property
    def mondays(self) -> list[date]:
        """The Mondays of the weeks of :attr:`days`."""
        return sorted({day - timedelta(days=day.weekday()) for day in self.days})

    def over_days(self, measure: str) -> list[float | None]:
        """Return a measure of all work on each of :attr:`days`."""
        return [wording.value(measure, self.daily.get(day, {})) for day in self.days]

    def course_of(self, key: str, measure: str, *, weekly: bool = False) -> dict[str, list[float | None]]:
        """Return a measure on each of :attr:`days`, or in each of the weeks, for each value of a key."""
        if self._course is None:
            return {}
        every = "week" if weekly else "day"
        if (every, key) not in self._cache:
            self._cache[every, key] = frames.rows(self._course.by(every, key))
        days = self.mondays if weekly else self.days
        return frames.series(self._cache[every, key], days, key, lambda row: wording.value(measure, row))

    def sparks(self, key: str) -> dict[str, str]:
        """Draw the submitted tasks over :attr:`days` for values of a key; of workers those shown at once."""
        if len(self.days) < 3 or self._course is None:
            return {}
        # All measures of hundreds of workers and every day would take seconds; sums of one are quick
        rows, nothing = self._course.rows, [0.0 for _ in self.days]
        if key == "worker":
            nothing = self._of_workers()
            rows = rows[rows[key].isin([row[key] for row in self.workers[:MOST_OPEN]])]
        place = {day.isoformat(): index for index, day in enumerate(self.days)}
        drawn: dict[str, list[Any]] = {}
        for (value, day), tasks in rows.groupby([key, "day"])["submitted"].sum().items():
            drawn.setdefault(formats.clean(value), list(nothing))[place[day]] += float(tasks)
        label = f"Submitted per day, {len(self.days)} days"
        return {name: charts.spark(values, label=label, width=72) for name, values in drawn.items()}

    def _of_workers(self) -> list[Any]:
        """Return 0 for each of :attr:`days`, None for those whose rows no longer tell workers apart."""
        told = self._course.rows.groupby("day")["worker"].max() if self._course is not None else {}
        return [None if told.get(day.isoformat()) == "" else 0.0 for day in self.days]

    def usual(self, measure: str) -> Usual | None:
        """Return what a measure is on days like the report's; None for periods and where none are known."""
        if not self.one_day:
            return None
        before = [day for day in self.daily if day < self.last]
        before = [day for day in before if frames.number(self.daily[day], "submitted")]
        same = [day for day in before if day.weekday() == self.last.weekday()]
        alike = len(same) >= _SAME_WEEKDAYS
        found = [wording.value(measure, self.daily[day]) for day in (same if alike else before)]
        values = [value for value in found if value is not None]
        if len(values) < _SAME_WEEKDAYS:
            return None
        what = f"{formats.weekday(self.last)}s" if alike else "days with work"
        return Usual(median(values), min(values), max(values), f"the last {len(values)} {what}")

    @cached_property
    def _course(self) -> Period | None:
        """What is known of the days that are looked at."""
        if self.course is None:
            return None
        window = timedelta(days=WINDOW_DAYS) if self.one_day else timedelta(0)
        return self.course.between(self.first - window, self.last)


def of_day(tables: Tables, day: date, settings: ReportSettings, course: Period | None) -> Scope:
    """Return the scope of the report of one day."""
    summary = frames.rows(tables.summary)

    def rows_by(*keys: str) -> list[Row]:
        level = "_".join(keys) or "all"
        return [row for row in summary if row["level"] == level]

    flags = _flags(frames.rows(tables.anomalies))
    return Scope(day, day, settings, rows_by, course, "day", tables.workers, flags)


def of_period(
    period: Period, first: date, last: date, settings: ReportSettings, anomalies: Sequence[Row]
) -> Scope:
    """Return the scope of the report of a period."""

    @cache
    def rows_by(*keys: str) -> list[Row]:
        return frames.rows(period.by(*keys))

    return Scope(first, last, settings, rows_by, period, "period", period.rows, _flags(anomalies))


def _flags(anomalies: Sequence[Row]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in anomalies:
        worker, kind = frames.text(row, "worker"), wording.kind(frames.text(row, "kind"))
        if worker and kind not in found.setdefault(worker, []):
            found[worker].append(kind)
    return found
