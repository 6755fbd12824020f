"""Tables of a day that tell less about people: without workers for their age, or with one worker forgotten.

They are made from tables, since the inputs of the day may be gone. Numbers of teams and jobs stay as they
are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from groundswell.reports import schema
from groundswell.reports.names import FORGOTTEN

if TYPE_CHECKING:
    import pandas as pd

    from groundswell.reports.columns import Table
    from groundswell.reports.day import DayTables

_BY_TEAM_AND_JOB = "team_job"
_BY_WORKER = "worker"
_PUBLIC = "public"


def without_workers(tables: DayTables) -> DayTables:
    """Return the tables of a day with nothing that tells workers apart; ``workers`` is by team and job."""
    summary = tables.summary[tables.summary["level"] != _BY_WORKER].reset_index(drop=True)
    return replace(
        tables,
        workers=by_team_and_job(summary),
        summary=summary,
        sources=_of_nobody(tables.sources),
        anomalies=_of_nobody(tables.anomalies),
    )


def by_team_and_job(summary: pd.DataFrame) -> pd.DataFrame:
    """Return rows of the workers table that stand for those of a day that no longer tells workers apart.

    The summary by team and job does not say the source: work of the public team is the ledgers'.
    """
    rows = summary[summary["level"] == _BY_TEAM_AND_JOB]
    source = (rows["team"] == _PUBLIC).map({True: "ledger", False: "worker_activity"})
    return schema.WORKERS.conform(rows.assign(source=source).reset_index(drop=True))


def with_forgotten(tables: DayTables, pseudonym: str) -> DayTables:
    """Return the tables of a day in which one worker is called "forgotten", added to others who are.

    Findings about the worker go; the quantiles of seconds of rows that come together are at most 1 % off.
    """
    keys = ("source", "team", "job", "task_type", "worker", "name")
    summary_keys = ("level", *keys)
    anomalies = tables.anomalies
    return replace(
        tables,
        workers=_added_up(_renamed(tables.workers, pseudonym), keys, schema.WORKERS),
        summary=_added_up(_renamed(tables.summary, pseudonym), summary_keys, schema.SUMMARY),
        sources=_sources(_renamed(tables.sources, pseudonym)),
        anomalies=anomalies[~anomalies["worker"].isin([pseudonym, FORGOTTEN])].reset_index(drop=True),
    )


def _of_nobody(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["worker"] == ""].reset_index(drop=True)


def _renamed(rows: pd.DataFrame, pseudonym: str) -> pd.DataFrame:
    gone = rows["worker"].isin([pseudonym, FORGOTTEN])
    changed = rows.assign(worker=rows["worker"].where(~gone, FORGOTTEN))
    return changed.assign(name=changed["name"].where(~gone, "")) if "name" in rows else changed


def _added_up(rows: pd.DataFrame, keys: Sequence[str], table: Table) -> pd.DataFrame:
    """Return the rows with those of "forgotten" that have equal keys made one; the others stay."""
    import pandas as pd

    gone = rows["worker"] == FORGOTTEN
    several = gone & rows.duplicated(list(keys), keep=False)
    if not several.any():
        return rows
    together = _sums_of(rows[several], keys, table)
    found = pd.concat([rows[~several], together]).sort_index(kind="stable")
    return found.reset_index(drop=True)


def _sums_of(rows: pd.DataFrame, keys: Sequence[str], table: Table) -> pd.DataFrame:
    """Return one row per value of the keys, each under the index of the first that went into it."""
    import numpy as np

    from groundswell.reports import bins, measures

    named, to = measures.group([rows[key].to_numpy(object) for key in keys])
    groups = len(named[0])
    histogram = bins.parse(rows["bins"]).regrouped(to)
    sums = measures.read(rows).regrouped(to, groups)
    columns: dict[str, Any] = {
        "day": [rows["day"].iloc[0]] * groups,
        **{key: list(column) for key, column in zip(keys, named, strict=True)},
        **sums.columns(measures.through_bins(histogram, groups), histogram.texts(groups)),
    }
    _, firsts = np.unique(to, return_index=True)
    return table.frame(columns).set_axis(rows.index[firsts])


def _sources(rows: pd.DataFrame) -> pd.DataFrame:
    numbers = ["by_events", "by_metric", "difference"]
    keys = [name for name in schema.SOURCES.names if name not in numbers]
    if not rows.duplicated(keys).any():
        return rows
    return schema.SOURCES.conform(rows.groupby(keys, as_index=False)[numbers].sum(min_count=1))
