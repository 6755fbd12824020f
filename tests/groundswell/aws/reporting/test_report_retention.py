"""What is older than the settings keep it goes, with what tells workers apart; group numbers stay."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.opening import Reports
from groundswell.aws.reporting.publishing import publish
from groundswell.aws.reporting.retention import seal
from groundswell.aws.reporting.window import plan
from groundswell.errors import ReportError
from groundswell.reports import store
from groundswell.reports.html import render
from tests.groundswell.aws.reporting.private_days import (
    DAY,
    NEXT_MORNING,
    SUBS,
    events,
    holding,
    pseudonyms,
    reports_in,
    usual,
    write,
)

KEEP = "retention: {inputs: 10d, workers: 30d}"


def written(folder: Path) -> Reports:
    reports = reports_in(folder, KEEP)
    write(reports, DAY, usual(DAY))
    publish(reports, [write(reports, DAY, events(DAY, ("ann", 600, 20.0)))], NEXT_MORNING)
    return reports


def current(reports: Reports) -> dict[str, Any]:
    record = reports.store.current(DAY)
    assert record is not None
    return record


def morning(days: int) -> Any:
    return NEXT_MORNING + timedelta(days=days)


def test_inputs_go_at_their_age_and_the_day_says_so(tmp_path: Path) -> None:
    reports = written(tmp_path)
    assert seal(reports, morning(9)) == []
    assert Inputs.of(reports).days() == [DAY]
    assert seal(reports, morning(10)) == [DAY]
    assert Inputs.of(reports).days() == []
    assert holding(tmp_path / "private", SUBS["ann"]) == set()
    record = current(reports)
    assert record["sealed"] == "inputs"
    assert (record["history"][-1]["kind"], record["history"][-1]["changes"]) == ("sealed", [])
    assert set(reports.store.table(DAY, "workers")["worker"]) == set(pseudonyms(reports).values())
    assert seal(reports_in(tmp_path, KEEP), morning(11)) == []


def test_a_sealed_day_is_not_computed_from_what_is_left_of_it(tmp_path: Path) -> None:
    reports = written(tmp_path)
    seal(reports, morning(10))
    before = current(reports)
    result = write(reports, DAY, events(DAY, ("bob", 1, 1.0)), now=morning(11))
    assert not result["changed"] or result["kind"] == "sealed"
    assert current(reports) == before
    seal(reports, morning(12))
    assert Inputs.of(reports).days() == [], "what came in for it goes as well"
    with pytest.raises(AirflowSkipException, match="2026-11-02 were removed for their age"):
        plan(
            reports.settings,
            reports.store,
            {"from_day": "2026-11-02", "to_day": "2026-11-02"},
            None,
            morning(12),
        )
    window = plan(
        reports.settings, reports.store, {"from_day": "2026-11-02", "to_day": "2026-11-04"}, None, morning(12)
    )
    assert [day.isoformat() for day in window.days] == ["2026-11-03", "2026-11-04"]


def test_what_tells_workers_apart_goes_at_its_age_and_groups_stay(tmp_path: Path) -> None:
    reports = written(tmp_path)
    summary = reports.store.table(DAY, "summary")
    groups = summary[summary["level"] != "worker"].reset_index(drop=True)
    result = write(reports, DAY)
    told = publish(reports, [result], morning(40))
    assert told["sealed"] == ["2026-11-02"]
    for called in pseudonyms(reports).values():
        assert holding(tmp_path / "public", called) == set()
    assert reports.store.table(DAY, "summary").equals(groups)
    with pytest.raises(ReportError, match="no table 'workers'"):
        reports.store.table(DAY, "workers")
    record = current(reports)
    assert record["sealed"] == "workers"
    assert record["totals"]["submitted"] == 10
    page = reports.store.body(DAY, "report.html")
    assert page is not None
    assert b"flowers" in page
    month = reports.store.month("2026-11")
    assert month is not None
    assert b"flowers" in month
    files = {
        path: path.stat().st_mtime_ns
        for path in tmp_path.rglob("*")
        if path.is_file() and path.name != "retention.json"
    }
    assert seal(reports_in(tmp_path, KEEP), morning(41), {DAY}) == []
    assert seal(reports_in(tmp_path, KEEP), morning(42)) == []
    assert {path: path.stat().st_mtime_ns for path in files} == files


def test_a_page_keeps_the_curves_of_earlier_days_no_longer_than_their_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the pages only whose days they could draw matters."""

    def drawn(tables: Any, record: Any, trend: Any, settings: Any) -> str:
        rows = trend.rows if trend is not None else tables.workers
        return "\n".join(f"{day} {worker}" for day, worker in zip(rows["day"], rows["worker"], strict=True))

    monkeypatch.setattr(render, "render_day", drawn)
    monkeypatch.setattr(store, "datetime", Clock)
    Clock.at = morning(1)
    reports = reports_in(tmp_path, "retention: {inputs: 10d, workers: 40d}")
    after, ann = DAY + timedelta(days=1), pseudonyms(reports)["ann"]
    results = [write(reports, DAY, events(DAY, ("ann", 1, 10.0)))]
    write(reports, after, events(after, ("ann", 1, 10.0)))
    results.append(write(reports, after, events(after, ("ann", 2, 10.0))))
    publish(reports, results, Clock.at)

    def pages(day: date) -> set[str]:
        """Return the pages of the later day that tell what Ann did on a day."""
        found = holding(tmp_path / f"public/days/{after}", f"{day} {ann}")
        assert all(each.endswith("report.html") for each in found)
        return found

    assert len(pages(DAY)) == len(pages(after)) == 3, "the page, and that of two revisions"
    # The first of 28 days before is as old as it may be
    for age, kept in ((12, 4), (13, 0)):
        Clock.at = morning(age)
        seal(reports, Clock.at)
        assert len(pages(DAY)) == kept, age
    assert len(pages(after)) == 2, "the day itself stays"
    record = reports.store.current(after)
    assert record is not None
    assert (record["sealed"], record["totals"]["submitted"]) == ("inputs", 2)
    assert reports.store.body(after, "workers.csv", revision=1) is not None, (
        "so do numbers of earlier revisions"
    )
    for age in (15, 16, 39):
        Clock.at = morning(age)
        seal(reports, Clock.at)
    assert (reports.store.current(after) or {})["revision"] == record["revision"], "once"


