"""Data frames as plain rows: keys are cleaned texts, what is missing is None."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from groundswell.reports.html import formats

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]


class Tables(Protocol):
    """The tables of a day, see :mod:`groundswell.reports.schema`."""

    workers: pd.DataFrame
    summary: pd.DataFrame
    sources: pd.DataFrame
    anomalies: pd.DataFrame
    problems: pd.DataFrame


class Days(Protocol):
    """Rows of several days, added up as one asks; :class:`groundswell.reports.period.Period`."""

    def by(self, *keys: str) -> pd.DataFrame:
        """Return one row per value of the keys with all measures."""

    def trend(self, key: str, measure: str, every: str = "day") -> pd.DataFrame:
        """Return a measure per day or week and value of a key."""


def rows(frame: pd.DataFrame | None) -> list[Row]:
    """Return the rows of a frame in its order; None where there is no frame."""
    if frame is None or not len(frame.columns):
        return []
    columns = [frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame.columns]
    return [dict(zip(frame.columns, values, strict=True)) for values in zip(*columns, strict=True)]


def text(row: Row, key: str) -> str:
    """Return a key of a row as clean text; "" where there is none."""
    found = row.get(key)
    return "" if formats.missing(found) else formats.clean(found)


def number(row: Row, key: str) -> float:
    """Return a number of a row, 0 where there is none: for sums and order, not for showing."""
    found = row.get(key)
    return 0.0 if formats.missing(found) or found is None or isinstance(found, str) else float(found)


def biggest(found: Iterable[Row], measure: str, *keys: str) -> list[Row]:
    """Order rows by a measure, largest first, then by their keys."""
    return sorted(found, key=lambda row: (-number(row, measure), *(text(row, key) for key in keys)))


def dates(first: date, last: date) -> list[date]:
    """Return the days from first to last."""
    return [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]


def series(
    found: Iterable[Row],
    days: Sequence[date],
    key: str,
    value: Callable[[Row], float | None],
    time: str = "day",
) -> dict[str, list[float | None]]:
    """Arrange rows of days as one list per value of a key; a day without a row is None."""
    place = {day: index for index, day in enumerate(days)}
    result: dict[str, list[float | None]] = {}
    for row in found:
        index = place.get(formats.as_day(row[time]))
        if index is not None:
            name = text(row, key) if key else ""
            result.setdefault(name, [None] * len(days))[index] = value(row)
    return result
