"""A day's tables from what the sources gave. The same inputs, in whatever order, give the same tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from groundswell.reports import anomalies, schema
from groundswell.reports.active_time import SOURCE, totals, with_metric
from groundswell.reports.anomalies import Thresholds
from groundswell.reports.bins import Bins
from groundswell.reports.cleaning import SUBMITTED, TEXT_LIMIT, UNKNOWN, Events, events
from groundswell.reports.comparing import compare
from groundswell.reports.counting import Finest, finest
from groundswell.reports.measures import Ints, group, joined, sums
from groundswell.reports.names import FORGOTTEN
from groundswell.reports.problems import Problem, masked, merged

if TYPE_CHECKING:
    import pandas as pd

_KEY_NAMES = ("source", "team", "job", "task_type", "worker")
_LARGEST = 10**12


@dataclass(frozen=True)
class DayInputs:
    """What is known of a day.

    :param zone: the report's time zone; rows of other days are left out
    :param activity: log events, columns of :data:`schema.ACTIVITY`
    :param ledger: the same from ledgers
    :param workteam: metrics, columns of :data:`schema.WORKTEAM`; None where this source is off
    :param jobs: labels that labeling jobs made on the day, names of :data:`schema.JOBS`
    :param names: display names by raw worker id; empty where names are not to be shown
    :param pseudonym: what a raw worker id is called
    :param history: the workers tables of earlier days, for what is usual
    :param problems: what the sources have found already: problems, or a frame of :data:`schema.PROBLEMS`
    """

    day: date
    zone: ZoneInfo
    pseudonym: Callable[[str], str]
    activity: pd.DataFrame = field(default_factory=schema.ACTIVITY.empty)
    ledger: pd.DataFrame = field(default_factory=schema.ACTIVITY.empty)
    workteam: pd.DataFrame | None = None
    jobs: Sequence[Mapping[str, Any]] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    history: Sequence[tuple[date, pd.DataFrame]] = ()
    problems: Sequence[Problem] | pd.DataFrame = ()


@dataclass(frozen=True)
class DayTables:
    """The tables of a day, see :mod:`groundswell.reports.schema`.

    :param totals: every measure that is a number at level all, and ``workers``: how many people worked
    """

    workers: pd.DataFrame
    summary: pd.DataFrame
    sources: pd.DataFrame
    anomalies: pd.DataFrame
    problems: pd.DataFrame
    totals: dict[str, int | float | None]

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return the tables by the names under which they are published."""
        return {table.name: getattr(self, table.name) for table in schema.TABLES}


def compute(
    inputs: DayInputs,
    *,
    thresholds: Thresholds | None = None,
    fair_pay: float | None = None,
    complete: bool = True,
) -> DayTables:
    """Return the tables of a day.

    :param thresholds: when something stands out; by default the defaults
    :param fair_pay: dollars per hour below which there is a warning; None for none
    :param complete: whether the day is over
    """
    day = inputs.day
    log, problems = events(inputs.activity, SOURCE, day, inputs.zone, inputs.pseudonym)
    ledger, more = events(inputs.ledger, "ledger", day, inputs.zone, inputs.pseudonym)
    problems += more
    counted, (_, of_ledger) = finest([log, ledger])
    rows = counted
    sources = schema.SOURCES.empty()
    if inputs.workteam is not None:
        metric, more = totals(inputs.workteam, day, inputs.pseudonym)
        sources = compare(counted, metric, day)
        rows, others = with_metric(counted, metric)
        problems += more + others
    rows, more = _with_labels(rows, inputs.jobs, day)
    problems += more
    called = _names(inputs, {**log.raw, **ledger.raw})
    workers, summary = _tables(rows, day, called)
    found = anomalies.find(
        counted,
        _answers(ledger, of_ledger),
        inputs.history,
        day,
        thresholds=thresholds or Thresholds(),
        fair_pay=fair_pay,
        complete=complete,
    )
    return DayTables(
        workers=workers,
        summary=summary,
        sources=sources,
        anomalies=found,
        problems=_problems(inputs.problems, problems, day),
        totals=_totals(summary, rows),
    )


@dataclass(frozen=True)
class _Level:
    """Groups of rows of the finest table: their keys, and which group each row is in."""

    name: str
    keys: Mapping[str, NDArray[Any]]
    to: Ints

    @property
    def groups(self) -> int:
        return len(self.keys["worker"])


