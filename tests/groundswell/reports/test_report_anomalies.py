"""Odd workers are found, with the numbers in the reason; a healthy crowd is left in peace."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pandas as pd  # noqa: TID253 (no DAG imports this)
import pytest

from groundswell.reports.anomalies import Thresholds
from groundswell.reports.day import DayInputs, compute
from tests.support.activity_rows import make

FOUND_BY = {
    "fast": {"too_fast"},
    "steady": {"too_uniform"},
    "same": {"same_answers", "low_agreement"},
    "careless": {"low_agreement"},
    "slump": {"sudden_drop"},
    "decline": {"low_agreement", "agreement_drop"},
}
OF_WORKERS = {"too_fast", "too_uniform", "same_answers", "low_agreement", "sudden_drop", "agreement_drop"}


def findings(month) -> pd.DataFrame:
    return pd.concat([found.anomalies for found in month.tables], ignore_index=True)


def test_a_healthy_crowd_gives_hardly_an_alarm(month):
    """Fewer than one in 500 worker-days; 14,533 of eight other months gave three, all too fast."""
    worker_days = sum(found.totals["workers"] for found in month.tables)
    assert worker_days > 600
    alarms = findings(month)
    assert len(alarms[alarms["worker"] != ""]) < worker_days / 500


@pytest.mark.parametrize("odd", FOUND_BY)
def test_odd_workers_are_found(odd_month, odd):
    found = findings(odd_month)
    mine = found[found["worker"].isin([f"w-{raw}" for raw in odd_month.made.odd[odd]])]
    assert set(mine["kind"]) & FOUND_BY[odd]
    assert set(mine["kind"]) <= FOUND_BY[odd]
    if odd in {"slump", "decline"}:
        assert mine["day"].min() >= odd_month.made.odd_from.isoformat()


def test_others_are_left_in_peace_beside_odd_workers(odd_month):
    found = findings(odd_month)
    odd = {f"w-{raw}" for people in odd_month.made.odd.values() for raw in people}
    assert list(found[~found["worker"].isin([*odd, ""])]["reason"]) == []
    assert set(found["kind"]) <= OF_WORKERS | {"low_pay"}


def test_reasons_are_sentences_with_their_numbers(odd_month):
    found = findings(odd_month)
    for row in found.itertuples():
        assert row.reason.endswith(".")
        assert any(mark.isdigit() for mark in row.reason)
        assert row.tasks > 0
    fast = found[found["kind"] == "too_fast"].iloc[0]
    assert f"{fast['value']:.1f} s per task" in fast["reason"]
    assert (found["severity"].isin(["warning", "notice"])).all()


def day_of(made, number: int = 0, **more) -> DayInputs:
    day = made.days[number]
    return DayInputs(
        day=day,
        zone=ZoneInfo(made.zone),
        pseudonym=lambda worker: f"w-{worker}",
        **{**made.inputs(day), **more},
    )


def test_pay_below_the_fair_one_is_a_matter_of_the_job():
    made = make(seed=2, days=1, workers=15)
    inputs = day_of(made)
    found = compute(inputs, fair_pay=1000.0).anomalies
    assert set(found["kind"]) == {"low_pay"}
    assert set(found["job"]) == {"iris", "digits"}
    assert set(found["worker"]) == {""}
    assert "1000.00" in found["reason"].iloc[0]
    assert compute(inputs, fair_pay=0.01).anomalies.empty
    assert compute(inputs).anomalies.empty


def test_long_gaps_are_no_finding():
    made = make(seed=4, days=1, workers=30)
    inputs = day_of(made)
    activity = inputs.activity
    idle = (activity["worker"] == activity["worker"].iloc[0]) & (activity.index % 3 == 0)
    slow = activity.assign(seconds=activity["seconds"].where(~idle, activity["seconds"] + 7000))
    assert compute(replace(inputs, activity=slow)).anomalies.empty


def test_few_tasks_say_nothing():
    made = make(seed=5, days=1, workers=30, odd={"fast": 1, "careless": 1, "steady": 1, "same": 1})
    inputs = day_of(made)
    assert not compute(inputs).anomalies.empty
    assert compute(inputs, thresholds=Thresholds(minimum_tasks=500)).anomalies.empty


def test_an_unfinished_day_and_a_crowd_that_stops_are_no_drop(odd_month):
    """Fewer tasks are nobody's drop while the day goes on, or where everybody's work ends."""
    made = odd_month.made
    drops = findings(odd_month)
    drops = drops[drops["kind"] == "sudden_drop"]
    number = [day.isoformat() for day in made.days].index(drops["day"].iloc[0])
    history = [(made.days[n], odd_month.tables[n].workers) for n in range(number)]
    inputs = day_of(made, number, history=history)
    kinds = list(compute(inputs).anomalies["kind"])
    assert "sudden_drop" in kinds
    assert "sudden_drop" not in list(compute(inputs, complete=False).anomalies["kind"])
    quarter = replace(inputs, activity=inputs.activity.iloc[::9], ledger=inputs.ledger.iloc[::9])
    assert "sudden_drop" not in list(compute(quarter).anomalies["kind"])
    old = [(day - timedelta(days=400), rows) for day, rows in history]
    assert "sudden_drop" not in list(compute(replace(inputs, history=old)).anomalies["kind"])
