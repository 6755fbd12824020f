"""Collecting: a source that is not there is recorded, what was known is not lost, and errors are told."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from groundswell.aws.reporting import activity, collecting, directory, jobs, workteam
from groundswell.aws.reporting.inputs import Inputs
from groundswell.reports import schema
from groundswell.reports.activity import Parsed
from groundswell.reports.problems import Problem
from tests.groundswell.aws.reporting.private_days import (
    DAY,
    NEXT_MORNING,
    POOL,
    SUBS,
    entry,
    events,
    reports_in,
)

DAYS = [entry(DAY - timedelta(days=1)), entry(DAY)]


def problem(kind: str, day: date | None = None) -> Problem:
    return Problem(kind, 1, "example", "do this", "some source", day)


def test_events_go_to_their_days_and_those_of_other_days_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def pull(hook: Any, log_group: str, first: date, last: date, zone: Any, *, late_days: int) -> Any:
        assert late_days == 3
        asked.append((log_group, first, last))
        for day in (DAY - timedelta(days=1), DAY, DAY + timedelta(days=1)):
            yield Parsed(events(day, ("ann", 1, 9.0), ("bob", 2, 9.0)), [problem("too late", day)])

    monkeypatch.setattr(activity, "pull", pull)
    reports = reports_in(tmp_path)
    said = collecting.collect_activity(reports, DAYS)
    assert said == {"new": {"2026-11-01": 2, "2026-11-02": 2}}
    [(log_group, first, last)] = asked
    assert log_group.endswith("/WorkerActivity")
    assert (first, last) == (DAY - timedelta(days=1), NEXT_MORNING.date()), "late ones may be in today's log"
    inputs = Inputs.of(reports)
    assert inputs.days() == [DAY - timedelta(days=1), DAY]
    assert [(each.kind, each.day) for each in inputs.problems(DAY)] == [("too late", DAY)]
    assert inputs.states(DAY) == {"worker_activity": "read"}
    assert collecting.collect_activity(reports, DAYS) == {"new": {}}


def test_late_events_that_no_run_was_in_time_for_are_counted_where_they_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two of one day, which came four days later, one was there before that morning's run, one not."""
    own = DAY - timedelta(days=4)
    both = events(own, ("ann", 1, 9.0), ("bob", 2, 9.0))
    parsed = Parsed(events(DAY, ("ann", 1, 9.0)), [], {DAY: both})
    monkeypatch.setattr(activity, "pull", lambda *_, **__: iter([parsed]))
    reports = reports_in(tmp_path)
    inputs = Inputs.of(reports)
    inputs.add_activity(own, both[:1])
    for _ in range(2):  # whatever window a run has, and however often it is tried
        collecting.collect_activity(reports, DAYS)
        assert [(each.kind, each.count, each.example) for each in inputs.problems(DAY)] == [
            ("too late", 1, "an event of 2026-10-29")
        ]
    assert len(inputs.activity(own)) == 1, "its day is not written any more"
    collecting.collect_activity(reports, DAYS[:1])
    assert len(inputs.problems(DAY)) == 1, "a run of other days does not touch it"


def test_a_log_group_that_is_not_there_is_told_of_every_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = Parsed(schema.ACTIVITY.empty(), [problem("no log group", DAY)])
    monkeypatch.setattr(activity, "pull", lambda *_, **__: iter([nothing]))
    reports = reports_in(tmp_path)
    collecting.collect_activity(reports, DAYS)
    for day in (DAY - timedelta(days=1), DAY):
        assert Inputs.of(reports).states(day) == {"worker_activity": "absent"}
        assert [each.kind for each in Inputs.of(reports).problems(day)] == ["no log group"]


def test_sources_that_are_off_are_asked_nothing(tmp_path: Path) -> None:
    off = "sources: {worker_activity: null, workteam: null, labeling_jobs: null, cognito: false}"
    reports = reports_in(tmp_path, off)
    for collect in (
        collecting.collect_activity,
        collecting.collect_workteam,
        collecting.collect_jobs,
        collecting.collect_ledgers,
        collecting.collect_names,
    ):
        collect(reports, DAYS)
    states = Inputs.of(reports).states(DAY)
    assert set(states) == {"worker_activity", "workteam", "labeling_jobs", "ledger", "cognito"}
    assert set(states.values()) == {"off"}


def point(worker: str) -> Any:
    dimensions = {"LabelingJob": "iris", "WorkerId": worker}
    return {"metric": "TasksSubmitted", "dimensions": dimensions, "at": 0, "period": 3600, "sum": 1.0}


