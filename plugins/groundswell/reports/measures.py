"""Sums per group, and everything that follows from them.

Sums are kept as 64-bit integers, numbers that are not whole in millionths: so they come out the same in any
order and at any level, and what was written can be read and added up again without a difference. A share is
always one of sums, never a mean of shares, and null where it would be a share of nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from groundswell.reports import schema
from groundswell.reports.accuracy import jeffreys
from groundswell.reports.bins import Bins

if TYPE_CHECKING:
    import pandas as pd

MICRO = 1_000_000
NOTHING, EVENTS, METRIC, MIXED = 0, 1, 2, 3
"""What active_seconds is from: the codes of parts are or-ed."""
_ACTIVE_FROM = ("", "events", "metric", "mixed", "rest")
_REST = _ACTIVE_FROM.index("rest")
QUANTILES = {"seconds_median": 0.5, "seconds_p90": 0.9}

_SCALE = {name: MICRO if schema.measure(name).kind == "float" else 1 for name in schema.ADDITIVE}
_BEFORE = {
    "active_tasks": ("active_seconds", "submitted"),
    "active_by_events": ("active_seconds", "active_seconds"),
    "pay_cents": ("pay_seconds", "earned_cents"),
}
"""Measures that older tables lack: known wherever the first of these is; the second stands for them."""
_HOUR = 3600.0
_CENTS = 100.0

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Sums:
    """The additive measures of n groups.

    :param values: int64[n] by measure, in millionths where the measure is no whole number; 0 where not known
    :param known: bool[n] by measure: whether there is anything to tell
    :param active_from: int8[n], whether events, metrics, both or none have given active_seconds
    """

    values: Mapping[str, Ints]
    known: Mapping[str, Bools]
    active_from: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.active_from)

    def regrouped(self, to: Ints, groups: int) -> Sums:
        """Add up: group g goes into group ``to[g]`` of ``groups``. What is not known adds nothing."""
        values, known = {}, {}
        for name in schema.ADDITIVE:
            values[name] = np.zeros(groups, np.int64)
            np.add.at(values[name], to, self.values[name])
            known[name] = np.bincount(to, self.known[name], groups) > 0
        active_from = np.zeros(groups, np.int8)
        np.bitwise_or.at(active_from, to, self.active_from)
        return Sums(values, known, active_from)

    def column(self, name: str) -> Floats:
        """Return an additive measure as numbers, NaN where it is not known."""
        return np.where(self.known[name], self.values[name] / _SCALE[name], np.nan)

    def columns(self, seconds: Mapping[str, Floats], bins: Sequence[str]) -> dict[str, Any]:
        """Return every measure of :data:`schema.MEASURES` by name, ready for a table.

        :param seconds: the quantiles of :data:`QUANTILES` of each group, NaN where there are none
        :param bins: the histogram of each group
        """
        made: dict[str, Any] = {name: self._written(name) for name in schema.ADDITIVE}
        made |= {name: rounded(seconds[name]) for name in QUANTILES}
        source = self._active_from()
        made["active_from"] = np.array(_ACTIVE_FROM, dtype=object)[source]
        made["bins"] = np.array(bins, dtype=object)
        active, tasks = self.column("active_seconds"), self.column("active_tasks")
        # What a total says beyond other rows is no rate of anything, and may be below zero
        active = np.where((active > 0) & (source != _REST), active, np.nan)
        tasks = np.where(tasks >= 0, tasks, np.nan)
        judged, right = self.column("judged"), self.column("right_expected")
        human, machine = self.column("human_labels"), self.column("machine_labels")
        labels = np.nan_to_num(human) + np.nan_to_num(machine)
        low, high = jeffreys(np.nan_to_num(right), np.where(np.isnan(right), 0.0, np.nan_to_num(judged)))
        made |= {
            "seconds_per_task": ratio(active, tasks),
            "tasks_per_hour": ratio(tasks * _HOUR, active),
            "agreement": ratio(self.column("agreed"), judged),
            "accuracy": ratio(right, judged),
            "accuracy_low": rounded(low),
            "accuracy_high": rounded(high),
            "gold_score": ratio(self.column("gold_right"), self.column("gold_seen")),
            "hourly_pay": ratio(self.column("pay_cents") * _HOUR / _CENTS, self.column("pay_seconds")),
            "cost_per_label": ratio(self.column("cost_cents") / _CENTS, self.column("settled_labels")),
            "machine_share": ratio(machine, labels),
        }
        return made

    def _active_from(self) -> Ints:
        """Return places in :data:`_ACTIVE_FROM`.

        Rows of events and the row of what a total says beyond them are together what the metric says: the
        seconds of events cancel.
        """
        by_events, metric = self.values["active_by_events"], (self.active_from & METRIC) > 0
        told = np.select([by_events > 0, by_events < 0], [MIXED, _REST], METRIC)
        return np.where(metric, told, self.active_from)

    def _written(self, name: str) -> Any:
        if _SCALE[name] != 1:
            return self.column(name)
        import pandas as pd

        return pd.arrays.IntegerArray(self.values[name].copy(), ~self.known[name])


def ratio(over: Floats, under: Floats) -> Floats:
    """Return over / under to the millionth, NaN where either is NaN or ``under`` is 0."""
    some = np.isfinite(over) & np.isfinite(under) & (under != 0)
    return rounded(np.divide(over, np.where(some, under, 1.0), where=some, out=np.full(len(over), np.nan)))


def rounded(values: Floats) -> Floats:
    """Return the nearest millionths."""
    return np.rint(values * MICRO) / MICRO


def micro(values: Floats) -> Ints:
    """Return numbers in millionths, 0 for NaN."""
    return np.rint(np.nan_to_num(values) * MICRO).astype(np.int64)


def read(frame: pd.DataFrame) -> Sums:
    """Return the sums that a workers table (or a summary) holds, one group per row.

    Rows of before there were the columns that shares divide tell what they told then: see :data:`_BEFORE`.
    """
    values, known = {}, {}
    for name in schema.ADDITIVE:
        series = frame[name]
        known[name] = series.notna().to_numpy(bool)
        if _SCALE[name] == 1:
            values[name] = series.fillna(0).to_numpy(np.int64)
        else:
            values[name] = micro(series.to_numpy(np.float64))
    codes = {text: code for code, text in enumerate(_ACTIVE_FROM)} | {"rest": METRIC}
    active_from = np.array([codes.get(text, MIXED) for text in frame["active_from"]], np.int8)
    for name, (beside, instead) in _BEFORE.items():
        old = known[beside] & ~known[name] & known[instead]
        if name == "active_by_events":
            old &= (active_from & EVENTS) > 0
        values[name], known[name] = np.where(old, values[instead], values[name]), known[name] | old
    return Sums(values, known, active_from)


def joined(parts: Sequence[Sums]) -> Sums:
    """Return the groups of all parts behind each other."""
    return Sums(
        {name: np.concatenate([part.values[name] for part in parts]) for name in schema.ADDITIVE},
        {name: np.concatenate([part.known[name] for part in parts]) for name in schema.ADDITIVE},
        np.concatenate([part.active_from for part in parts]),
    )


def sums(
    given: Mapping[str, Any], groups: int, known: Mapping[str, Any] | None = None, active_from: Any = None
) -> Sums:
    """Return sums of n groups from those measures that are given (int64[n]); the rest is not known.

    :param known: bool[n] by measure; a measure that is given without is known everywhere
    """
    nothing, never, always = np.zeros(groups, np.int64), np.zeros(groups, bool), np.ones(groups, bool)
    told = {name: (known or {}).get(name, always if name in given else never) for name in schema.ADDITIVE}
    values = {
        name: np.where(told[name], given[name], 0) if name in given else nothing for name in schema.ADDITIVE
    }
    return Sums(values, told, np.zeros(groups, np.int8) if active_from is None else active_from)


def through_bins(bins: Bins, groups: int) -> dict[str, Floats]:
    """Return the quantiles of :data:`QUANTILES` from histograms: at most 1 % off."""
    return {name: bins.quantile(q, groups) for name, q in QUANTILES.items()}


def group(keys: Sequence[NDArray[Any]]) -> tuple[list[NDArray[Any]], Ints]:
    """Return the distinct rows of parallel key columns, in rising order, and which of them each row is.

    :param keys: columns of text (object) of one length; at least one
    """
    length = len(keys[0])
    codes = np.zeros(length, np.int64)
    firsts = np.zeros(min(length, 1), np.int64)
    for key in keys:
        texts, places = np.unique(key.astype(object), return_inverse=True)
        _, firsts, codes = np.unique(
            codes * max(len(texts), 1) + places, return_index=True, return_inverse=True
        )
    return [key[firsts] for key in keys], codes
