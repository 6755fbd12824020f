"""Time at work: SageMaker's metric where there is one, which leaves pauses out; otherwise the events.

A total that names the worker replaces what the events say of that worker in that job. A total of a whole team
or job is never shared out: it becomes a row of its own, without worker, that holds what it says beyond its
workers' rows (below zero where the events hold pauses). So sums of finer rows are those of coarser ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from groundswell.reports.cleaning import GROUP_KEYS, TEXT_LIMIT, UNKNOWN
from groundswell.reports.counting import Finest
from groundswell.reports.measures import METRIC, MICRO, Sums, sums
from groundswell.reports.problems import Problem, masked

if TYPE_CHECKING:
    import pandas as pd

SOURCE = "worker_activity"
_FIELDS = ("job", "team", "worker")
_LARGEST = 1e9
_Key = tuple[str, ...]


@dataclass(frozen=True)
class Total:
    """A total of the metrics; "" where it does not name the job, team or worker (a pseudonym here)."""

    job: str
    team: str
    worker: str
    measure: str
    value: float

    @property
    def named(self) -> tuple[str, ...]:
        """Which of job, team and worker it names."""
        return tuple(name for name in _FIELDS if getattr(self, name))

    @property
    def key(self) -> _Key:
        """What they are called."""
        return tuple(getattr(self, name) for name in self.named)


def totals(
    frame: pd.DataFrame, day: date, pseudonym: Callable[[str], str]
) -> tuple[list[Total], list[Problem]]:
    """Return the totals of a day in a fixed order, one per job, team, worker and measure.

    :param frame: columns of :data:`schema.WORKTEAM`; rows of other days are left out
    """
    import pandas as pd

    rows = frame[frame["day"].astype(str) == day.isoformat()]
    values = pd.to_numeric(rows["value"], errors="coerce").to_numpy(np.float64, na_value=np.nan)
    good = (values >= 0) & (values <= _LARGEST)
    found: list[Problem] = []
    if not good.all():
        bad = min(str(value) for value in rows["value"][~good])
        what = "The metric is left out; look at it in CloudWatch."
        found.append(Problem("metric cannot be", int((~good).sum()), masked(bad), what, "workteam", day))
    called = {raw: pseudonym(raw) if raw else "" for raw in map(str, rows["worker"].fillna("").unique())}
    added: dict[tuple[str, str, str, str], float] = defaultdict(float)
    columns = (rows[name].fillna("").astype(str)[good] for name in ("job", "team", "worker", "measure"))
    for job, team, worker, measure, value in zip(*columns, values[good], strict=True):
        added[job[:TEXT_LIMIT], team[:TEXT_LIMIT], called[worker], measure] += float(value)
    return [Total(*key, value) for key, value in sorted(added.items())], found


def with_metric(rows: Finest, given: Iterable[Total]) -> tuple[Finest, list[Problem]]:
    """Return the rows with the active seconds of these totals (other measures are passed over)."""
    at = _Places(rows)
    spent, found = _joinable([total for total in given if total.measure == "active_seconds"], at)
    active = rows.sums.values["active_seconds"].copy()
    known = rows.sums.known["active_seconds"].copy()
    source = rows.sums.active_from.copy()
    more: dict[_Key, int] = {}
    # The finest first: a coarser one then sees what they have put in
    for total in sorted(spent, key=lambda one: (-len(one.named), one.key)):
        value = round(total.value * MICRO)
        places = at.matching(total)
        if total.worker and len(places) == 1:
            active[places[0]], known[places[0]], source[places[0]] = value, True, METRIC
            continue
        before = int(active[places].sum()) + sum(held for key, held in more.items() if _within(key, total))
        key = at.row_for(total, places)
        more[key] = more.get(key, 0) + value - before
    told = Sums(
        {**rows.sums.values, "active_seconds": active}, {**rows.sums.known, "active_seconds": known}, source
    )
    changed = Finest(rows.keys, told, rows.seconds, rows.row)
    return changed.with_rows(*_extra({key: held for key, held in more.items() if held})), found


class _Places:
    """Finds the rows of the log's events that a total is about."""

    def __init__(self, rows: Finest) -> None:
        columns = dict(zip(GROUP_KEYS, rows.keys, strict=True))
        self._columns = columns
        self._rows = np.flatnonzero(columns["source"] == SOURCE).tolist()
        self._by: dict[tuple[str, ...], dict[_Key, list[int]]] = {}

    def matching(self, total: Total) -> list[int]:
        """Return the rows that agree with all that the total names."""
        if total.named not in self._by:
            found: dict[_Key, list[int]] = defaultdict(list)
            for row in self._rows:
                found[tuple(self._columns[name][row] for name in total.named)].append(row)
            self._by[total.named] = dict(found)
        return self._by[total.named].get(total.key, [])

    def row_for(self, total: Total, places: Sequence[int]) -> _Key:
        """Return the key of a row that holds a total: what all its rows have in common, and "" otherwise."""
        key = {"source": SOURCE, "worker": total.worker}
        for name in ("team", "job", "task_type"):
            values = {self._columns[name][row] for row in places}
            key[name] = values.pop() if len(values) == 1 else getattr(total, name, "")
        if not places and total.job:
            key["task_type"] = UNKNOWN
        return tuple(key[name] for name in GROUP_KEYS)


def _joinable(spent: list[Total], at: _Places) -> tuple[list[Total], list[Problem]]:
    """Make totals of a job's workers one of the job, where none of these workers is in its events.

    Both would be counted otherwise: the metric then names workers by another id than the log.
    """
    workers: dict[str, list[Total]] = defaultdict(list)
    for total in spent:
        if total.worker and total.job:
            workers[total.job].append(total)
    answer = [total for total in spent if not (total.worker and total.job)]
    found: list[Problem] = []
    for job, named in sorted(workers.items()):
        whole = Total(job, "", "", "active_seconds", sum(total.value for total in named))
        if not at.matching(whole) or any(at.matching(total) for total in named):
            answer += named
            continue
        answer.append(whole)
        what = "The metric's time is counted for the job, not for workers; compare their ids with the log."
        found.append(
            Problem("metric names workers whom no event names", len(named), masked(job), what, "workteam")
        )
    return answer, found


def _within(key: _Key, total: Total) -> bool:
    row = dict(zip(GROUP_KEYS, key, strict=True))
    return all(row[name] == getattr(total, name) for name in total.named)


def _extra(more: Mapping[_Key, int]) -> tuple[list[list[Any]], Sums]:
    keys = sorted(more)
    values = np.array([more[key] for key in keys], np.int64)
    columns = [[key[place] for key in keys] for place in range(len(GROUP_KEYS))]
    return columns, sums(
        {"active_seconds": values}, len(keys), active_from=np.full(len(keys), METRIC, np.int8)
    )