class Clock(datetime):
    """A clock that stands still."""

    at: datetime

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return cls.at


def test_old_days_that_are_written_now_are_sealed_at_once(tmp_path: Path) -> None:
    reports = written(tmp_path)
    seal(reports, morning(40))
    old = DAY - timedelta(days=1)
    result = write(reports, old, usual(old), now=morning(40))
    assert publish(reports, [result], morning(40))["sealed"] == [old.isoformat()]
    assert holding(tmp_path / "public", pseudonyms(reports)["ann"]) == set()
    assert holding(tmp_path / "private", SUBS["ann"]) == set()


def test_the_month_is_written_again_though_a_try_before_died_there(tmp_path: Path, monkeypatch: Any) -> None:
    from groundswell.aws.reporting import month_report

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    reports = written(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(month_report, "write_month", die)
        with pytest.raises(KeyboardInterrupt):
            seal(reports, morning(40))
    assert holding(tmp_path / "public", pseudonyms(reports)["ann"]) == {"months/2026-11/report.html"}
    assert seal(reports, morning(40)) == []
    assert holding(tmp_path / "public", pseudonyms(reports)["ann"]) == set()


def test_a_deletion_for_age_that_died_is_finished(tmp_path: Path, monkeypatch: Any) -> None:
    from groundswell.reports.parts import RemovableFolder

    reports = written(tmp_path)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(RemovableFolder, "remove", die)
        with pytest.raises(KeyboardInterrupt):
            seal(reports, morning(40))
    assert current(reports)["sealed"] == "inputs", "marked before anything goes"
    seal(reports_in(tmp_path, KEEP), morning(40))
    assert current(reports)["sealed"] == "workers"
    assert Inputs.of(reports).days() == []
    assert holding(tmp_path / "public", pseudonyms(reports)["ann"]) == set()


def test_the_page_of_a_sealed_day_says_what_is_gone(tmp_path: Path) -> None:
    reports = written(tmp_path)
    for age, words in (
        (10, b"events behind these numbers were removed"),
        (40, b"tells workers apart was removed"),
    ):
        seal(reports, morning(age))
        page = reports.store.body(DAY, "report.html")
        assert page is not None
        assert words in page
        assert b"Late events are taken in" not in page
