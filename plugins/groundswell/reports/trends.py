"""Days and ISO weeks as buckets of a trend.

Days are those of the report's time zone; a week begins on Monday and is named as ISO 8601 does, ``2026-W41``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Literal

Every = Literal["day", "week"]
WEEK = timedelta(days=7)


def bucket(day: date, every: Every) -> tuple[str, date]:
    """Return what the bucket of a day is called, and its first day."""
    if every == "day":
        return day.isoformat(), day
    year, week, weekday = day.isocalendar()
    return f"{year}-W{week:02d}", day - timedelta(days=weekday - 1)


def buckets(first: date, last: date, every: Every) -> Iterator[tuple[str, date]]:
    """Yield all buckets from that of the first to that of the last day."""
    step = timedelta(days=1) if every == "day" else WEEK
    _, start = bucket(first, every)
    while start <= last:
        yield bucket(start, every)
        start += step
