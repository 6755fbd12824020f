"""Bins and periods: medians within their error, exact where one day tells them, buckets of weeks."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd  # noqa: TID253 (no DAG imports this)
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.reports import bins, schema, trends
from groundswell.reports.period import Period, without_workers


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0.01, 1e6)), min_size=1, max_size=60),
    st.floats(0, 1),
)
def test_a_quantile_through_bins_is_off_by_less_than_its_error(values, q):
    group = np.array([group for group, _ in values], np.int64)
    seconds = np.array([value for _, value in values])
    histogram = bins.parse(bins.of(seconds, group).texts(4))  # also through the text
    found = histogram.quantile(q, 4)
    order = np.lexsort((seconds, group))
    exact = bins.exact(seconds[order], group[order], q, 4)
    for number in range(4):
        mine = seconds[group == number]
        if not len(mine):
            assert np.isnan(found[number])
            assert np.isnan(exact[number])
            continue
        assert exact[number] == pytest.approx(np.quantile(mine, q))
        assert found[number] == pytest.approx(exact[number], rel=bins.ERROR * 1.001)


def test_edges_of_bins():
    seconds = np.array([0.0, 0.0099, 0.01, 0.0101, 0.01021])
    assert bins.index(seconds).tolist() == [0, 0, 1, 1, 2]
    assert bins.middle(np.array([0]))[0] == 0


@pytest.mark.parametrize("text", ["1", "1:2:3", "a:b", "-1:4", "1:2 x:3", "9" * 40 + ":1"])
def test_text_that_is_no_histogram_holds_nothing(text):
    assert bins.parse([text, "5:2"]).texts(2) == ["", "5:2"]


def test_merged_days_are_the_histogram_of_all_values():
    random = np.random.default_rng(1)
    seconds, zeros = random.lognormal(2, 1, 500), np.zeros(500, np.int64)
    parts = bins.parse([bins.of(part, zeros[: len(part)]).texts(1)[0] for part in np.split(seconds, 5)])
    merged = parts.regrouped(np.zeros(5, np.int64))
    assert merged.texts(1) == bins.of(seconds, zeros).texts(1)


@pytest.fixture(scope="module")
def period(month) -> Period:
    return Period([found.workers for found in month.tables], [found.summary for found in month.tables])


def test_a_single_day_is_exact_at_every_level(month, period):
    rows = pd.concat([found.summary for found in month.tables])
    for level, keys in schema.LEVELS.items():
        wanted = rows[rows["level"] == level].sort_values(["day", *keys], ignore_index=True)
        found = period.by("day", *keys)
        names = ["day", *keys, *(column.name for column in schema.MEASURES)]
        pd.testing.assert_frame_equal(found[names], wanted[names])


def test_filters_and_a_single_day_together_are_exact(month, period):
    found = period.filtered(team="birds").by("day", "job").set_index(["day", "job"])["seconds_median"]
    for tables in month.tables:
        rows = tables.summary[(tables.summary["level"] == "team_job") & (tables.summary["team"] == "birds")]
        for row in rows.itertuples():
            assert found.get((row.day, row.job)) == pytest.approx(row.seconds_median, nan_ok=True)


def test_filters_choose_rows(month, period):
    two = period.filtered(team=["birds", "forms"], job=None)
    assert two.values("team") == ["birds", "forms"]
    assert len(two) + len(period.filtered(team="public")) == len(period)
    assert len(period.filtered(team="birds").filtered(team="forms")) == 0
    first, last = month.made.days[3], month.made.days[5]
    assert period.between(first, last).days == [day.isoformat() for day in month.made.days[3:6]]
    with pytest.raises(ValueError, match="'colour'"):
        period.filtered(colour="red")
    with pytest.raises(ValueError, match="'colour'"):
        period.by("colour")


def test_weeks_begin_on_monday_also_at_new_year():
    assert trends.bucket(date(2026, 12, 31), "week") == ("2026-W53", date(2026, 12, 28))
    assert trends.bucket(date(2027, 1, 3), "week") == ("2026-W53", date(2026, 12, 28))
    assert trends.bucket(date(2027, 1, 4), "week") == ("2027-W01", date(2027, 1, 4))
    listed = list(trends.buckets(date(2026, 12, 31), date(2027, 1, 4), "week"))
    assert [name for name, _ in listed] == ["2026-W53", "2027-W01"]


def test_a_trend_has_every_bucket_and_leaves_gaps_empty(month, period):
    daily = period.trend("worker", "submitted")
    people = period.values("worker")
    assert len(daily) == len(month.made.days) * (len(people) + 1)  # and what belongs to nobody
    counted = daily.groupby("bucket")["value"].sum()
    assert counted.sum() == period.by()["submitted"].iloc[0]
    assert daily["value"].isna().any()
    weekly = period.trend(None, "submitted", "week")
    assert list(weekly["start"].str[-2:]) == ["05", "12", "19", "26", "02"]
    assert weekly["value"].sum() == counted.sum()


def test_nothing_gives_empty_tables():
    nothing = Period([])
    assert nothing.days == []
    assert nothing.by().empty
    assert list(nothing.by("team").columns[:2]) == ["team", "accepted"]
    assert list(nothing.trend("team", "submitted").columns) == ["bucket", "start", "team", "value"]


def test_rows_without_workers_tell_the_same_of_teams(period):
    rows = without_workers(period.rows)
    assert set(rows["worker"]) == {""}
    assert list(rows.columns) == schema.WORKERS.names
    whole = Period([period.rows])
    pd.testing.assert_frame_equal(Period([rows]).by("team"), whole.by("team"))


def test_names_are_those_of_the_last_day():
    made = [
        schema.WORKERS.frame({"day": [day], "worker": ["w-1"], "name": [name], "submitted": [2]})
        for day, name in (("2026-10-05", "Ann Old"), ("2026-10-06", "Ann New"), ("2026-10-07", ""))
    ]
    found = Period(made).by("worker")
    assert (found["name"].iloc[0], found["submitted"].iloc[0]) == ("Ann New", 6)
    assert date(2026, 10, 5) + timedelta(days=2) == date.fromisoformat(Period(made).days[-1])
