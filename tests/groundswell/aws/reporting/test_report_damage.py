"""What was kept of a day is damaged: its source is read again if it still tells that; the day says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from groundswell.aws.reporting import activity, collecting, jobs, ledgers, workteam
from groundswell.aws.reporting.damage import DamagedInput
from groundswell.aws.reporting.forgetting import forget
from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.ledgers import Pulled
from groundswell.aws.reporting.marks import Marks
from groundswell.aws.reporting.opening import Reports
from groundswell.aws.reporting.reporting import days_to_write, report_day
from groundswell.reports.activity import Parsed
from groundswell.reports.html import render
from tests.groundswell.aws.reporting.private_days import (
    DAY,
    NEXT_MORNING,
    SUBS,
    entry,
    events,
    reports_in,
    usual,
)

LATER = NEXT_MORNING + timedelta(days=60)
POINT: Any = {
    "metric": "TasksSubmitted",
    "dimensions": {"LabelingJob": "iris", "WorkerId": "x"},
    "at": 0,
    "period": 3600,
    "sum": 9.0,
}
ALL = {"activity": "worker_activity", "ledger": "ledger", "workteam": "workteam", "jobs": "labeling_jobs"}
BREAK: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda body: body[: len(body) // 2],
    "emptied": lambda body: b"",
    "garbled": lambda body: body[:9] + b"?" + body[10:],
}


class Sources:
    """What the sources say of the day; each can have forgotten it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.gone: set[str] = set()
        self.events = usual(DAY)
        patch.setattr(activity, "pull", self._activity)
        patch.setattr(ledgers, "pull", self._ledger)
        patch.setattr(workteam, "pull", lambda *_, **__: {DAY: (self._rows("workteam", POINT), [])})
        job = {"job": "iris", "team": "flowers", "human_labels": 7, "machine_labels": 1}
        patch.setattr(jobs, "pull", lambda *_, **__: {DAY: (self._rows("jobs", job), [])})

    def _rows(self, name: str, row: Any) -> list[Any]:
        return [] if name in self.gone else [row]

    def _activity(self, *_: Any, **__: Any) -> Any:
        return iter([] if "activity" in self.gone else [Parsed(self.events, [])])

    def _ledger(self, *_: Any, **__: Any) -> Pulled:
        rows = events(DAY, ("ann", 700, 5.0)).assign(source="ledger", job="own", run="r")
        return Pulled({DAY: rows}, listed={"own"}, read={("own", "r")})


def collect(reports: Reports, some: list[dict[str, Any]]) -> None:
    for step in (
        collecting.collect_activity,
        collecting.collect_ledgers,
        collecting.collect_workteam,
        collecting.collect_jobs,
    ):
        step(reports, some)


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Sources:
    return Sources(monkeypatch)


@pytest.fixture
def reports(tmp_path: Path, sources: Sources, monkeypatch: pytest.MonkeyPatch) -> Reports:
    monkeypatch.setattr(render, "render_day", lambda *_: "")
    reports = reports_in(tmp_path, "sources: {cognito: false, batches: .}")
    collect(reports, [entry(DAY)])
    assert report_day(reports, entry(DAY))["totals"]["submitted"] == 10
    return reports


def damaged(reports: Reports, name: str, how: str = "cut") -> tuple[str, bytes]:
    """Damage what is kept under a name; return where that is, and what is left of it."""
    [key] = reports.private.keys(f"inputs/{DAY}/{name}/")
    body = BREAK[how](reports.private.get(key) or b"")
    reports.private.put(key, body)
    return key, body


def shown(reports: Reports) -> list[tuple[str, int]]:
    rows = reports.store.table(DAY, "problems")
    rows = rows[rows["kind"] == "damaged input"]
    return list(zip(rows["source"], rows["count"].astype(int), strict=True))


