"""Levels add up, and neither the order of rows nor what workers are called changes a number."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd  # noqa: TID253 (no DAG imports this)
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundswell.reports import schema, tables
from groundswell.reports.day import DayInputs, DayTables, compute
from tests.support.activity_rows import make


@pytest.fixture(scope="module")
def made():
    return make(seed=3, days=2, workers=12, tasks=25)


def inputs_of(made, **changed) -> DayInputs:
    day = made.days[0]
    known = DayInputs(
        day=day, zone=ZoneInfo(made.zone), pseudonym=lambda worker: f"w-{worker}", **made.inputs(day)
    )
    return replace(known, **changed)


def files(found: DayTables) -> list[bytes]:
    return [
        write(frame, table)
        for table in schema.TABLES
        for frame in [found.frames()[table.name]]
        for write in (tables.to_parquet, tables.to_csv)
    ]


def assert_adds_up(found: DayTables) -> None:
    whole = found.summary[found.summary["level"] == "all"]
    for level in schema.LEVELS:
        rows = found.summary[found.summary["level"] == level]
        for name in schema.ADDITIVE:
            total = rows[name].astype(float).sum(min_count=1)
            assert total == pytest.approx(float(whole[name].astype(float).iloc[0]), nan_ok=True), (
                level,
                name,
            )
    for name in schema.ADDITIVE:
        fine = found.workers[name].astype(float).sum(min_count=1)
        assert fine == pytest.approx(float(whole[name].astype(float).iloc[0]), nan_ok=True), name


def test_finer_levels_add_up_to_coarser_ones_over_a_month(odd_month):
    for found in odd_month.tables:
        assert_adds_up(found)


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(keep=st.lists(st.integers(0, 10**9), min_size=1, max_size=30), metrics=st.booleans())
def test_finer_levels_add_up_to_coarser_ones_for_any_rows(made, keep, metrics):
    whole = inputs_of(made)
    activity = whole.activity.iloc[[number % len(whole.activity) for number in keep]]
    ledger = whole.ledger.iloc[[number % len(whole.ledger) for number in keep[::2]]]
    found = compute(
        replace(whole, activity=activity, ledger=ledger, workteam=whole.workteam if metrics else None)
    )
    assert_adds_up(found)


def test_the_order_of_the_inputs_changes_no_byte(made):
    inputs = inputs_of(made)
    random = np.random.default_rng(5)

    def shuffled(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.iloc[random.permutation(len(frame))]

    other = replace(
        inputs,
        activity=shuffled(inputs.activity),
        ledger=shuffled(inputs.ledger),
        workteam=shuffled(inputs.workteam),
        jobs=inputs.jobs[::-1],
    )
    assert files(compute(inputs)) == files(compute(other))
    assert files(compute(inputs)) != files(compute(replace(inputs, ledger=inputs.ledger.iloc[1:])))


def test_what_workers_are_called_changes_no_number(made):
    inputs = inputs_of(made)
    other = replace(inputs, pseudonym=lambda worker: f"w-{hash(worker) % 10**12:012d}")
    ours, theirs = compute(inputs), compute(other)
    for level in ("all", "team", "team_job", "task_type"):
        rows = [found.summary[found.summary["level"] == level] for found in (ours, theirs)]
        pd.testing.assert_frame_equal(*rows)
    numbers = [*schema.ADDITIVE, "seconds_median", "seconds_p90", "accuracy_low", "bins"]
    pair = [
        found.workers[numbers].astype(str).sort_values(numbers, ignore_index=True) for found in (ours, theirs)
    ]
    pd.testing.assert_frame_equal(*pair)
    assert ours.totals == theirs.totals


def test_deleted_workers_are_one_row(made):
    gone = {person.raw for person in made.people if person.team == "birds"}
    inputs = inputs_of(
        made,
        pseudonym=lambda worker: "forgotten" if worker in gone else f"w-{worker}",
        names=made.names,
    )
    found, before = compute(inputs), compute(inputs_of(made))
    rows = found.workers[found.workers["worker"] == "forgotten"]
    assert len(rows) == 2  # in each of the team's jobs
    assert set(rows["name"]) == {""}
    assert found.totals["submitted"] == before.totals["submitted"]
    others = found.workers[found.workers["worker"].str.startswith("w-")]
    assert set(others["name"]) <= set(made.names.values())
    assert not any(raw in body for raw in map(str.encode, gone) for body in files(found))
