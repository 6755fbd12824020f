"""Time at work: SageMaker's metric where there is one, which leaves pauses out; otherwise the events.

A total that names the worker replaces what the events say of that worker in that job. A total of a whole team
or job is never shared out: it becomes a row of its own, without worker, that holds what it says beyond its
workers' rows (below zero where the events hold pauses). So sums of finer rows are those of coarser ones. A
total of a worker who has several rows, by team or task type, is such a row as well, with the worker.
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
_ACTIVE = ("active_seconds", "active_by_events", "active_tasks")
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
    """Return the rows with the active seconds of these totals, and the tasks that these seconds are of.

    The tasks are those that the metric counts, since it is about them that it tells the time (as the average
    time per task in "Monitor labeling jobs", SageMaker developer guide); where it counts none, those of the
    events. Other measures are passed over.
    """
    given, at = list(given), _Places(rows)
    spent, found = _joinable([total for total in given if total.measure == "active_seconds"], at)
    counted = _Counted(total for total in given if total.measure == "submitted")
    kept = _Kept(rows.sums, counted)
    # The finest first: a coarser one then sees what they have put in
    for total in sorted(spent, key=lambda one: (-len(one.named), one.key)):
        places = at.matching(total)
        if total.worker and len(places) == 1:
            kept.replace(places[0], total)
        else:
            kept.add(at.row_for(total, places), places, total)
    changed = Finest(rows.keys, kept.sums(), rows.seconds, rows.row)
    return changed.with_rows(*_extra({key: rest for key, rest in kept.more.items() if rest.says})), found


@dataclass(frozen=True)
class _Part:
    """Time at work: seconds, and how many of them events say (both in millionths), and the tasks it is of.

    :param told: whether the tasks are known
    """

    seconds: int = 0
    by_events: int = 0
    tasks: int = 0
    told: bool = False

    def __add__(self, other: _Part) -> _Part:
        return _Part(
            self.seconds + other.seconds,
            self.by_events + other.by_events,
            self.tasks + other.tasks,
            self.told or other.told,
        )

    @property
    def says(self) -> bool:
        """Whether a row of it says anything."""
        return bool(self.seconds or self.by_events or self.tasks)


class _Kept:
    """The time at work of rows, as totals put theirs in."""

    def __init__(self, before: Sums, counted: _Counted) -> None:
        self._before, self._counted = before, counted
        self._values = {name: before.values[name].copy() for name in _ACTIVE}
        self._known = {name: before.known[name].copy() for name in _ACTIVE}
        self._source = before.active_from.copy()
        self.more: dict[_Key, _Part] = {}
        # The same by what a total names: thousands of workers may have no row of events
        self._held: dict[tuple[str, ...], dict[_Key, _Part]] = {}

    def replace(self, place: int, total: Total) -> None:
        """Let a row have the time of a total that is about nothing else."""
        tasks = self._counted.of(total, int(self._before.values["submitted"][place]))
        for name, value in zip(_ACTIVE, (round(total.value * MICRO), 0, tasks), strict=True):
            self._values[name][place], self._known[name][place] = value, True
        self._source[place] = METRIC

    def add(self, key: _Key, places: Sequence[int], total: Total) -> None:
        """Let a row of its own have what a total says beyond the rows and totals that it is about."""
        seconds, by_events, done = (int(self._values[name][places].sum()) for name in _ACTIVE)
        before = _Part(seconds, by_events, done, bool(places)) + self._within(total)
        done = int(self._before.values["submitted"][places].sum())
        tasks = self._counted.of(total, max(done, before.tasks))
        told = bool(tasks) or before.told
        rest = _Part(
            round(total.value * MICRO) - before.seconds, -before.by_events, tasks - before.tasks, told
        )
        self.more[key] = self.more.get(key, _Part()) + rest
        for names, held in self._held.items():
            _add(held, key, names, rest)

    def _within(self, total: Total) -> _Part:
        """Return what the rows hold that were put in for finer totals."""
        if total.named not in self._held:
            held: dict[_Key, _Part] = {}
            for key, part in self.more.items():
                _add(held, key, total.named, part)
            self._held[total.named] = held
        return self._held[total.named].get(total.key, _Part())

    def sums(self) -> Sums:
        """Return the sums of the rows."""
        before = self._before
        return Sums({**before.values, **self._values}, {**before.known, **self._known}, self._source)


class _Counted:
    """The submitted tasks that metrics count."""

    def __init__(self, totals: Iterable[Total]) -> None:
        self._totals = list(totals)
        self._by: dict[tuple[str, ...], dict[_Key, tuple[float, float]]] = {}

    def of(self, spent: Total, least: int) -> int:
        """Return how many tasks there are of all that a total of time names.

        That is the count which names the same; otherwise what finer ones add up to, some of which may be
        missing, or what is known without them, where that is more.

        :param least: what is known without the metrics
        """
        if spent.named not in self._by:
            found: dict[_Key, tuple[float, float]] = {}
            for total in self._totals:
                key = tuple(getattr(total, name) for name in spent.named)
                same, finer = found.get(key, (0.0, 0.0))
                found[key] = same + total.value * (total.named == spent.named), finer + total.value
            self._by[spent.named] = found
        same, finer = map(round, self._by[spent.named].get(spent.key, (0.0, 0.0)))
        return same or max(finer, least)


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


def _add(held: dict[_Key, _Part], row: _Key, names: tuple[str, ...], part: _Part) -> None:
    values = dict(zip(GROUP_KEYS, row, strict=True))
    key = tuple(values[name] for name in names)
    held[key] = held.get(key, _Part()) + part


def _extra(more: Mapping[_Key, _Part]) -> tuple[list[list[Any]], Sums]:
    keys = sorted(more)
    columns = [[key[place] for key in keys] for place in range(len(GROUP_KEYS))]
    parts = [more[key] for key in keys]
    given = {
        "active_seconds": np.array([part.seconds for part in parts], np.int64),
        "active_by_events": np.array([part.by_events for part in parts], np.int64),
        "active_tasks": np.array([part.tasks for part in parts], np.int64),
    }
    known = {"active_tasks": np.array([part.told for part in parts], bool)}
    return columns, sums(given, len(keys), known, np.full(len(keys), METRIC, np.int8))
