"""Days that were stored before a column existed are still read, alone and beside newer ones."""

from __future__ import annotations

import dataclasses

import pandas as pd  # noqa: TID253 (no DAG imports this)
import pytest

from groundswell.reports import schema, tables
from groundswell.reports.columns import Table
from groundswell.reports.day import DayTables
from groundswell.reports.html.render import render_period
from groundswell.reports.period import Period
from groundswell.reports.redacting import by_team_and_job, with_forgotten
from tests.groundswell.reports.html.report_tables import settings

NEW = ("active_tasks", "active_by_events", "pay_cents")
"""Columns that the first tables had not."""
KEYS = ["day", "source", "team", "job", "task_type", "worker"]


def before(table: Table) -> Table:
    return dataclasses.replace(table, columns=tuple(column for column in table if column.name not in NEW))


def stored(frame: pd.DataFrame, table: Table) -> bytes:
    """The table as it was stored then: shares were of submitted tasks, and of all that was earned."""
    active = frame["active_seconds"].where(frame["active_seconds"] > 0)
    old = frame.assign(
        seconds_per_task=(active / frame["submitted"].replace(0, pd.NA)).round(6),
        hourly_pay=(frame["earned_cents"] * 36 / frame["pay_seconds"]).round(6),
        active_from=frame["active_from"].replace("rest", "metric"),
    )
    return tables.to_parquet(old, before(table))


@pytest.fixture(scope="module")
def day(odd_month) -> DayTables:
    return odd_month.tables[3]


@pytest.fixture(scope="module")
def old(day) -> pd.DataFrame:
    return tables.read_parquet(stored(day.workers, schema.WORKERS))


def test_columns_that_an_older_day_lacks_are_null(day, old):
    assert list(old.columns) == schema.WORKERS.names
    assert old[list(NEW)].isna().all(axis=None)
    assert old["submitted"].equals(day.workers["submitted"])


def test_an_older_day_tells_what_it_told(old):
    found = Period([old]).by(*KEYS)
    for name in ("seconds_per_task", "hourly_pay", "active_seconds", "active_from"):
        pd.testing.assert_series_equal(found[name], old[name])
    assert found["hourly_pay"].notna().any()
    assert set(found["active_from"]) >= {"events", "metric"}


def test_an_older_day_and_a_newer_one_add_up(odd_month, old):
    new = odd_month.tables[4].workers
    body = tables.to_parquet(new, schema.WORKERS)
    together = tables.from_arrow(
        [
            tables.read_arrow(stored(odd_month.tables[3].workers, schema.WORKERS)),
            tables.read_arrow(body),
        ]
    )
    for period in (Period([old, new]), Period([together])):
        row = period.by().iloc[0]
        timed = old.loc[old["active_seconds"].notna(), "submitted"].sum() + new["active_tasks"].sum()
        active = old["active_seconds"].sum() + new["active_seconds"].sum()
        assert row["active_tasks"] == timed
        assert row["seconds_per_task"] == pytest.approx(active / timed)
        earned = old.loc[old["pay_seconds"].notna(), "earned_cents"].sum() + new["pay_cents"].sum()
        paid = old["pay_seconds"].sum() + new["pay_seconds"].sum()
        assert row["hourly_pay"] == pytest.approx(36 * earned / paid)


def test_what_is_made_of_an_older_day(day, old):
    summary = tables.read_parquet(stored(day.summary, schema.SUMMARY))
    teams = Period([by_team_and_job(summary)]).by("team")
    assert teams["submitted"].sum() == old["submitted"].sum()
    worker = next(name for name in old["worker"] if name)
    changed = with_forgotten(dataclasses.replace(day, workers=old, summary=summary), worker)
    assert Period([changed.workers]).by()["seconds_per_task"].iloc[0] == pytest.approx(
        Period([old]).by()["seconds_per_task"].iloc[0]
    )
    first = pd.Timestamp(old["day"].iloc[0]).date()
    assert "Time" in render_period(Period([old]), "October", first, first, settings=settings())