@pytest.mark.parametrize(
    ("name", "how", "due"),
    [*((name, "cut", due) for name in ALL for due in (True, False)), ("ledger", "emptied", True)]
    + [("activity", how, False) for how in ("emptied", "garbled")],
)
def test_it_is_read_again_and_told(reports: Reports, name: str, how: str, due: bool) -> None:
    """Also of a day of which only the ledgers are read: the others are asked for it."""
    key, body = damaged(reports, name, how)
    some = [entry(DAY, LATER) | {"extra": not due}]
    collect(reports, some)
    if name != "activity":  # of events it shows to whoever has another reason to read them
        assert days_to_write(reports, [*some, *some]) == [*some, *some], "it has to be looked at"
    result = report_day(reports, some[0])
    assert result["totals"]["submitted"] == 10
    assert shown(reports) == [(ALL[name], 1)]
    kept = [reports.private.get(each) for each in reports.private.keys(f"inputs/{DAY}/quarantine/")]
    assert kept == [body], "nothing is lost"
    again = report_day(reports, some[0])
    assert again["revision"] == result["revision"] == 2
    assert reports.private.get(key) != body


@pytest.mark.parametrize("other", ["ledger", "workteam", "jobs"])
def test_two_that_are_damaged_are_both_read_again(reports: Reports, other: str) -> None:
    """Events first, which tell what to ask the metrics and jobs for."""
    for name in ("activity", other):
        damaged(reports, name)
    assert report_day(reports, entry(DAY, LATER) | {"extra": True})["totals"]["submitted"] == 10
    assert sorted(shown(reports)) == sorted([("worker_activity", 1), (ALL[other], 1)])


def test_what_an_older_reading_left_stays_while_the_newer_is_damaged(tmp_path: Path) -> None:
    reports, folder = reports_in(tmp_path), f"inputs/{DAY}/jobs"
    reports.private.put(f"{folder}.json", b"[]")
    newer = f"{folder}/{1:015d}-{'0' * 16}.json"
    reports.private.put(newer, b"[{")
    with pytest.raises(DamagedInput, match=newer):
        Inputs.of(reports).forget(DAY)
    assert sorted(reports.private.keys(folder)) == [f"{folder}.json", newer]
    reports.private.remove(newer)
    assert Inputs.of(reports).jobs(DAY) == []


@pytest.mark.parametrize("name", sorted(ALL.keys() - {"ledger"}))
def test_what_the_source_does_not_tell_any_more_is_one_clear_error(
    reports: Reports, sources: Sources, name: str
) -> None:
    sources.gone = {name}
    states = Inputs.of(reports).states(DAY)
    key, body = damaged(reports, name)
    for extra in (False, True):
        some = [entry(DAY, LATER) | {"extra": extra}]
        collect(reports, some)
        with pytest.raises(DamagedInput) as wrong:
            report_day(reports, some[0])
        assert reports.private.uri(key) in str(wrong.value)
        assert "Restore the object from a version or backup of the bucket" in str(wrong.value)
        assert f"from_day and to_day {DAY}" in str(wrong.value)
    assert reports.private.get(key) == body, "it is where it was"
    assert Inputs.of(reports).states(DAY) == states, "and so is what was told of its reading"
    assert (reports.store.current(DAY) or {})["revision"] == 1


def test_other_days_are_written(reports: Reports, sources: Sources) -> None:
    sources.gone = {"activity"}
    damaged(reports, "activity")
    other = DAY - timedelta(days=1)
    Inputs.of(reports).add_activity(other, usual(other))
    some = [entry(day, LATER) for day in (other, DAY)]
    collecting.collect_activity(reports, some)
    assert [each["day"] for each in days_to_write(reports, some)] == [str(other), str(DAY)]
    assert report_day(reports, some[0])["totals"]["submitted"] == 9


