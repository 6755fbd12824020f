"""Days added up: any period, filtered and grouped, with the same measures and formulas as a single day.

Sums and shares are exact. Medians and 90th percentiles come from the bins, at most 1 % off, except where one
day's exact value is at hand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from groundswell.reports import bins, measures, schema, trends
from groundswell.reports.columns import Column, Table
from groundswell.reports.measures import QUANTILES, Floats, Ints
from groundswell.reports.trends import Every

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("day", "week", "source", "team", "job", "task_type", "worker")
"""What a period can be grouped by."""
_FILTERS = ("source", "team", "job", "task_type", "worker")
_EXACT = {frozenset(keys): level for level, keys in schema.LEVELS.items()}


class Period:
    """The days of a period.

    :param frames: workers tables, of one day or several each, every day once
    :param summaries: the summary tables of these days, where medians of groups of one day shall be exact
    """

    def __init__(self, frames: Sequence[pd.DataFrame], summaries: Sequence[pd.DataFrame] = ()) -> None:
        import pandas as pd

        some = [frame for frame in frames if len(frame)]
        self._rows = schema.WORKERS.conform(pd.concat(some)) if some else schema.WORKERS.empty()
        self._exact = _Exact(summaries)
        self._wanted: dict[str, frozenset[str]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> pd.DataFrame:
        """The rows of the workers table that are left after filtering."""
        return self._rows

    @cached_property
    def days(self) -> list[str]:
        """The days that have rows, YYYY-MM-DD, rising."""
        return self.values("day")

    def values(self, key: str) -> list[str]:
        """Return the distinct values of a key, "" left out, in alphabetical order."""
        return sorted({value for value in _key(self._rows, key) if value})

    def filtered(self, **wanted: str | Collection[str] | None) -> Period:
        """Return the period with only these rows: source, team, job, task_type, worker; one value or several.

        None leaves a key out. Labels of labeling jobs, and time that a metric gives for a whole team, belong
        to no worker: a filter of workers leaves them out.

        :raises ValueError: there is no such key
        """
        keep = np.ones(len(self._rows), bool)
        chosen = dict(self._wanted)
        for key, value in wanted.items():
            if key not in _FILTERS:
                raise ValueError(f"a period cannot be filtered by {key!r}; use {', '.join(_FILTERS)}")
            if value is not None:
                values = frozenset([value] if isinstance(value, str) else value)
                chosen[key] = values & chosen.get(key, values)
                keep &= self._rows[key].isin(list(values)).to_numpy(bool)
        return self._with(keep, chosen)

    def between(self, first: date | None = None, last: date | None = None) -> Period:
        """Return the period with only the days from the first to the last, both included."""
        day = self._rows["day"]
        keep = np.ones(len(day), bool)
        if first is not None:
            keep &= (day >= first.isoformat()).to_numpy(bool)
        if last is not None:
            keep &= (day <= last.isoformat()).to_numpy(bool)
        return self._with(keep, self._wanted)

    def without_workers(self, before: date) -> Period:
        """Return the period with days before this one told by team and job only."""
        old = (self._rows["day"] < before.isoformat()).to_numpy(bool)
        if not (old & (self._rows["worker"] != "").to_numpy(bool)).any():
            return self
        part = Period([self._rows[~old], without_workers(self._rows[old])])
        part._exact, part._wanted = self._exact, dict(self._wanted)
        return part

    def by(self, *keys: str) -> pd.DataFrame:
        """Return all measures per group: the keys, ``name`` where one is the worker, and the measures.

        :param keys: of :data:`KEYS`; none gives one row for everything, or no row where there is nothing
        :raises ValueError: there is no such key
        """
        unknown = [key for key in keys if key not in KEYS]
        if unknown:
            raise ValueError(f"a period cannot be grouped by {unknown[0]!r}; use {', '.join(KEYS)}")
        columns = [_key(self._rows, key) for key in keys]
        named, to = measures.group(columns or [np.full(len(self._rows), "", dtype=object)])
        groups = len(named[0])
        sums = measures.read(self._rows).regrouped(to, groups)
        histogram = self._bins.regrouped(to)
        made = sums.columns(self._quantiles(keys, named, to, histogram), histogram.texts(groups))
        cells: dict[str, Any] = dict(zip(keys, named[: len(keys)], strict=True))
        if "worker" in keys:
            cells["name"] = self._names(to, groups)
        return Table("period", "", (*_columns(keys), *schema.MEASURES), keys).frame({**cells, **made})

    def trend(self, key: str | None, measure: str, every: Every = "day") -> pd.DataFrame:
        """Return a measure over time, per value of a key.

        :param key: source, team, job, task_type or worker; None for everything together
        :return: ``bucket`` (2026-10-05 or 2026-W41), ``start`` (its first day), the key, ``value``: a row for
            every bucket from the first to the last day and every value of the key, null where there is none
        """
        import pandas as pd

        keys = [key] if key else []
        found = self.by(every, *keys)
        names = ["bucket", "start", *keys, "value"]
        if not len(found):
            return pd.DataFrame(
                {name: pd.Series(dtype="float64" if name == "value" else "str") for name in names}
            )
        values = found.set_index([every, *keys])[measure]
        first, last = date.fromisoformat(self.days[0]), date.fromisoformat(self.days[-1])
        every_bucket = list(trends.buckets(first, last, every))
        groups: list[Any] = sorted(found[key].unique()) if key else [None]
        cells = [(name, start.isoformat(), group) for group in groups for name, start in every_bucket]
        wanted = [(name, group) if key else name for name, _, group in cells]
        index = pd.MultiIndex.from_tuples(wanted) if key else pd.Index(wanted)
        columns: dict[str, Any] = {
            "bucket": [cell[0] for cell in cells],
            "start": [cell[1] for cell in cells],
        }
        if key:
            columns[key] = [cell[2] for cell in cells]
        value = values.reindex(index)
        return pd.DataFrame({**columns, "value": value.to_numpy(np.float64, na_value=np.nan)})[names]

    @cached_property
    def _bins(self) -> bins.Bins:
        return bins.parse(self._rows["bins"])

    def _with(self, keep: NDArray[np.bool_], wanted: Mapping[str, frozenset[str]]) -> Period:
        part = Period.__new__(Period)
        part._rows = self._rows[keep].reset_index(drop=True)
        part._exact = self._exact
        part._wanted = dict(wanted)
        return part

    def _quantiles(
        self, keys: Sequence[str], named: Sequence[NDArray[Any]], to: Ints, histogram: bins.Bins
    ) -> dict[str, Floats]:
        groups = len(named[0])
        answer = measures.through_bins(histogram, groups)
        # A group whose times are all in one row has them exactly
        timed = (self._rows["bins"] != "").to_numpy(bool)
        alone = timed & (np.bincount(to, timed, groups)[to] == 1)
        for name, values in answer.items():
            values[to[alone]] = self._rows[name].to_numpy(np.float64)[alone]
        self._exact.put_in(answer, keys, named, self._wanted, self._day_of(to, groups))
        return answer

    def _day_of(self, to: Ints, groups: int) -> list[str]:
        """Return the day of each group, "" where it has several."""
        days, place = np.unique(self._rows["day"].to_numpy(object), return_inverse=True)
        low, high = np.full(groups, len(days)), np.full(groups, -1)
        np.minimum.at(low, to, place)
        np.maximum.at(high, to, place)
        return [str(days[first]) if first == last else "" for first, last in zip(low, high, strict=True)]

    def _names(self, to: Ints, groups: int) -> NDArray[Any]:
        answer = np.full(groups, "", dtype=object)
        names = self._rows["name"].to_numpy(object)
        order = np.argsort(self._rows["day"].to_numpy(object), kind="stable")
        order = order[names[order] != ""]
        answer[to[order]] = names[order]  # the last day's name stays
        return answer


class _Exact:
    """Exact quantiles of groups of one day, from summaries."""

    def __init__(self, summaries: Sequence[pd.DataFrame]) -> None:
        self._found: dict[tuple[str, ...], dict[str, float]] = {}
        columns = ["day", "level", *_FILTERS]
        for frame in summaries:
            values = {name: frame[name].astype("float64").tolist() for name in QUANTILES}
            for row, key in enumerate(frame[columns].itertuples(index=False, name=None)):
                self._found[key] = {name: values[name][row] for name in QUANTILES}

    def put_in(
        self,
        answer: Mapping[str, Floats],
        keys: Sequence[str],
        named: Sequence[NDArray[Any]],
        wanted: Mapping[str, frozenset[str]],
        days: Sequence[str],
    ) -> None:
        """Replace the quantiles of those groups that are a row of a summary."""
        grouped = [key for key in keys if key in _FILTERS]
        fixed = {key: next(iter(values)) for key, values in wanted.items() if len(values) == 1}
        level = _EXACT.get(frozenset({*grouped, *fixed}))
        if not self._found or level is None or any(len(values) > 1 for values in wanted.values()):
            return
        columns = {key: named[keys.index(key)] for key in grouped}
        for group, day in enumerate(days):
            cells = {**fixed, **{key: str(column[group]) for key, column in columns.items()}}
            found = self._found.get((day, level, *(cells.get(key, "") for key in _FILTERS)))
            for name in QUANTILES if day and found else ():
                answer[name][group] = found[name] if found else np.nan


def without_workers(workers: pd.DataFrame) -> pd.DataFrame:
    """Return a workers table whose rows tell no workers apart: what stays when those of a day have to go."""
    keys = ("day", "source", "team", "job", "task_type")
    return schema.WORKERS.conform(Period([workers]).by(*keys))


def _key(rows: pd.DataFrame, key: str) -> NDArray[Any]:
    """Return the values of a key, one per row."""
    values: NDArray[Any] = rows["day" if key == "week" else key].to_numpy(object)
    if key != "week" or not len(values):
        return values
    days, place = np.unique(values, return_inverse=True)
    weeks = np.array([trends.bucket(date.fromisoformat(day), "week")[0] for day in days], dtype=object)
    return weeks[place]


def _columns(keys: Sequence[str]) -> list[Column]:
    known = {column.name: column for column in schema.KEYS}
    known["week"] = Column("week", "text", "The ISO week.")
    return [known[key] for key in keys] + ([known["name"]] if "worker" in keys else [])
