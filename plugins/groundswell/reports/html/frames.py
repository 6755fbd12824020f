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

    @property
    def workers(self) -> pd.DataFrame:
        """The finest rows."""

    @property
    def summary(self) -> pd.DataFrame:
        """Their sums per level."""

    @property
    def sources(self) -> pd.DataFrame:
        """Events against metrics."""

    @property
    def anomalies(self) -> pd.DataFrame:
        """What to look at."""

    @property
    def problems(self) -> pd.DataFrame:
        """What could not be used."""


def rows(frame: pd.DataFrame | None) -> list[Row]:
    """Return the rows of a frame in its order; None where there is no frame."""
    if frame is None or not len(frame.columns):
        return []
    names = [name for name in frame.columns if name != "bins"]
    columns = [_values(frame[name]) for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _values(column: pd.Series) -> list[Any]:
    values: list[Any] = column.to_numpy(dtype=object).tolist()
    return [None if formats.missing(value) else value for value in values]


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
) -> dict[str, list[float | None]]:
    """Arrange rows of days, or weeks, as one list per value of a key; a day without a row is None.

    :param days: the days, or the Mondays of the weeks.
    """
    place = {day: index for index, day in enumerate(days)}
    result: dict[str, list[float | None]] = {}
    for row in found:
        index = place.get(when(row))
        if index is not None:
            name = text(row, key) if key else ""
            result.setdefault(name, [None] * len(days))[index] = value(row)
    return result


def when(row: Row) -> date:
    """Return the day of a row, or the Monday of its week (``2026-W41``)."""
    week = text(row, "week")
    if week:
        year, _, number_of_week = week.partition("-W")
        return date.fromisocalendar(int(year), int(number_of_week), 1)
    return formats.as_day(row["day"])
