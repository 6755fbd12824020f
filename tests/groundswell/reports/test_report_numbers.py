"""Every number of the tables, recomputed by queries that share no code with the reports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd  # noqa: TID253 (no DAG imports this)
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from groundswell.reports import schema
from groundswell.reports.bins import ERROR
from groundswell.reports.day import DayInputs, compute
from groundswell.reports.period import Period
from tests.support.report_queries import KEYS, Queries

DERIVED_ELSEWHERE = {"accuracy_low", "accuracy_high", "active_from", "bins"}
NUMBERS = [column.name for column in schema.MEASURES if column.name not in DERIVED_ELSEWHERE]
COUNTS = [column.name for column in schema.MEASURES if column.kind == "int"]
DAY = date(2026, 10, 25)
ZONE = "Europe/Berlin"


def assert_same(tables: pd.DataFrame, queried: pd.DataFrame, keys: list[str], *, apart: float = 0.0) -> None:
    """Equal keys and numbers, to the millionth that tables keep; medians may be `apart` (relative)."""
    ours = tables.sort_values(keys, ignore_index=True)
    assert ours[keys].astype(str).values.tolist() == queried[keys].astype(str).values.tolist()
    for name in NUMBERS:
        mine = ours[name].astype("float64").to_numpy()
        theirs = queried[name].astype("float64").to_numpy()
        if name in COUNTS or name == "machine_share":
            mine, theirs = np.nan_to_num(mine), np.nan_to_num(theirs)
        relative = apart if name in {"seconds_median", "seconds_p90"} else 1e-9
        np.testing.assert_allclose(mine, theirs, rtol=relative, atol=2e-6, err_msg=name)


@pytest.fixture(scope="module")
def queries(month) -> Iterator[Queries]:
    made = month.made
    found = Queries(made.activity, made.ledger, made.workteam, made.jobs, made.zone)
    yield found
    found.close()


def test_the_workers_table_of_a_month(month, queries):
    ours = pd.concat([tables.workers for tables in month.tables])
    wanted = [day.isoformat() for day in month.made.days]
    queried = queries.level(["day", *KEYS])
    assert len(ours) > 1000
    assert_same(ours, queried[queried["day"].isin(wanted)].reset_index(drop=True), ["day", *KEYS])


@pytest.mark.parametrize("level", schema.LEVELS)
def test_the_summary_of_a_month(month, queries, level):
    keys = ["day", *schema.LEVELS[level]]
    ours = pd.concat([tables.summary for tables in month.tables])
    ours = ours[ours["level"] == level]
    wanted = [day.isoformat() for day in month.made.days]
    queried = queries.level(keys)
    assert_same(ours, queried[queried["day"].isin(wanted)].reset_index(drop=True), keys)
    left_out = [key for key in KEYS if key not in keys]
    assert (ours[left_out] == "").all(axis=None)


@pytest.mark.parametrize("keys", [[], ["team"], ["job"], ["worker"], ["source", "task_type"]])
def test_a_period_is_a_query_over_all_its_days(month, queries, keys):
    period = Period([tables.workers for tables in month.tables])
    assert_same(period.by(*keys), queries.level(keys), keys, apart=ERROR)


def test_intervals_of_accuracy_are_quantiles_of_the_beta_distribution(month):
    rows = pd.concat([tables.workers for tables in month.tables])
    rows = rows[rows["judged"] > 0]
    right, judged = rows["right_expected"].astype(float), rows["judged"].astype(float)
    assert len(rows) > 100
    low = beta.ppf(0.05, right + 0.5, judged - right + 0.5)
    high = beta.ppf(0.95, right + 0.5, judged - right + 0.5)
    np.testing.assert_allclose(rows["accuracy_low"], low, atol=2e-6)
    np.testing.assert_allclose(rows["accuracy_high"], np.where(right >= judged, 1.0, high), atol=2e-6)


# Small worlds, so that groups meet each other: the day on which summer time ends, and its neighbours.
moments = st.integers(0, 3 * 25 * 3600).map(
    lambda second: datetime(2026, 10, 24, 12, tzinfo=UTC) + timedelta(seconds=second)
)
seconds = st.one_of(st.none(), st.integers(0, 40).map(float), st.floats(0, 5000))
keys = st.fixed_dictionaries(
    {"worker": st.sampled_from("abcd"), "team": st.sampled_from(["t", "u"]), "task_type": st.just("x")}
)
log_rows = st.tuples(
    keys, st.sampled_from(["accepted", "submitted", "returned", "declined"]), moments, seconds
)
maybe = st.sampled_from([True, False, None])
shares = st.floats(0, 1)
answers = st.fixed_dictionaries(
    {
        "paid": maybe,
        "rejected": maybe,
        "reward_cents": st.floats(0, 100),
        "cost_cents": st.floats(0, 100),
        "readable": maybe,
        "agreed": maybe,
        "right": shares,
        "gold_right": maybe,
        "settles": maybe,
    }
)
ledger_rows = st.tuples(keys, st.sampled_from(["accepted", "submitted"]), moments, seconds, answers)
jobs = st.sampled_from(["birds", "forms"])


def frame(rows: list, source: str) -> pd.DataFrame:
    listed = []
    for named, kind, at, taken, *more in rows:
        row = {**named, "kind": kind, "at": at, "seconds": taken if kind == "submitted" else None}
        # A team's job: so each job has one team, as labeling jobs do
        listed.append(
            {**row, "source": source, "job": f"job of {named['team']}", **(more[0] if more else {})}
        )
    columns = {name: [row.get(name) for row in listed] for name in schema.ACTIVITY.names}
    for name in ("seconds", "reward_cents", "cost_cents", "right"):
        columns[name] = np.array(columns[name], dtype=float).round(6)
    return schema.ACTIVITY.frame(columns)


metrics = st.dictionaries(st.sampled_from("abcde"), st.floats(0, 9000).map(lambda v: round(v, 6)), max_size=4)


@settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
@given(
    log=st.lists(log_rows, max_size=40),
    answered=st.lists(ledger_rows, max_size=40),
    by_worker=metrics,
    by_job=st.one_of(st.none(), st.integers(0, 9000)),
    labels=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=1),
)
def test_random_inputs(log, answered, by_worker, by_job, labels):
    activity, ledger = frame(log, "worker_activity"), frame(answered, "ledger")
    here = activity[activity["at"].dt.tz_convert(ZONE).dt.date == DAY]
    on_it = set(here["worker"][here["job"] == "job of t"])
    if not on_it & set(by_worker):  # metrics that name other workers than the log have a test of their own
        by_worker = {}
    named = [("job of t", worker, value) for worker, value in sorted(by_worker.items())]
    if by_job is not None and (here["job"] == "job of u").any():
        named.append(("job of u", "", float(by_job)))
    workteam = schema.WORKTEAM.frame(
        {
            "day": [DAY.isoformat()] * len(named),
            "job": [job for job, _, _ in named],
            "worker": [worker for _, worker, _ in named],
            "measure": ["active_seconds"] * len(named),
            "value": [value for _, _, value in named],
        }
    )
    made = [
        {
            "day": DAY.isoformat(),
            "job": "job of t",
            "team": "t",
            "task_type": "x",
            "human_labels": a,
            "machine_labels": b,
        }
        for a, b in labels
    ]
    inputs = DayInputs(
        day=DAY,
        zone=ZoneInfo(ZONE),
        pseudonym=lambda worker: f"w-{worker}",
        activity=activity,
        ledger=ledger,
        workteam=workteam,
        jobs=made,
    )
    tables = compute(inputs)
    queries = Queries(activity, ledger, workteam, made, ZONE)
    try:
        for table, keys in (
            (tables.workers, list(KEYS)),
            (level(tables.summary, "team_job"), ["team", "job"]),
        ):
            queried = queries.level(["day", *keys])
            queried = queried[queried["day"] == DAY.isoformat()].reset_index(drop=True)
            assert_same(table, queried, ["day", *keys])
    finally:
        queries.close()


def level(summary: pd.DataFrame, name: str) -> pd.DataFrame:
    return summary[summary["level"] == name].reset_index(drop=True)