def test_metrics_that_cloudwatch_no_longer_has_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {DAY - timedelta(days=1): ([point("a")], []), DAY: ([point("b")], [])}
    monkeypatch.setattr(workteam, "pull", lambda *_, **__: answers)
    reports = reports_in(tmp_path)
    assert collecting.collect_workteam(reports, DAYS) == {"points": 2}
    answers[DAY] = ([], [problem("resolution not kept", DAY)])
    answers[DAY - timedelta(days=1)] = ([point("c")], [])
    collecting.collect_workteam(reports, DAYS)
    inputs = Inputs.of(reports)
    assert inputs.workteam(DAY) == [point("b")]
    assert inputs.problems(DAY) == []
    assert inputs.workteam(DAY - timedelta(days=1)) == [point("c")]
    assert inputs.states(DAY) == {"workteam": "read"}


def test_metrics_that_cloudwatch_did_not_give_this_time_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: dict[date, Any] = {day: ([], []) for day in (DAY - timedelta(days=1), DAY)}
    answers[DAY] = ([point("a"), point("b")], [])
    monkeypatch.setattr(workteam, "pull", lambda *_, **__: answers)
    reports = reports_in(tmp_path)
    collecting.collect_workteam(reports, DAYS)
    late = point("b") | {"sum": 2.0}
    answers[DAY] = ([late], [problem(workteam.NOT_ANSWERED, DAY)])
    collecting.collect_workteam(reports, DAYS)
    inputs = Inputs.of(reports)
    assert sorted(inputs.workteam(DAY), key=str) == sorted([point("a"), late], key=str)
    assert [each.kind for each in inputs.problems(DAY)] == [workteam.NOT_ANSWERED]


def test_counts_of_jobs_that_cannot_be_read_any_more_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"job": "iris", "status": "InProgress", "machine_labels": 7}
    answers: dict[date, Any] = {day: ([], []) for day in (DAY - timedelta(days=1), DAY)}
    answers[DAY] = ([row], [])
    monkeypatch.setattr(jobs, "pull", lambda *_, **__: answers)
    reports = reports_in(tmp_path)
    assert collecting.collect_jobs(reports, DAYS) == {"jobs": 1}
    answers[DAY] = ([{**row, "status": "Gone", "machine_labels": None}], [])
    collecting.collect_jobs(reports, DAYS)
    assert Inputs.of(reports).jobs(DAY) == [{**row, "status": "Gone"}]
    assert Inputs.of(reports).states(DAY - timedelta(days=1)) == {"labeling_jobs": "absent"}


@pytest.mark.parametrize("shown", [True, False])
def test_names_are_kept_only_where_they_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: bool
) -> None:
    def pull(hook: Any, pools: Any) -> Any:
        [(pool, subs)] = pools.items()
        assert (pool, subs) == (POOL, {SUBS["ann"], SUBS["bob"], SUBS["cyd"]})
        gone = Problem("no longer in the pool", 1, "<pool>", "nothing", "cognito")
        return {SUBS[name]: {"name": name.title(), "pool": pool} for name in ("ann", "bob")}, [gone]

    monkeypatch.setattr(directory, "pull", pull)
    reports = reports_in(tmp_path, "names: shown" if shown else "")
    inputs = Inputs.of(reports)
    inputs.add_activity(DAY, events(DAY, ("ann", 1, 9.0), ("cyd", 2, 9.0)))
    inputs.add_activity(DAY - timedelta(days=1), events(DAY - timedelta(days=1), ("bob", 1, 9.0)))
    inputs.put_names({"old": "Old"}, DAY)
    collecting.collect_names(reports, DAYS)
    assert inputs.names() == ({"old": "Old", SUBS["ann"]: "Ann", SUBS["bob"]: "Bob"} if shown else {})
    assert [(each.kind, each.count) for each in inputs.problems(DAY)] == [("no longer in the pool", 1)]
    assert inputs.problems(DAY - timedelta(days=1)) == [], "who worked on another day is not missing on this"


def test_batch_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    reports = reports_in(tmp_path, "sources: {batches: batches}")
    collecting.collect_ledgers(reports, DAYS)
    inputs = Inputs.of(reports)
    assert inputs.states(DAY) == {"ledger": "absent"}
    assert [each.kind for each in inputs.problems(DAY)] == ["no batch files"]
    (tmp_path / "batches").mkdir()
    (tmp_path / "batches/broken.yaml").write_text("name: [")
    assert collecting.collect_ledgers(reports, DAYS) == {"rows": 0}
    assert inputs.states(DAY) == {"ledger": "read"}
    assert [(each.kind, each.example) for each in inputs.problems(DAY)] == [
        ("broken batch file", "broken.yaml")
    ]