def _tables(rows: Finest, day: date, called: Mapping[str, str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    keys = dict(zip(_KEY_NAMES, rows.keys, strict=True))
    histogram = rows.histogram()
    finest_level = _Level("", keys, np.arange(len(rows)))
    workers = schema.WORKERS.frame(_columns([finest_level], rows, histogram, day, called))
    levels = []
    for level, names in schema.LEVELS.items() if len(rows) else ():
        named, to = group([keys[name] for name in names] or [np.full(len(rows), "", dtype=object)])
        nothing = np.full(len(named[0]), "", dtype=object)
        cells = {name: named[names.index(name)] if name in names else nothing for name in _KEY_NAMES}
        levels.append(_Level(level, cells, to))
    if not levels:
        return workers, schema.SUMMARY.empty()
    return workers, schema.SUMMARY.frame(_columns(levels, rows, histogram, day, called))


def _columns(
    levels: Sequence[_Level], rows: Finest, histogram: Bins, day: date, called: Mapping[str, str]
) -> dict[str, Any]:
    """Return the columns of the levels' groups, one level below the other."""
    added = joined([rows.sums.regrouped(level.to, level.groups) for level in levels])
    seconds = [rows.quantiles(level.to, level.groups) for level in levels]
    texts = [text for level in levels for text in histogram.regrouped(level.to).texts(level.groups)]
    keys = {name: np.concatenate([level.keys[name] for level in levels]) for name in _KEY_NAMES}
    return {
        "day": np.full(len(added), day.isoformat(), dtype=object),
        "level": np.repeat(np.array([level.name for level in levels]), [level.groups for level in levels]),
        **keys,
        "name": [called.get(worker, "") for worker in keys["worker"]],
        **added.columns({q: np.concatenate([part[q] for part in seconds]) for q in seconds[0]}, texts),
    }


def _names(inputs: DayInputs, raw: Mapping[str, str]) -> dict[str, str]:
    """Return the names to show by pseudonym."""
    if not inputs.names:
        return {}
    answer = {called: str(inputs.names.get(worker) or "")[:TEXT_LIMIT] for called, worker in raw.items()}
    answer.pop(FORGOTTEN, None)
    return answer


def _with_labels(rows: Finest, jobs: Sequence[Mapping[str, Any]], day: date) -> tuple[Finest, list[Problem]]:
    """Return the rows with the labels of labeling jobs: those of a job belong to no single worker."""
    teams, types = _only_ones(rows)
    keys: list[tuple[str, ...]] = []
    counts: list[tuple[int, int]] = []
    problems: list[Problem] = []
    for job in jobs:
        if str(job.get("day") or day) != day.isoformat():
            continue
        human, machine = _count(job.get("human_labels")), _count(job.get("machine_labels"))
        if human is None or machine is None:
            said = masked(f"{job.get('job')}: {job.get('human_labels')!r}, {job.get('machine_labels')!r}")
            what = "Its labels are not counted."
            problems.append(Problem("labels of a job cannot be", 1, said, what, "labeling_jobs", day))
        elif human or machine:
            name = str(job.get("job") or "")[:TEXT_LIMIT]
            team = str(job.get("team") or teams.get(name, ""))[:TEXT_LIMIT]
            task_type = str(job.get("task_type") or types.get(name, UNKNOWN))[:TEXT_LIMIT]
            keys.append((SOURCE, team, name, task_type, ""))
            counts.append((human, machine))
    columns = [[key[place] for key in keys] for place in range(len(_KEY_NAMES))]
    labels = np.array(counts, np.int64).reshape(-1, 2)
    more = sums({"human_labels": labels[:, 0], "machine_labels": labels[:, 1]}, len(keys))
    return rows.with_rows(columns, more), problems


def _only_ones(rows: Finest) -> tuple[dict[str, str], dict[str, str]]:
    """Return team and task type of the log's jobs, where all that is known of a job has the same."""
    teams: dict[str, set[str]] = {}
    types: dict[str, set[str]] = {}
    for source, team, job, task_type, _ in zip(*rows.keys, strict=True):
        if source == SOURCE:
            teams.setdefault(job, set()).add(team)
            types.setdefault(job, set()).add(task_type)
    only = [
        {job: next(iter(found)) for job, values in each.items() if len(found := values - {"", UNKNOWN}) == 1}
        for each in (teams, types)
    ]
    return only[0], only[1]


def _count(value: Any) -> int | None:
    """Return a number of labels: 0 for none given, None for what is no such number."""
    if value is None or value != value:  # NaN
        return 0
    good = isinstance(value, (int, float, np.number)) and 0 <= value < _LARGEST and int(value) == value
    return int(value) if good else None


def _answers(ledger: Events, rows: Ints) -> anomalies.Answers:
    """Count the labels that were given, per row."""
    given = (ledger.kind == SUBMITTED) & (ledger.answer >= 0)
    row, label = rows[ledger.group[given]], ledger.answer[given]
    span = int(label.max(initial=0)) + 1
    pairs, count = np.unique(row * span + label, return_counts=True)
    return anomalies.Answers(pairs // span, pairs % span, count)


def _problems(given: Sequence[Problem] | pd.DataFrame, found: list[Problem], day: date) -> pd.DataFrame:
    known: list[Problem] = []
    if isinstance(given, Sequence):
        known = list(given)
    else:
        names = ["kind", "count", "example", "what_to_do", "source"]
        rows = schema.PROBLEMS.conform(given)[names].itertuples(index=False)
        known = [Problem(*row) for row in rows]
    listed = merged([*known, *found])
    fields = ("source", "kind", "count", "example", "what_to_do")
    columns: dict[str, Any] = {name: [getattr(one, name) for one in listed] for name in fields}
    return schema.PROBLEMS.frame({"day": [day.isoformat()] * len(listed), **columns})


def _totals(summary: pd.DataFrame, rows: Finest) -> dict[str, int | float | None]:
    import pandas as pd

    whole = summary[summary["level"] == "all"]
    answer: dict[str, int | float | None] = {
        "workers": len({worker for worker in rows.keys[4] if worker}),
    }
    for column in schema.MEASURES:
        if column.kind == "text":
            continue
        value: Any = whole[column.name].iloc[0] if len(whole) else None
        answer[column.name] = None if pd.isna(value) else int(value) if column.kind == "int" else float(value)
    return answer
