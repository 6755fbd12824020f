"""The rows of the reports that are asked for: a range of days, and the one before it to compare with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from groundswell.reports import schema, trends
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
_SMALLER = {table.name: table for table in schema.TABLES}


@dataclass(frozen=True)
class Rows:
    """The rows of a range of days that pass the filters.

    :param days: the days and their records
    :param period: their rows, by day, source, team, job, task type and worker
    :param choices: for each of :data:`CHOICES`, the values that the days have, whatever the filters
    :param unread: days whose rows cannot be read, and why
    :param sealed: days whose rows no longer tell workers apart, for their age
    """

    days: Days
    period: Period
    choices: Mapping[str, Sequence[str]]
    unread: Mapping[date, str]
    sealed: Sequence[date]

    @property
    def empty(self) -> bool:
        """Whether nothing passes the filters."""
        return len(self.period) == 0

    @property
    def whole(self) -> bool:
        """Whether every day of the range is over, has a report that can be read, and tells workers apart."""
        records = self.days.records
        over = all(not record.get("provisional") for record in records.values())
        return over and len(records) == self.days.span.days and not self.unread and not self.sealed

    def by(self, *keys: str) -> list[Row]:
        """Return one row of measures for each value of the keys; one row in all without keys."""
        rows: list[Row] = self.period.by(*keys).drop(columns="bins").to_dict("records")
        workers, unknown = self._active_workers(keys), self._without_workers(keys)
        for row in rows:
            group = tuple(row[key] for key in keys)
            row["active_workers"] = None if group in unknown else workers[group]
        return rows

    def _active_workers(self, keys: Sequence[str]) -> Counter[tuple[str, ...]]:
        """Count the workers of each group who submitted, returned or declined a task."""
        rows = self.period.rows
        did = rows[_DID_SOMETHING].fillna(0).sum(axis=1).to_numpy(bool) & (rows["worker"] != "").to_numpy(
            bool
        )
        columns = [_key(rows, key)[did] for key in (*keys, "worker")]
        return Counter(key[:-1] for key in set(zip(*columns, strict=True)))

    def _without_workers(self, keys: Sequence[str]) -> set[tuple[str, ...]]:
        """Return the groups with rows of a sealed day: how many workers they had is not known any more."""
        rows = self.period.rows
        old = rows["day"].isin([day.isoformat() for day in self.sealed]).to_numpy(bool)
        if not old.any():
            return set()
        return set(zip(*(_key(rows, key)[old] for key in keys), strict=True)) if keys else {()}


def _key(rows: pandas.DataFrame, key: str) -> Any:
    """Return the values of a key of a period, one per row."""
    if key != "week":
        return rows[key].to_numpy(object)
    weeks = {day: trends.bucket(date.fromisoformat(day), "week")[0] for day in rows["day"].unique()}
    return rows["day"].map(weeks).to_numpy(object)


def rows_of(reader: Reader, span: Span, filters: Filters) -> Rows:
    """Read the rows of a span that pass the filters; what was read and computed before is kept.

    :raises UnreachableError: the store does not answer
    """
    days = reader.read(span)
    tables, unread = reader.tables(days, "workers")
    summaries, unread_too = reader.tables(days, "summary")
    sealed = [day for day in summaries if day not in tables and day not in unread]
    unread |= {day: why for day, why in unread_too.items() if day not in tables}
    key = (days.key, tuple(tables), tuple(summaries))

    def make_all() -> Period:
        from groundswell.reports.period import Period
        from groundswell.reports.redacting import by_team_and_job
        from groundswell.reports.tables import from_arrow

        rows = [from_arrow(list(tables.values()), schema.WORKERS)] if tables else []
        rows += [by_team_and_job(from_arrow([summaries[day]], schema.SUMMARY)) for day in sealed]
        totals = from_arrow(list(summaries.values()), schema.SUMMARY) if summaries else schema.SUMMARY.empty()
        return Period(rows, [_exact(totals, span)])

    def make() -> Rows:
        everything = reader.kept.get(("whole", key), make_all, _size)
        some = everything.filtered(**_wanted(everything, filters)) if wanted else everything
        choices = {name: everything.values(name)[:MOST_SUGGESTED] for name in CHOICES}
        return Rows(days, some, choices, {**days.unread, **unread}, sealed)

    wanted = tuple(sorted(filters.rows().items()))
    return reader.kept.get(
        ("rows", span, key, tuple(unread), wanted), make, lambda rows: _size(rows.period) if wanted else 0
    )


def _exact(summary: pandas.DataFrame, span: Span) -> pandas.DataFrame:
    """Return the rows that exact medians come from: those of workers only matter where there is one day."""
    return summary if span.days == 1 else summary[summary["level"] != "worker"]


def _size(period: Period) -> int:
    return 2 * size(period.rows)  # the histograms are kept a second time, as numbers


def _wanted(period: Period, filters: Filters) -> dict[str, str | list[str]]:
    """Return the filters as a period takes them: a worker may be named by the beginning, or by the name."""
    wanted: dict[str, str | list[str]] = dict(filters.rows())
    if filters.worker:
        rows = period.rows[["worker", "name"]].drop_duplicates()
        named = rows["name"].str.lower().str.contains(filters.worker.lower(), regex=False)
        found = rows.loc[rows["worker"].str.startswith(filters.worker) | named, "worker"]
        wanted["worker"] = sorted({*found} - {""})
    return wanted


def smaller(reader: Reader, days: Days, name: str, found: Rows, filters: Filters) -> pandas.DataFrame:
    """Return one of the smaller tables of all days: the rows that pass the filters it has columns for.

    :param name: anomalies, sources or problems
    :param found: the rows of these days that pass the filters: they know whom a name means, and which
        jobs are of a source
    :raises UnreachableError: the store does not answer
    """
    from groundswell.reports.tables import from_arrow

    tables, _ = reader.tables(days, name)
    some = [table for table in tables.values() if len(table)]
    if not some:
        return _SMALLER[name].empty()
    whole = from_arrow(some, _SMALLER[name])
    for column, value in filters.rows().items():
        if column == "worker" and column in whole:
            whole = whole[whole[column].isin(found.period.values("worker"))]
        elif column == "source" and name == "anomalies":
            of_source = set(zip(found.period.rows["team"], found.period.rows["job"], strict=True))
            whole = whole[[pair in of_source for pair in zip(whole["team"], whole["job"], strict=True)]]
        elif column in {"team", "job"} and column in whole:
            whole = whole[whole[column] == value]
    return whole.reset_index(drop=True)
