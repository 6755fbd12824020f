"""Which days a run of the reports writes, and for which of them all sources are read."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from groundswell.reports.days import days
from groundswell.reports.settings import ReportSettings
from groundswell.reports.store import ReportStore

#: Each day is a mapped task, of which Airflow allows 1024.
MOST_DAYS = 400

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Window:
    """The days that a run writes.

    Attributes:
        days: in order, without those whose inputs were removed.
        provisional: those that are not over yet.
        now: when the window was looked at.
        extra: those that only runs of batches have changed: nothing but the ledgers is read for them.
    """

    days: tuple[date, ...]
    provisional: frozenset[date]
    now: datetime
    extra: frozenset[date] = frozenset()

    @property
    def due(self) -> Window:
        """The days for which all sources are read; it may have none, and then no first and last one."""
        return replace(self, days=tuple(day for day in self.days if day not in self.extra), extra=frozenset())

    @property
    def first(self) -> date:
        """The first day."""
        return self.days[0]

    @property
    def last(self) -> date:
        """The last day."""
        return self.days[-1]

    def as_xcom(self) -> list[dict[str, Any]]:
        """Return it as JSON can carry it: one entry per day, so that a task can be mapped over it."""
        now = self.now.isoformat()
        return [
            {
                "day": day.isoformat(),
                "provisional": day in self.provisional,
                "now": now,
                "extra": day in self.extra,
            }
            for day in self.days
        ]

    @classmethod
    def of(cls, entries: Sequence[Mapping[str, Any]]) -> Window:
        """Return what :meth:`as_xcom` made of a window, or of some days of one."""
        days = {date.fromisoformat(entry["day"]): entry for entry in entries}
        provisional, extra = (
            frozenset(day for day, entry in days.items() if entry.get(name))
            for name in ("provisional", "extra")
        )
        return cls(tuple(sorted(days)), provisional, datetime.fromisoformat(entries[0]["now"]), extra)


def plan(
    settings: ReportSettings,
    store: ReportStore,
    params: Mapping[str, Any],
    interval: tuple[datetime, datetime] | None,
    now: datetime,
    *,
    changed: Iterable[date] = (),
) -> Window:
    """
    Return the window of a run.

    A run with a data interval writes the days that begin in it (the day before, for a daily schedule), the
    ``late_days`` before them, and those that changed runs of batches touch: :data:`MOST_DAYS` at most, of
    which the oldest wait for the next run. A run with ``from_day`` or ``to_day`` writes exactly these days.

    :param params: ``from_day`` and ``to_day`` as YYYY-MM-DD, or None.
    :param interval: the data interval of the run; None for a run without one.
    :param now: what the time is.
    :param changed: days with a report of which only the ledgers may say something new.
    :raises AirflowFailException: the days make no sense.
    :raises AirflowSkipException: the inputs of all of them were removed for their age.
    """
    today = settings.day_of(now)
    asked = _asked(settings, params, today)
    first, last = asked or _due(settings, interval, today)
    wanted = list(days(first, last))
    sealed = [day for day in wanted if (store.current(day) or {}).get("sealed")]
    if sealed:
        log.warning("The inputs of %s were removed for their age; these reports stay", _span(sealed))
    left = [day for day in wanted if day not in set(sealed)]
    extra = [] if asked else _extra(set(changed) - set(wanted), MOST_DAYS - len(left))
    if not left and not extra:
        raise AirflowSkipException(f"the inputs of {_span(sealed)} were removed for their age")
    provisional = frozenset(day for day in left if now < settings.start_of(day + timedelta(days=1)))
    if left:
        log.info("Days %s in %s", _span(left), settings.time_zone)
    if extra:
        log.info("Days %s, for which runs of batches have something new", _span(extra))
    return Window(tuple(sorted({*left, *extra})), provisional, now, frozenset(extra))


def _extra(changed: Collection[date], room: int) -> list[date]:
    """Return the days that are written besides those that are due: the newest, as many as there is room."""
    newest = sorted(changed, reverse=True)
    extra, waiting = sorted(newest[: max(0, room)]), sorted(newest[max(0, room) :])
    if waiting:
        log.warning(
            "A run of the reports writes %d days at most: %s wait for the next one, though runs of batches "
            "have something new for them",
            MOST_DAYS,
            _span(waiting),
        )
    return extra


def _asked(settings: ReportSettings, params: Mapping[str, Any], today: date) -> tuple[date, date] | None:
    """Return the first and the last day that an operator asks for."""
    first, last = (_day(params, name) for name in ("from_day", "to_day"))
    if first is None and last is None:
        return None
    if first is None:
        first = last
    if last is None:
        last = max(first, today - timedelta(days=1)) if first else first
    if first is None or last is None or first > last:
        raise AirflowFailException(f"from_day: {first} is after to_day, {last}; exchange them")
    if last > today:
        raise AirflowFailException(
            f"to_day: {last} has not begun in {settings.time_zone}; the last day to ask for is {today}"
        )
    if (last - first).days >= MOST_DAYS:
        raise AirflowFailException(
            f"from_day: {(last - first).days + 1} days are more than {MOST_DAYS}, the most that a run can "
            "write; use several runs"
        )
    return first, last


def _day(params: Mapping[str, Any], name: str) -> date | None:
    value = params.get(name)
    try:
        return None if value is None else date.fromisoformat(value)
    except (TypeError, ValueError):
        raise AirflowFailException(f"{name}: {value!r} is no day; write it as 2026-11-21") from None


def _due(
    settings: ReportSettings, interval: tuple[datetime, datetime] | None, today: date
) -> tuple[date, date]:
    """Return the first and the last day that are due."""
    yesterday = today - timedelta(days=1)
    first = last = yesterday
    if interval is not None:
        last = settings.day_of(interval[1]) - timedelta(days=1)
        first = min(settings.day_of(interval[0]), last)  # a schedule of several times a day
    first -= timedelta(days=settings.late_days)
    return max(first, min(settings.start, last)), last


def _span(some: Sequence[date]) -> str:
    """Return days in words."""
    return f"{some[0]}" if len(some) == 1 else f"{some[0]} to {some[-1]} ({len(some)} days)"
