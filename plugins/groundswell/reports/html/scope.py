"""What a report is about: its days, its rows by any key, and the days before to compare with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING

from groundswell.reports.html import charts, formats, frames, wording
from groundswell.reports.html.frames import Days, Row, Tables

if TYPE_CHECKING:
    from groundswell.reports.settings import ReportSettings

WINDOW_DAYS = 28
"""Days whose course a report of one day shows, itself included."""

_SAME_WEEKDAYS = 3
"""Days of the same weekday that must be known to compare with these; otherwise with all days with work."""


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
    """

    first: date
    last: date
    settings: ReportSettings
    rows_by: Callable[..., list[Row]]
    course: Days | None
    noun: str
    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def one_day(self) -> bool:
        """Whether the report is about a single day."""
        return self.noun == "day"

    @cached_property
    def total(self) -> Row:
        """All measures of all work."""
        found = self.rows_by()
        return found[0] if found else {}

    @cached_property
    def workers(self) -> list[Row]:
        """One row per worker, most work first; without the row of what belongs to no single worker."""
        return frames.biggest(
            (row for row in self.rows_by("worker") if frames.text(row, "worker")), "submitted", "worker"
        )

    @cached_property
    def fair_pay(self) -> float:
        """Pay per hour that is fair, in dollars."""
        return float(self.settings.fair_pay)

    @cached_property
    def days(self) -> list[date]:
        """The days of trends: those of the report, or of the weeks before and up to its day."""
        if not self.one_day:
            return frames.dates(self.first, self.last)
        known = [day for day in self._known if day <= self.last]
        first = min([*known, self.last])
        return frames.dates(max(first, self.last - timedelta(days=WINDOW_DAYS - 1)), self.last)

    @cached_property
    def daily(self) -> dict[date, Row]:
        """The row of each day that is known, up to the last of the report."""
        if self.course is None:
            return {self.last: {**self.total, "workers": len(self.workers)}} if self.one_day else {}
        found = {formats.as_day(row["day"]): dict(row) for row in frames.rows(self.course.by("day"))}
        people = self._people()
        for day, row in found.items():
            row["workers"] = people.get(day)
        return dict(sorted((day, row) for day, row in found.items() if day <= self.last))

    def over_days(self, measure: str) -> list[float | None]:
        """Return a measure of all work on each of :attr:`days`."""
        return [wording.value(measure, self.daily.get(day, {})) for day in self.days]

    def course_of(self, key: str, measure: str) -> dict[str, list[float | None]]:
        """Return a measure on each of :attr:`days` for each value of a key."""
        return {} if self.course is None else self._series(key, measure, "day", self.days)

    def weekly(self, key: str, measure: str) -> tuple[list[date], dict[str, list[float | None]]]:
        """Return Mondays of the weeks of :attr:`days`, and a measure of each for each value of a key."""
        mondays = sorted({day - timedelta(days=day.weekday()) for day in self.days})
        return mondays, {} if self.course is None else self._series(key, measure, "week", mondays)

    def sparks(self, key: str, names: Sequence[str] | None = None) -> dict[str, str]:
        """Draw the submitted tasks over :attr:`days` for each value of a key."""
        if len(self.days) < 3:
            return {}
        drawn = self.course_of(key, "submitted")
        wanted = drawn if names is None else {name: drawn[name] for name in names if name in drawn}
        label = f"Submitted per day, {len(self.days)} days"
        return {
            name: charts.spark([value or 0 for value in values], label=label, width=72)
            for name, values in wanted.items()
        }

    def usual(self, measure: str) -> Usual | None:
        """Return what a measure is on days like the report's; None for periods and where none are known."""
        if not self.one_day:
            return None
        before = [day for day in self.daily if self.last - timedelta(days=WINDOW_DAYS) <= day < self.last]
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
    def _known(self) -> list[date]:
        return sorted(self.daily)

    def _people(self) -> dict[date, int]:
        if self.course is None:
            return {}
        found: dict[date, int] = {}
        for row in frames.rows(self.course.trend("worker", "submitted")):
            if frames.text(row, "worker") and frames.number(row, "submitted"):
                day = formats.as_day(row["day"])
                found[day] = found.get(day, 0) + 1
        return found

    def _series(
        self, key: str, measure: str, every: str, days: Sequence[date]
    ) -> dict[str, list[float | None]]:
        assert self.course is not None  # noqa: S101  # callers ask before
        found = frames.rows(self.course.trend(key, measure, every))
        return frames.series(found, days, key, lambda row: wording.value(measure, row))


def of_day(tables: Tables, day: date, settings: ReportSettings, course: Days | None) -> Scope:
    """Return the scope of the report of one day."""
    summary = frames.rows(tables.summary)

    def rows_by(*keys: str) -> list[Row]:
        wanted = {"": "all", "source team": "source_team", "team job": "team_job"}.get(
            " ".join(keys), "_".join(keys)
        )
        found = [row for row in summary if row.get("level") == wanted]
        if found or wanted != "worker_team":
            return found
        return frames.rows(tables.workers)

    return Scope(day, day, settings, rows_by, course, "day", _flags(frames.rows(tables.anomalies)))


def of_period(
    period: Days, first: date, last: date, settings: ReportSettings, anomalies: Sequence[Row]
) -> Scope:
    """Return the scope of the report of a period."""

    def rows_by(*keys: str) -> list[Row]:
        return frames.rows(period.by(*keys))

    return Scope(first, last, settings, rows_by, period, "period", _flags(anomalies))


def _flags(anomalies: Sequence[Row]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in anomalies:
        worker, kind = frames.text(row, "worker"), wording.kind(frames.text(row, "kind"))
        if worker and kind not in found.setdefault(worker, []):
            found[worker].append(kind)
    return found