def test_a_ledger_that_cannot_be_read_in_whole_mends_nothing(
    reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, body = damaged(reports, "ledger")
    pull = ledgers.pull

    def broken(*args: Any, **more: Any) -> Pulled:
        found = pull(*args, **more)
        found.failed = [(None, {"r"})]  # type: ignore[list-item]
        return found

    with monkeypatch.context() as patched:
        patched.setattr(ledgers, "pull", broken)
        patched.setattr(Marks, "failed", lambda *_: None)
        with pytest.raises(DamagedInput, match=key):
            report_day(reports, entry(DAY, LATER))
    assert reports.private.get(key) == body
    assert report_day(reports, entry(DAY, LATER))["revision"] == 2


def test_a_run_that_is_read_again_for_one_day_is_not_noted_as_read(
    reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run of the reports may not have read it for the other days."""
    damaged(reports, "ledger")
    noted: list[str] = []
    batch: Any = SimpleNamespace(state="s3://b", name="own")
    pull = ledgers.pull
    monkeypatch.setattr(ledgers, "pull", lambda *_, **__: replace(pull(), whole=[(batch, {"r"})]))  # type: ignore[call-arg]
    monkeypatch.setattr(Marks, "read", lambda marks, batch, by, run_ids: noted.append(by))
    report_day(reports, entry(DAY, LATER))
    assert noted
    assert LATER.isoformat() not in noted


def test_nobody_is_forgotten_while_something_damaged_may_name_them(reports: Reports) -> None:
    key, _ = damaged(reports, "activity")
    with pytest.raises(DamagedInput, match=key):
        forget(reports, SUBS["ann"], LATER)


def test_late_events_of_a_damaged_day_are_not_counted(
    reports: Reports, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged(reports, "activity")
    came = DAY + timedelta(days=9)
    parsed = Parsed(sources.events[:0], [], {came: sources.events})
    monkeypatch.setattr(activity, "pull", lambda *_, **__: iter([parsed]))
    collecting.collect_activity(reports, [entry(came, LATER)])
    assert Inputs.of(reports).problems(came) == []


def test_who_is_forgotten_is_not_in_what_was_set_aside(reports: Reports, tmp_path: Path) -> None:
    damaged(reports, "workteam", "garbled")
    [key] = reports.private.keys(f"inputs/{DAY}/workteam/")
    reports.private.put(key, SUBS["ann"].encode())
    report_day(reports, entry(DAY, LATER))
    assert holding_ids(tmp_path)
    forget(reports_in(tmp_path, "sources: {cognito: false, batches: .}"), SUBS["ann"], LATER)
    assert not holding_ids(tmp_path)
    assert shown(reports) == [("workteam", 1)], "that something was damaged is still said"


def holding_ids(folder: Path) -> set[str]:
    return {
        path.name
        for path in (folder / "private").rglob("*")
        if path.is_file() and SUBS["ann"].encode() in path.read_bytes()
    }


def test_damaged_names_are_looked_up_anew(reports: Reports) -> None:
    inputs = Inputs.of(reports)
    inputs.put_names({"a": "Ada", "b": "Bob"}, DAY)
    reports.private.put("names.json", b'{"a": {"na')
    assert inputs.names() == {}
    inputs.put_names({"a": "Ada"}, DAY)
    assert inputs.names() == {"a": "Ada"}


def test_how_a_reading_went_is_not_worth_a_failure(reports: Reports) -> None:
    [key] = reports.private.keys(f"inputs/{DAY}/sources/workteam/")
    reports.private.put(key, b"{")
    some = [entry(DAY, LATER)]
    assert Inputs.of(reports).states(DAY).keys() == {"worker_activity", "ledger", "labeling_jobs"}
    collect(reports, some)
    assert report_day(reports, some[0])["totals"]["submitted"] == 10
    assert shown(reports) == [("sources", 1)]


def test_what_an_earlier_version_kept_is_known_by_its_form(tmp_path: Path) -> None:
    reports = reports_in(tmp_path)
    day = date(2026, 11, 5)
    reports.private.put(f"inputs/{day}/ledger.parquet", b"PAR1 half of a file")
    reports.private.put(f"inputs/{day}/jobs.json", b"[{")
    for read in (Inputs.of(reports).ledger, Inputs.of(reports).jobs):
        with pytest.raises(DamagedInput, match="is damaged"):
            read(day)
