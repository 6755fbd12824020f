"""Days of runs that go on: what cannot be read, and the other sources, which are not asked for them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException

from groundswell.aws.reporting import activity, collecting, jobs, looking, workteam
from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.looking import mark_reported
from groundswell.aws.reporting.opening import Reports
from groundswell.aws.reporting.window import Window
from groundswell.aws.runs import LabelingRun
from groundswell.reports.activity import Parsed
from groundswell.reports.problems import Problem
from tests.groundswell.aws.reporting.paper_office import (
    FIRST,
    LEDGERS_ONLY,
    Office,
    begun,
    days_of,
    november,
    on,
)
from tests.groundswell.aws.reporting.private_days import events, reports_in


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch)


@pytest.fixture
def run(office: Office) -> LabelingRun:
    return begun(office)


def _body(office: Office, key: str) -> str:
    return (office.store.get(key) or b"").decode()


class TestWhatGoesWrong:
    def test_a_ledger_that_cannot_be_read_takes_nothing_back(self, office: Office, run: LabelingRun) -> None:
        office.daily(on(20), from_day=str(FIRST), to_day=str(FIRST))
        office.pay(run, november(20), "a", "b")
        key = run.ledger.key("payments", "damaged")
        office.store.put(key, b"{")
        assert office.daily(on(21)) == {"02", "03", "04"}
        assert len(office.inputs.ledger(FIRST)) == 4
        assert [each.kind for each in office.inputs.problems(FIRST)] == [], "nothing is wrong with that day"
        office.store._path(key).unlink()
        assert office.daily(on(22)) == {"02", "03", "04"}, "it was not taken for reported"
        assert office.paid_on(FIRST) == 2
        assert office.marks(on(23)) == set()

    def test_what_was_not_read_is_not_reported(self, office: Office, run: LabelingRun) -> None:
        """Whatever happens to a batch file between looking and reading, or to a task by hand."""
        office.pay(run, november(20), "a")
        good = run.live.file.read_text()
        found = office.window(on(21))
        run.live.file.write_text("name: [")
        collecting.collect_ledgers(office.reports, found.as_xcom())
        assert mark_reported(office.reports, found.as_xcom()) == 0
        run.live.file.write_text(good)
        assert days_of(office.window(on(22))) == {"02", "03", "04"}

    def test_what_could_not_be_read_for_days_that_were_asked_for(
        self, office: Office, run: LabelingRun
    ) -> None:
        """The run was reported to the end, on all days that had a report; then somebody asks for another."""
        [key] = (key for key in office.store.keys(run.ledger.prefix) if "a-AX" in _body(office, key))
        good = office.store.get(key)
        office.store.put(key, b"{")
        asked = {"from_day": str(FIRST), "to_day": str(FIRST)}
        office.daily(on(21), **asked)
        assert [each.kind for each in office.inputs.problems(FIRST)] == ["unreadable ledger"]
        assert len(office.inputs.ledger(FIRST)) == 0
        office.store.put(key, good or b"")
        assert office.daily(on(22)) == {"02", "03", "04"}
        assert len(office.inputs.ledger(FIRST)) == 4
        assert office.marks(on(23)) == set()

    def test_answers_that_cannot_be_read(self, office: Office, run: LabelingRun) -> None:
        key = run.ledger.key("answers", "damaged")
        office.store.put(key, b"{")
        office.note_only(run, november(20))
        assert office.daily(on(21)) == set()
        assert [each.kind for each in office.inputs.problems(on(20))] == ["unreadable ledger"]
        office.store._path(key).unlink()
        assert office.marks(on(22)) == {"02", "03", "04"}

    def test_a_broken_batch_file_takes_nothing_back(self, office: Office, run: LabelingRun) -> None:
        office.label(run, on(20), "c")
        office.daily(on(21))
        assert len(office.inputs.ledger(on(20))) == 4
        good = run.live.file.read_text()
        run.live.file.write_text("name: [")
        office.daily(on(21))
        assert len(office.inputs.ledger(on(20))) == 4
        assert [each.kind for each in office.inputs.problems(on(20))] == ["broken batch file"]
        run.live.file.write_text(good)
        office.daily(on(21))
        assert office.inputs.problems(on(20)) == []

    def test_what_is_not_in_the_ledgers_any_more_goes_from_days_that_are_due(
        self, office: Office, run: LabelingRun
    ) -> None:
        office.label(run, on(20), "c")
        office.daily(on(21))
        for name in ("iris", "_claims"):
            shutil.rmtree(office.folder / "store" / name)
        office.daily(on(21))
        assert len(office.inputs.ledger(on(20))) == 0

    def test_the_ledgers_left_out_by_the_settings_are_left_out(
        self, office: Office, run: LabelingRun
    ) -> None:
        office.label(run, on(20), "c")
        office.daily(on(21))
        office.reports = reports_in(office.folder, LEDGERS_ONLY.replace("batches: .", "batches: null"))
        office.daily(on(21))
        assert len(office.inputs.ledger(on(20))) == 0

    @pytest.mark.parametrize("body", [b"{", b"[1]", b'{"x": 3}', b'{"x": {"progress": null}}'])
    def test_damaged_marks_are_as_none(self, office: Office, run: LabelingRun, body: bytes) -> None:
        [key] = office.reports.private.keys("ledgers/")
        office.reports.private.put(key, body)
        assert office.marks(on(21)) == {"02", "03", "04"}
        assert office.marks(on(22)) == set()

    def test_marks_that_cannot_be_written(
        self, office: Office, run: LabelingRun, caplog: pytest.LogCaptureFixture
    ) -> None:
        private = office.reports.private
        [key] = private.keys("ledgers/")
        private.remove(key)
        (office.folder / "private/ledgers").rmdir()
        (office.folder / "private/ledgers").write_text("in the way")
        for do in (office.marks, office.daily):
            assert do(on(21)) == {"02", "03", "04"}
        assert "cannot be written" in caplog.text
        assert len(office.inputs.ledger(FIRST)) == 4

    def test_a_store_that_does_not_answer_is_waited_for(self, office: Office, run: LabelingRun) -> None:
        def down(self: Any, key: str) -> Any:
            raise ConnectionError("the store does not answer")

        office.patch.setattr(type(office.store), "get", down)
        with pytest.raises(ConnectionError):
            office.window(on(21))

    @pytest.mark.parametrize("error", [ConnectionError("no answer"), AirflowException("no answer")])
    def test_on_the_last_try_it_holds_up_no_other_batch(
        self, office: Office, run: LabelingRun, error: Exception
    ) -> None:
        office.daily(on(20), from_day=str(FIRST), to_day=str(FIRST))
        office.pay(run, november(20), "a")

        def down(self: Any, *_: Any) -> Any:
            raise error

        morning, asked = november(21, 6), {"from_day": str(FIRST), "to_day": str(FIRST)}
        with office.patch.context() as patched:
            for read in ("get", "keys", "folders"):
                patched.setattr(type(office.store), read, down)
            found = looking.plan_window(office.reports, asked, None, morning, last_try=True).as_xcom()
            with pytest.raises(type(error)):
                collecting.collect_ledgers(office.reports, found)
            collecting.collect_ledgers(office.reports, found, last_try=True)
            mark_reported(office.reports, found)
        assert (len(office.inputs.ledger(FIRST)), office.paid_on(FIRST)) == (4, 0), "it stays as it was"
        assert [each.kind for each in office.inputs.problems(FIRST)] == ["unreadable ledgers"]
        assert office.daily(on(22)) == {"02", "03", "04"}
        assert office.paid_on(FIRST) == 2
        assert office.inputs.problems(FIRST) == []


class TestOtherSources:
    """Days that only runs add to a window are no reason to ask the other sources for months."""

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[date, date]]:
        asked: list[tuple[date, date]] = []

        def pull_events(hook: Any, group: str, first: date, last: date, zone: Any, **_: Any) -> Any:
            asked.append((first, last))
            return iter([Parsed(events(first, ("ann", 1, 9.0)), [])])

        def pull_metrics(*args: Any, **_: Any) -> Mapping[date, Any]:
            first, last = (each for each in args if isinstance(each, date))
            asked.append((first, last))
            return {first + timedelta(days=n): ([], []) for n in range((last - first).days + 1)}

        monkeypatch.setattr(activity, "pull", pull_events)
        for module in (workteam, jobs):
            monkeypatch.setattr(module, "pull", pull_metrics)
        return asked

    def test_are_asked_for_the_days_that_are_due(self, tmp_path: Path, asked: list[Any]) -> None:
        reports = reports_in(tmp_path)
        now = november(20, 6)
        found = Window((FIRST, on(18), on(19)), frozenset(), now, frozenset({FIRST}))
        assert Window.of(found.as_xcom()) == found
        inputs = Inputs.of(reports)
        inputs.add_activity(FIRST, events(FIRST, ("ann", 1, 9.0)))
        row = {"job": "iris", "human_labels": 7}
        inputs.put_jobs(FIRST, [row])
        before = inputs.digests(FIRST)
        for collect in (collecting.collect_activity, collecting.collect_workteam, collecting.collect_jobs):
            collect(reports, found.as_xcom())
        assert asked == [(on(18), on(20)), (on(18), on(19)), (on(18), on(19))]
        assert inputs.digests(FIRST) == before, "what was known of the old day stays"
        assert (inputs.states(FIRST), inputs.jobs(FIRST)) == ({}, [row])

    def test_are_not_asked_where_nothing_is_due(self, tmp_path: Path, asked: list[Any]) -> None:
        found = Window((FIRST,), frozenset(), november(20, 6), frozenset({FIRST}))
        for collect in (
            collecting.collect_activity,
            collecting.collect_workteam,
            collecting.collect_jobs,
            collecting.collect_names,
        ):
            assert collect(reports_in(tmp_path), found.as_xcom()) == {}
        assert asked == []


def test_problems_of_an_old_day_that_are_over_go(office: Office, run: LabelingRun) -> None:
    wrong = Problem("broken batch file", 1, "iris.yaml", "correct it", "ledger", FIRST)
    office.inputs.put_source(FIRST, "ledger", "read", [wrong])
    office.pay(run, november(20), "a")
    office.daily(on(21))
    assert office.inputs.problems(FIRST) == []


@pytest.mark.parametrize("kind", ["old batch file of a run", "unreadable ledger"])
def test_problems_of_an_old_day_stay_with_the_runs_that_are_not_read(
    office: Office, run: LabelingRun, kind: str
) -> None:
    """They are as they were: a report that says so no more would be a revision for nothing, and wrong."""
    other = office.desk.run(["a"])
    office.label(other, FIRST, "a", hour=15)
    office.marks(on(20))
    wrong = Problem(kind, 1, "iris: its file is old", "correct it", "ledger", FIRST)
    office.inputs.put_source(FIRST, "ledger", "read", [wrong])
    office.pay(run, november(20), "a")
    office.daily(on(21))
    assert office.inputs.problems(FIRST) == [wrong]
    for each in (run, other):
        office.note(each, november(21))
    office.daily(on(22))
    assert office.inputs.problems(FIRST) == [], "all were read, and nothing is wrong"


def test_looking_without_a_folder_of_batches(tmp_path: Path) -> None:
    for more in ("sources: {batches: null}", "sources: {batches: nowhere}"):
        reports: Reports = reports_in(tmp_path, more)
        assert looking.look(reports, november(20)).days == set()
