"""Single days worked out by hand: measures, time at work, both counts of two sources, and bad input."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd  # noqa: TID253 (no DAG imports this)
import pytest

from groundswell.reports import schema
from groundswell.reports.day import DayInputs, DayTables, compute
from groundswell.reports.problems import Problem

DAY = date(2026, 10, 6)
NOON = datetime(2026, 10, 6, 12, tzinfo=UTC)


def event(kind: str, worker: str = "ann", *, at: Any = NOON, **more: Any) -> dict[str, Any]:
    known = {"team": "birds", "job": "boxes", "task_type": "bounding-box"}
    return {"source": "worker_activity", "kind": kind, "worker": worker, "at": at, **known, **more}


def answer(seconds: float = 10, worker: str = "bob", **more: Any) -> dict[str, Any]:
    known = {"source": "ledger", "team": "public", "job": "iris", "task_type": "classification"}
    money = {"paid": True, "rejected": False, "reward_cents": 5.0, "cost_cents": 6.0, "readable": True}
    return {**event("submitted", worker, seconds=seconds), **known, **money, **more}


def rows(*listed: dict[str, Any]) -> pd.DataFrame:
    names = dict.fromkeys(name for row in listed for name in row)
    # As objects, since pandas' own text type refuses what is no Unicode
    return pd.DataFrame({name: pd.Series([row.get(name) for row in listed], dtype=object) for name in names})


def metric(
    measure: str, value: Any, *, worker: str = "", team: str = "", job: str = "boxes"
) -> dict[str, Any]:
    named = {"day": DAY.isoformat(), "job": job, "team": team, "worker": worker, "dimensions": "x"}
    return {**named, "measure": measure, "value": value}


def day_of(*events: dict[str, Any], **more: Any) -> DayTables:
    fair_pay, complete = more.pop("fair_pay", None), more.pop("complete", True)
    if "workteam" in more:
        more["workteam"] = schema.WORKTEAM.frame({}) if not more["workteam"] else rows(*more["workteam"])
    log = [row for row in events if row["source"] != "ledger"]
    ledger = [row for row in events if row["source"] == "ledger"]
    inputs = DayInputs(
        day=DAY,
        zone=more.pop("zone", ZoneInfo("UTC")),
        pseudonym=lambda worker: f"w-{worker}",
        activity=rows(*log) if log else schema.ACTIVITY.empty(),
        ledger=rows(*ledger) if ledger else schema.ACTIVITY.empty(),
        **more,
    )
    return compute(inputs, fair_pay=fair_pay, complete=complete)


def at_level(found: DayTables, level: str, **keys: str) -> dict[str, Any]:
    part = found.summary[found.summary["level"] == level]
    for key, value in keys.items():
        part = part[part[key] == value]
    assert len(part) == 1
    return part.iloc[0].to_dict()


def worker_row(found: DayTables, worker: str) -> dict[str, Any]:
    part = found.workers[found.workers["worker"] == worker]
    assert len(part) == 1
    return part.iloc[0].to_dict()


def test_the_example_of_the_documentation():
    """14 tasks in 2.28 minutes are 9.78 seconds per task (9.77 of the rounded minutes)."""
    events = [event("submitted", seconds=12) for _ in range(14)]
    found = day_of(*events, workteam=[metric("active_seconds", 136.9, worker="ann")])
    row = worker_row(found, "w-ann")
    assert row["submitted"] == 14
    assert row["active_from"] == "metric"
    assert round(row["active_seconds"] / 60, 2) == 2.28
    assert round(row["seconds_per_task"], 2) == 9.78
    assert row["seconds_total"] == 168


def test_measures_by_hand():
    found = day_of(
        event("accepted"),
        event("accepted"),
        event("submitted", seconds=4),
        event("submitted", seconds=8),
        event("returned"),
        event("declined"),
        answer(10, agreed=True, right=0.9, gold_right=True, settles=True),
        answer(20, agreed=False, right=0.2, gold_right=None, settles=False),
        answer(30, agreed=None, right=None, paid=False, rejected=True, reward_cents=0.0, readable=False),
        answer(40, paid=False, reward_cents=0.0, cost_cents=0.0),
    )
    ann, bob, everyone = worker_row(found, "w-ann"), worker_row(found, "w-bob"), at_level(found, "all")
    assert [ann[name] for name in ("accepted", "submitted", "returned", "declined")] == [2, 2, 1, 1]
    assert (ann["active_seconds"], ann["active_from"], ann["seconds_median"]) == (12, "events", 6)
    assert ann["seconds_p90"] == pytest.approx(7.6)
    assert (ann["seconds_per_task"], ann["tasks_per_hour"]) == (6, 600)
    assert all(pd.isna(ann[name]) for name in ("judged", "agreement", "earned_cents", "machine_share"))
    assert pd.isna(bob["returned"])
    assert (bob["judged"], bob["agreed"], bob["agreement"]) == (2, 1, 0.5)
    assert (bob["right_expected"], bob["accuracy"]) == pytest.approx((1.1, 0.55))
    assert bob["accuracy_low"] < 0.55 < bob["accuracy_high"]
    assert (bob["gold_seen"], bob["gold_right"], bob["gold_score"]) == (1, 1, 1)
    # The answer that waits for its pay counts neither in time nor in money
    assert (bob["earned_cents"], bob["pay_seconds"], bob["pay_cents"]) == (10, 60, 10)
    assert bob["hourly_pay"] == pytest.approx(6.0)
    assert (bob["cost_cents"], bob["settled_labels"], bob["cost_per_label"]) == (18, 1, 0.18)
    assert (bob["rejected"], bob["unreadable"]) == (1, 1)
    # Pay per hour is that of paid work, whatever others did without pay
    assert everyone["hourly_pay"] == pytest.approx(6.0)
    assert (everyone["active_seconds"], everyone["active_tasks"]) == (112, 6)
    assert everyone["seconds_median"] == pytest.approx(15)
    assert found.totals["workers"] == 2
    assert found.totals["submitted"] == 6


def test_pay_per_hour_is_of_exactly_the_answers_whose_time_it_divides_by():
    found = day_of(
        answer(60, reward_cents=5.0),
        answer(None, reward_cents=5.0),  # paid, and nobody knows when it was accepted
        answer(120, paid=False, reward_cents=100.0),  # a bonus before it was decided
        answer(60, paid=False, rejected=True, reward_cents=0.0),
        answer(600, reward_cents=None),  # paid, and nobody knows what
        fair_pay=1000.0,
    )
    bob = worker_row(found, "w-bob")
    assert bob["earned_cents"] == 110
    assert (bob["pay_seconds"], bob["pay_cents"]) == (120, 5)
    assert bob["hourly_pay"] == pytest.approx(1.5)
    assert at_level(found, "all")["hourly_pay"] == pytest.approx(1.5)


def test_low_pay_is_of_the_same_answers():
    answers = [answer(60, reward_cents=5.0), *(answer(None, reward_cents=5.0) for _ in range(30))]
    found = day_of(*answers, fair_pay=15.0)
    assert found.anomalies["value"].tolist() == [3.0]


def test_a_task_of_unknown_time_has_no_part_in_time_per_task():
    known = [event("submitted", seconds=10) for _ in range(3)]
    unknown = [event("submitted", seconds=None), event("submitted", seconds=-5)]
    row = worker_row(day_of(*known, *unknown), "w-ann")
    assert (row["submitted"], row["active_tasks"], row["active_seconds"]) == (5, 3, 30)
    assert (row["seconds_per_task"], row["tasks_per_hour"]) == (10, 360)


def test_a_day_without_events():
    found = day_of(workteam=[])
    assert all(frame.empty for frame in found.frames().values())
    assert found.totals["submitted"] is None
    assert found.totals["workers"] == 0


def test_a_day_is_that_of_the_zone_also_when_it_has_25_hours():
    zone = ZoneInfo("Europe/Berlin")
    begin = datetime(2026, 10, 24, 22, tzinfo=UTC)  # summer time ends on this day
    moments = [begin - timedelta(seconds=1), begin, begin + timedelta(hours=25) - timedelta(seconds=1)]
    moments.append(begin + timedelta(hours=25))
    inputs = DayInputs(
        day=date(2026, 10, 25),
        zone=zone,
        pseudonym=str,
        activity=rows(*(event("submitted", at=at, seconds=1) for at in moments)),
    )
    found = compute(inputs)
    assert found.totals["submitted"] == 2
    assert found.problems.empty


# Time at work ----------------------------------------------------------------------------------------


def test_time_by_the_metric_is_of_the_tasks_that_the_metric_counts():
    """Both are told by the same source; what the log lost does not make tasks look slow."""
    events = [event("submitted", seconds=12) for _ in range(10)]
    spent, count = metric("active_seconds", 136.9, worker="ann"), metric("submitted", 14, worker="ann")
    for given in ({"workteam": [spent, count]}, {"workteam": [spent, count | {"team": "birds"}]}):
        row = worker_row(day_of(*events, **given), "w-ann")
        assert (row["submitted"], row["active_tasks"]) == (10, 14)
        assert round(row["seconds_per_task"], 2) == 9.78
    alone = worker_row(day_of(workteam=[spent, count]), "w-ann")
    assert (alone["active_tasks"], round(alone["seconds_per_task"], 2)) == (14, 9.78)
    assert pd.isna(alone["submitted"])
    untimed = worker_row(day_of(*(event("submitted") for _ in range(14)), workteam=[spent]), "w-ann")
    assert (untimed["active_tasks"], round(untimed["seconds_per_task"], 2)) == (14, 9.78)


def test_tasks_of_a_teams_time_are_those_of_its_metric():
    found = day_of(
        *(event("submitted", worker, seconds=12) for worker in ("ann", "eve") for _ in range(5)),
        workteam=[metric("active_seconds", 136.9, team="birds"), metric("submitted", 14, team="birds")],
    )
    team, rest = at_level(found, "team", team="birds"), worker_row(found, "")
    assert (team["active_seconds"], team["active_tasks"], team["active_from"]) == (136.9, 14, "metric")
    assert round(team["seconds_per_task"], 2) == 9.78
    assert (rest["active_tasks"], rest["active_by_events"], rest["active_from"]) == (4, -120, "rest")
    assert pd.isna(rest["seconds_per_task"])
    assert pd.isna(rest["tasks_per_hour"])
    assert (worker_row(found, "w-ann")["active_from"], worker_row(found, "w-ann")["active_tasks"]) == (
        "events",
        5,
    )


def test_a_team_whose_total_is_that_of_its_events_is_told_by_the_metric():
    found = day_of(event("submitted", seconds=10), workteam=[metric("active_seconds", 10, team="birds")])
    assert at_level(found, "team", team="birds")["active_from"] == "metric"
    assert at_level(found, "team", team="birds")["active_tasks"] == 1


def test_where_time_is_from_when_events_name_no_worker():
    anonymous, job = event("submitted", "", seconds=10), event("submitted", "", seconds=7, job="other")
    total = metric("active_seconds", 6)
    alone = day_of(anonymous, job, workteam=[total])
    assert at_level(alone, "job", job="boxes")["active_from"] == "metric"
    part = alone.workers[alone.workers["job"] == "boxes"].iloc[0]
    assert (part["worker"], part["active_seconds"], part["active_from"]) == ("", 6, "metric")
    assert at_level(alone, "job", job="other")["active_from"] == "events"
    assert at_level(alone, "all")["active_from"] == "mixed"
    both = day_of(anonymous, event("submitted", "ann", seconds=20), workteam=[total])
    assert (worker_row(both, "")["active_seconds"], worker_row(both, "")["active_from"]) == (-14, "rest")
    assert at_level(both, "job", job="boxes")["active_from"] == "metric"


def test_a_workers_metric_replaces_only_that_workers_events():
    found = day_of(
        event("submitted", "ann", seconds=10),
        event("submitted", "eve", seconds=20),
        workteam=[metric("active_seconds", 7, worker="ann")],
    )
    assert worker_row(found, "w-ann")["active_seconds"] == 7
    assert worker_row(found, "w-eve")["active_seconds"] == 20
    job = at_level(found, "job", job="boxes")
    assert (job["active_seconds"], job["active_from"]) == (27, "mixed")


@pytest.mark.parametrize("workers", [["ann"], ["ann", "eve"]])
def test_a_teams_total_is_never_shared_out(workers):
    found = day_of(
        *(event("submitted", worker, seconds=10) for worker in workers),
        workteam=[metric("active_seconds", 6, team="birds")],
    )
    assert [worker_row(found, f"w-{worker}")["active_seconds"] for worker in workers] == [10] * len(workers)
    rest = worker_row(found, "")
    assert (rest["active_seconds"], rest["active_from"]) == (6 - 10 * len(workers), "rest")
    assert (rest["team"], rest["job"]) == ("birds", "boxes")
    assert pd.isna(rest["submitted"])
    assert at_level(found, "team", team="birds")["active_seconds"] == 6


def test_time_of_a_worker_without_events_is_kept():
    found = day_of(
        event("submitted", "ann", seconds=10),
        workteam=[metric("active_seconds", n, worker=w) for n, w in ((9, "ann"), (5, "late"))],
    )
    late = worker_row(found, "w-late")
    assert late["active_seconds"] == 5
    assert pd.isna(late["submitted"])
    assert pd.isna(late["seconds_per_task"])
    assert at_level(found, "all")["active_seconds"] == 14


def test_a_coarser_total_sees_what_finer_ones_have_put_in():
    found = day_of(
        event("submitted", "ann", seconds=10),
        event("submitted", "eve", seconds=4, job="other"),
        workteam=[
            metric("active_seconds", 9, worker="ann", team="birds"),
            metric("active_seconds", 5, worker="late", team="birds"),
            metric("submitted", 2, worker="late", team="birds"),
            metric("active_seconds", 6, worker="later", team="birds"),
            metric("active_seconds", 30, team="birds", job=""),
        ],
    )
    team = at_level(found, "team", team="birds")
    assert (team["active_seconds"], team["active_by_events"], team["active_from"]) == (30, 0, "metric")
    assert worker_row(found, "")["active_seconds"] == 30 - 9 - 5 - 6 - 4
    assert (team["active_tasks"], worker_row(found, "w-late")["active_tasks"]) == (4, 2)


def test_workers_whom_no_event_names_are_not_counted_twice():
    found = day_of(
        event("submitted", "ann", seconds=10),
        workteam=[metric("active_seconds", 9, worker="other-id-of-ann")],
    )
    assert at_level(found, "all")["active_seconds"] == 9
    assert list(found.problems["kind"]) == ["metric names workers whom no event names"]


# Sources ---------------------------------------------------------------------------------------------


def counts(found: DayTables, measure: str) -> list[tuple[Any, ...]]:
    part = found.sources[found.sources["measure"] == measure]
    columns = part[["team", "job", "worker", "by_events", "by_metric", "difference"]]
    return [tuple(None if pd.isna(cell) else cell for cell in row) for row in columns.itertuples(index=False)]


def test_both_counts_and_the_difference_are_shown():
    found = day_of(
        *(event("submitted", "ann", seconds=1) for _ in range(5)),
        *(event("submitted", "eve", seconds=1) for _ in range(2)),
        event("submitted", "zoe", seconds=1, team="forms", job="texts"),
        answer(),
        workteam=[
            metric("submitted", 4, worker="ann"),
            metric("submitted", 1, worker="only-metric"),
            metric("declined", 3, worker="ann"),
        ],
    )
    assert counts(found, "submitted") == [
        ("birds", "boxes", "", 7, 5, 2),
        ("birds", "boxes", "w-ann", 5, 4, 1),
        ("forms", "texts", "", 1, None, None),
    ]
    assert counts(found, "declined") == [
        ("birds", "boxes", "", 0, 3, -3),
        ("birds", "boxes", "w-ann", 0, 3, -3),
    ]


def test_a_worker_of_two_teams_is_compared_where_the_metrics_have_that_worker():
    """Who is in both teams is named without a team: nothing is missing in either."""
    names = ("ann", "bo", "cy")
    found = day_of(
        event("submitted", "ann", seconds=10),
        event("submitted", "bo", seconds=20),
        event("submitted", "bo", seconds=30, team="cats"),
        event("submitted", "cy", seconds=5, team="cats"),
        workteam=[
            metric("submitted", count, worker=name, team=team)
            for name, count, team in zip(names, (1, 2, 1), ("birds", "", "cats"), strict=True)
        ],
    )
    assert counts(found, "submitted") == [
        ("", "boxes", "", 2, 2, 0),
        ("", "boxes", "w-bo", 2, 2, 0),
        ("birds", "boxes", "", 1, 1, 0),
        ("birds", "boxes", "w-ann", 1, 1, 0),
        ("cats", "boxes", "", 1, 1, 0),
        ("cats", "boxes", "w-cy", 1, 1, 0),
    ]


def test_events_without_times_tell_no_time():
    found = day_of(event("submitted"), workteam=[metric("active_seconds", 8, worker="ann")])
    assert counts(found, "active_seconds") == [
        ("birds", "boxes", "", None, 8, None),
        ("birds", "boxes", "w-ann", None, 8, None),
    ]
    both = day_of(
        event("submitted"),
        event("submitted", "eve", seconds=10),
        workteam=[metric("active_seconds", 8, worker=worker) for worker in ("ann", "eve")],
    )
    assert counts(both, "active_seconds")[0] == ("birds", "boxes", "", 10, 16, -6)


def test_metrics_alone_and_no_metrics_at_all():
    found = day_of(workteam=[metric("submitted", 4, team="birds")])
    assert counts(found, "submitted") == [("birds", "boxes", "", None, 4, None)]
    assert day_of(event("submitted", seconds=1)).sources.empty


# Labels of labeling jobs -----------------------------------------------------------------------------


def test_labels_of_jobs_belong_to_no_worker():
    jobs = [
        {"day": DAY.isoformat(), "job": "boxes", "human_labels": 3, "machine_labels": 1},
        {"day": "2026-10-05", "job": "boxes", "human_labels": 100, "machine_labels": 1},
        {"job": "broken", "human_labels": -1, "machine_labels": 2},
        {"job": "broken", "human_labels": "many"},
        {"job": "idle", "human_labels": None, "machine_labels": float("nan")},
    ]
    found = day_of(event("submitted", seconds=5), answer(settles=True), jobs=jobs)
    row = worker_row(found, "")
    assert (row["team"], row["job"], row["task_type"]) == ("birds", "boxes", "bounding-box")
    assert (row["human_labels"], row["machine_labels"], row["machine_share"]) == (3, 1, 0.25)
    assert at_level(found, "all")["machine_share"] == pytest.approx(1 / 5)
    assert list(found.problems["count"]) == [2]


def test_labels_of_a_job_of_two_teams_are_not_given_to_one_of_them():
    events = [event("submitted", team=team, task_type=kind) for team, kind in (("a", "x"), ("b", ""))]
    label = {"day": DAY.isoformat(), "job": "boxes", "human_labels": 3}
    row = worker_row(day_of(*events, jobs=[label]), "")
    assert (row["team"], row["task_type"], row["human_labels"]) == ("", "x", 3)
    row = worker_row(day_of(*events, jobs=[label | {"team": "b", "task_type": "y"}]), "")
    assert (row["team"], row["task_type"], row["human_labels"]) == ("b", "y", 3)


# Bad input -------------------------------------------------------------------------------------------


def test_bad_rows_are_counted_and_never_fatal():
    found = day_of(
        event("submitted", seconds=-5),
        event("submitted", seconds=float("inf")),
        event("submitted", seconds="soon"),
        event("teleported"),
        event("submitted", at=None, seconds=3),
        event("submitted", worker="", seconds=3),
        event("submitted", worker="a\ud800", seconds=3),
        event("submitted", job="=HYPERLINK(1)" * 99, seconds=3),
        answer(right=1.5, agreed=True, reward_cents=-1.0),
        problems=[Problem("not JSON", 2, "{", "Look at it.", "worker_activity", DAY)],
        workteam=[
            metric("submitted", float("nan"), worker="ann"),
            metric("active_seconds", -3, worker="ann"),
        ],
    )
    kinds = dict(zip(found.problems["kind"], found.problems["count"], strict=True))
    assert kinds == {
        "not JSON": 2,
        "seconds cannot be": 3,
        "unknown kind of event": 1,
        "event without time": 1,
        "event without worker": 1,
        "right cannot be": 1,
        "reward_cents cannot be": 1,
        "metric cannot be": 2,
    }
    assert found.totals["submitted"] == 7
    assert found.totals["seconds_total"] == 19
    assert found.workers["job"].str.len().max() == 200
    bob = worker_row(found, "w-bob")
    assert (bob["right_expected"], bob["agreed"]) == (1, 1)
    assert pd.isna(bob["earned_cents"])


@pytest.mark.filterwarnings("error")
def test_tasks_that_took_no_time_at_all():
    found = day_of(*(event("submitted", worker, seconds=0) for worker in "abcde" for _ in range(25)))
    row = at_level(found, "all")
    assert (row["active_seconds"], row["active_tasks"], row["active_from"]) == (0, 125, "events")
    assert pd.isna(row["seconds_per_task"])
    assert pd.isna(row["tasks_per_hour"])
    assert found.anomalies.empty


def test_columns_that_are_not_there():
    activity = pd.DataFrame({"kind": ["submitted"], "at": [NOON], "worker": ["ann"]})
    found = compute(DayInputs(day=DAY, zone=ZoneInfo("UTC"), pseudonym=str, activity=activity))
    row = found.workers.iloc[0]
    assert (row["source"], row["team"], row["job"]) == ("worker_activity", "unknown", "unknown")
    assert row["submitted"] == 1
    assert np.isnan(row["seconds_median"])
