"""What the log's events say against what the metrics say: both counts, and the difference.

Both are best effort, and neither is the truth. Ledgers have nothing to be compared with and are not listed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from groundswell.reports import schema
from groundswell.reports.active_time import SOURCE, Total
from groundswell.reports.cleaning import KINDS
from groundswell.reports.counting import Finest

if TYPE_CHECKING:
    import pandas as pd

MEASURES = (*KINDS, "active_seconds")
_Pair = tuple[str, str]
_Key = tuple[str, str, str]
_Values = dict[str, float]


def compare(rows: Finest, totals: Sequence[Total], day: date) -> pd.DataFrame:
    """Return the sources table of a day.

    A metric without a data point counts 0 where the team and job have any other that day, as CloudWatch
    keeps no zeros; otherwise it is not known.

    :param rows: counted from events alone
    """
    teams = _teams(rows)
    metric: dict[_Key, _Values] = defaultdict(lambda: defaultdict(float))
    for total in totals:
        if total.measure in MEASURES:
            team = total.team or teams.get(total.job, "")
            metric[team, total.job, ""][total.measure] += total.value
            if total.worker:
                metric[team, total.job, total.worker][total.measure] += total.value
    events = _events(rows, metric.keys())
    workers = {key for key in metric.keys() & events.keys() if key[2]}
    wholes = {key for key in metric.keys() | events.keys() if not key[2]}
    listed = sorted(wholes | workers)
    cells = [(*key, measure, *_both(events, metric, key, measure)) for key in listed for measure in MEASURES]
    cells = [cell for cell in cells if not (_nothing(cell[4]) and _nothing(cell[5]))]
    columns = list(zip(*cells, strict=True)) or [()] * 6
    by_events, by_metric = (np.array(columns[place], np.float64) for place in (4, 5))
    return schema.SOURCES.frame(
        {
            "day": [day.isoformat()] * len(cells),
            "team": list(columns[0]),
            "job": list(columns[1]),
            "worker": list(columns[2]),
            "measure": list(columns[3]),
            "by_events": by_events,
            "by_metric": by_metric,
            "difference": by_events - by_metric,
        }
    )


def _teams(rows: Finest) -> dict[str, str]:
    """Return the team of each job that only one team worked on."""
    found: dict[str, set[str]] = defaultdict(set)
    for source, team, job, *_ in zip(*rows.keys, strict=True):
        if source == SOURCE:
            found[job].add(team)
    return {job: next(iter(teams)) for job, teams in found.items() if len(teams) == 1}


def _events(rows: Finest, known: Collection[_Key]) -> dict[_Key, _Values]:
    """Add up events per team, job and worker, and per team and job as far as the metrics tell these apart.

    A worker's events go where the metrics have that worker: of one who is in several teams they tell no team.
    """
    columns = {name: rows.sums.column(name) for name in MEASURES}
    answer: dict[_Key, _Values] = defaultdict(lambda: defaultdict(float))
    for row, (source, team, job, _, worker) in enumerate(zip(*rows.keys, strict=True)):
        if source != SOURCE:
            continue
        pair = _pair(team, job, worker, known)
        told = {name: float(columns[name][row]) for name in MEASURES if rows.sums.known[name][row]}
        for key in {(*pair, ""), (*pair, worker)}:
            for name, value in told.items():
                answer[key][name] += value
    return answer


def _pair(team: str, job: str, worker: str, known: Collection[_Key]) -> _Pair:
    """Return the team and job by which the metrics know an event, "" for what they do not tell."""
    pairs = ((team, job), ("", job), (team, ""))
    keys = [(*pair, name) for name in dict.fromkeys((worker, "")) for pair in pairs]
    found = next((key for key in keys if key in known), (team, job, ""))
    return found[:2]


def _both(
    events: Mapping[_Key, _Values], metric: Mapping[_Key, _Values], key: _Key, measure: str
) -> tuple[float, float]:
    """Return what events and metrics count, NaN where nothing is known of it."""
    absent = 0.0 if measure in KINDS else np.nan
    by_events = events[key].get(measure, absent) if key in events else np.nan
    by_metric = metric[key].get(measure, absent) if key in metric else np.nan
    return round(by_events, 6), round(by_metric, 6)


def _nothing(value: float) -> bool:
    return not value > 0
