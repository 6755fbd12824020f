"""The rows of the reports that are asked for: a range of days, and the one before it to compare with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from groundswell.reports import schema
from groundswell.ui.throughput.filters import Filters, Span
from groundswell.ui.throughput.reading import Days, Reader, size

if TYPE_CHECKING:
    import pandas

    from groundswell.reports.period import Period

Row = dict[str, Any]

#: Columns whose values can be chosen.
CHOICES = ("team", "job", "worker")
#: Workers that are suggested; more would make the page heavy.
MOST_SUGGESTED = 2_000
_DID_SOMETHING = ["submitted", "returned", "declined"]
#: The level of the summary that stands in for a day whose rows no longer tell workers apart.
_STAND_IN = "team_job"
_SMALLER = {table.name: table for table in schema.TABLES}
_PUBLIC_TEAM = "public"


@dataclass(frozen=True)
class Rows:
    """The rows of a range of days that pass the filters.

    :param days: the days and their records
    :param frame: one row per day, source, team, job, task type and worker, as in the workers table
    :param choices: for each of :data:`CHOICES`, the values that the days have, whatever the filters
    :param unread: days whose rows cannot be read, and why
    :param sealed: days whose rows no longer tell workers apart, for their age
    """

    days: Days
    frame: pandas.DataFrame
    choices: Mapping[str, Sequence[str]]
    unread: Mapping[date, str]
    sealed: Sequence[date]
    period: Period

    @property
    def empty(self) -> bool:
        """Whether nothing passes the filters."""
        return len(self.frame) == 0

    def by(self, *keys: str) -> list[Row]:
        """Return one row of measures for each value of the keys; one row in all without keys."""
        rows: list[Row] = self.period.by(*keys).to_dict("records")
        workers = self._active_workers(keys)
        for row in rows:
            row["active_workers"] = workers.get(tuple(str(row[key]) for key in keys), 0)
        return rows

    def by_week(self) -> Rows:
        """Return the same rows with Mondays for days."""
        import pandas as pd

        from groundswell.reports.period import Period

        days = pd.to_datetime(self.frame["day"])
        mondays = (days - pd.to_timedelta(days.dt.weekday, unit="D")).dt.strftime("%Y-%m-%d")
        frame = self.frame.assign(day=mondays.astype("str"))
        return replace(self, frame=frame, period=Period([frame]))

    def _active_workers(self, keys: Sequence[str]) -> dict[tuple[str, ...], int]:
        did = self.frame[_DID_SOMETHING].fillna(0).sum(axis=1) > 0
        active = self.frame.loc[did & (self.frame["worker"] != ""), [*keys, "worker"]].drop_duplicates()
        if not keys:
            return {(): len(active)}
        found = active.groupby(list(keys), sort=False).size()
        return {
            tuple(str(part) for part in (key if isinstance(key, tuple) else (key,))): int(count)
            for key, count in found.items()
        }


def rows_of(reader: Reader, span: Span, filters: Filters) -> Rows:
    """Read the rows of a span that pass the filters; what was read and computed before is kept.

    :raises UnreachableError: the store does not answer
    """
    days = reader.read(span)
    frame, unread, sealed = _whole(reader, days)
    wanted = tuple(sorted(filters.rows().items()))

    def make() -> Rows:
        from groundswell.reports.period import Period

        some = _passing(frame, filters)
        return Rows(days, some, _choices(frame), {**days.unread, **unread}, sealed, Period([some]))

    return reader.kept.get(("rows", days.key, tuple(unread), wanted), make, lambda rows: 2 * size(rows.frame))


def _whole(reader: Reader, days: Days) -> tuple[pandas.DataFrame, Mapping[date, str], Sequence[date]]:
    """Return the rows of all days, and the days whose rows cannot be read or are gone."""
    tables, unread = reader.tables(days, "workers")
    sealed = [day for day in days.records if day not in tables and day not in unread]

    def make() -> pandas.DataFrame:
        import pandas as pd

        frames = [*tables.values(), *_stand_ins(reader, days, sealed)]
        return pd.concat(frames, ignore_index=True) if frames else schema.WORKERS.empty()

    key = ("whole", days.key, tuple(tables))
    return reader.kept.get(key, make, size), unread, sealed


def _stand_ins(reader: Reader, days: Days, sealed: Sequence[date]) -> list[pandas.DataFrame]:
    """Return the rows of days that are too old to tell workers apart: by team and job, from their summary."""
    if not sealed:
        return []
    old = Days(days.span, {day: days.records[day] for day in sealed})
    tables, _ = reader.tables(old, "summary")
    frames = []
    for table in tables.values():
        rows = table[table["level"] == _STAND_IN]
        source = (rows["team"] == _PUBLIC_TEAM).map({True: "ledger", False: "worker_activity"})
        frames.append(schema.WORKERS.conform(rows.assign(source=source)))
    return frames


def _passing(frame: pandas.DataFrame, filters: Filters) -> pandas.DataFrame:
    for column, value in filters.rows().items():
        passing = _names_worker(frame, value) if column == "worker" else frame[column] == value
        frame = frame[passing]
    return frame.reset_index(drop=True)


def _names_worker(frame: pandas.DataFrame, text: str) -> pandas.Series:
    """Return which rows are of workers whose pseudonym begins with a text, or whose name holds it."""
    named = frame["name"].str.lower().str.contains(text.lower(), regex=False)
    return frame["worker"].str.startswith(text) | named


def _choices(frame: pandas.DataFrame) -> dict[str, list[str]]:
    return {
        column: sorted(value for value in frame[column].unique() if value)[:MOST_SUGGESTED]
        for column in CHOICES
    }


def smaller(reader: Reader, days: Days, name: str, filters: Filters) -> pandas.DataFrame:
    """Return one of the smaller tables of all days: the rows that pass the filters it has columns for.

    :param name: anomalies, sources or problems
    :raises UnreachableError: the store does not answer
    """
    import pandas as pd

    tables, _ = reader.tables(days, name)
    if not tables:
        return _SMALLER[name].empty()
    whole = pd.concat(list(tables.values()), ignore_index=True)
    for column, value in filters.rows().items():
        if column == "worker" and column in whole:
            whole = whole[whole[column].str.startswith(value)]
        elif column in {"team", "job"} and column in whole:
            whole = whole[whole[column] == value]
    return whole.reset_index(drop=True)
