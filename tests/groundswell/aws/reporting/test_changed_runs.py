"""Runs of batches that go on after their days were reported: these days are written again, once."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from groundswell.aws import runs
from groundswell.aws.janitor.report import put_clean
from groundswell.aws.progress import keep_progress
from groundswell.aws.reporting import activity, collecting, jobs, looking, window, workteam
from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.looking import mark_reported, plan_window
from groundswell.aws.reporting.opening import Reports
from groundswell.aws.reporting.publishing import publish
from groundswell.aws.reporting.reporting import report_day
from groundswell.aws.reporting.window import Window
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps.labels import consolidate
from groundswell.ledger import Ledger
from groundswell.reports.activity import Parsed
from groundswell.reports.problems import Problem
from tests.groundswell.aws.paper_desk import Bucket, PaperDesk
from tests.groundswell.aws.reporting.private_days import events, reports_in

#: When the run of these tests begins. On a morning the day before is due.
FIRST = date(2026, 11, 2)
LEDGERS_ONLY = """
late_days: 0
sources: {worker_activity: null, workteam: null, labeling_jobs: null, cognito: false, batches: .}
"""


class Noting(Bucket):
    """Notes which keys are read; can be broken."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.read: list[str] = []

    def get(self, key: str) -> bytes | None:
        self.read.append(key)
        return super().get(key)


class Office:
    """A batch whose runs are labelled on paper, and the reports on them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch = folder, monkeypatch
        self.desk = PaperDesk(folder, monkeypatch)
        self.store = Noting(folder / "store")
        self.desk.keep_in(self.store)
        self.reports = reports_in(folder, LEDGERS_ONLY)
        self.inputs = Inputs.of(self.reports)

    def at(self, moment: datetime) -> None:
        """Let it be a time, for what runs write."""
        self.patch.setattr(runs, "now_text", lambda: moment.isoformat(timespec="seconds"))

    def label(self, run: LabelingRun, day: date, *items: str, hour: int = 9) -> None:
        """Let two workers answer some items on a day; nothing is paid."""
        begin = datetime.combine(day, time(hour), tzinfo=UTC)
        for item in items:
            for number, worker in enumerate(("AX", "AY")):
                accepted = begin + timedelta(minutes=number)
                row = {
                    "assignment": f"{item}-{worker}",
                    "item": item,
                    "worker": worker,
                    "label": "setosa",
                    "problem": None,
                    "accepted": accepted.isoformat(),
                    "submitted": (accepted + timedelta(seconds=30)).isoformat(),
                    "answer": "",
                }
                run.ledger.append("answers", [row])
        self.note(run, begin + timedelta(minutes=10))

    def pay(self, run: LabelingRun, moment: datetime, *items: str) -> None:
        """Pay the answers to some items, and close these."""
        for item in items:
            assignments = [f"{item}-{worker}" for worker in ("AX", "AY")]
            run.ledger.append("payments", [{"assignment": a, "item": item, "cents": 6} for a in assignments])
            run.ledger.append("outcomes", [{"item": item, "outcome": "settled"}])
        self.note(run, moment)

    def note(self, run: LabelingRun, moment: datetime) -> None:
        """Replace the run's progress."""
        self.at(moment)
        keep_progress(run, run.ledger.fold())

    def note_only(self, run: LabelingRun, moment: datetime) -> None:
        """Replace the run's progress by one that tells nothing but when."""
        self.at(moment)
        run.ledger.put_document("progress.json", run.context())

    def end(self, run: LabelingRun, moment: datetime) -> None:
        """Bring a run to its end."""
        self.note(run, moment)
        run.ledger.put_document("summary.json", run.context() | {"items": 1})

    def reported(self, *some: date) -> None:
        """Let days have a report, and inputs, as if they had been due; what is in it does not matter."""
        for day in some:
            self.inputs.put_source(day, "cognito", "off")
            self.reports.store.publish(day, {"report.html": b""}, "before", {})

    def window(self, morning: date, **params: Any) -> Window:
        now = datetime.combine(morning, time(6, 1), tzinfo=UTC)
        return plan_window(self.reports, params, (now - timedelta(days=1), now), now)

    def daily(self, morning: date, **params: Any) -> Collection[str]:
        """Collect for a window, and say that it was written; return its days that are only the ledgers'."""
        found = self.window(morning, **params)
        collecting.collect_ledgers(self.reports, found.as_xcom())
        mark_reported(self.reports, found.as_xcom())
        return days_of(found)

    def marks(self, morning: date, **params: Any) -> Collection[str]:
        """Do as :meth:`daily` without reading what the ledgers say, which takes a while."""
        found = self.window(morning, **params)
        for each in self.inputs.store.keys("ledgers/"):
            known = json.loads(self.inputs.store.get(each) or b"")
            for row in known.values():
                row.get("next", {})["read"] = True
            self.inputs.store.put(each, json.dumps(known).encode())
        mark_reported(self.reports, found.as_xcom())
        return days_of(found)

    def paid_on(self, day: date) -> int:
        """Return how many answers of a day are paid by what the reports know."""
        rows = self.inputs.ledger(day)
        return int(rows["paid"].fillna(False).astype(bool).sum())


def days_of(found: Window) -> Collection[str]:
    return {f"{day:%d}" for day in found.extra}


def november(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def on(day: int) -> date:
    return date(2026, 11, day)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch)


@pytest.fixture
def run(office: Office) -> LabelingRun:
    """A run with answers on 2 and 4 November, of which nothing is paid; all days until 19 have a report."""
    run = office.desk.run(["a", "b"])
    office.label(run, FIRST, "a")
    office.label(run, on(4), "b")
    office.reported(FIRST, on(3), on(4))
    assert office.marks(on(20)) == {"02", "03", "04"}
    return run


def test_a_label_and_a_payment_of_later_come_to_the_day_of_the_answer(office: Office) -> None:
    """Whole reports: the day of the answers is revised weeks later, says what changed, and is then let be."""
    run = office.desk.run(["a"])
    office.label(run, FIRST, "a")

    def morning(of: date) -> dict[str, Any]:
        found = office.window(of).as_xcom()
        collecting.collect_ledgers(office.reports, found)
        written = [report_day(office.reports, entry) for entry in found]
        result = publish(office.reports, written, november(of.day))
        mark_reported(office.reports, found)
        return result

    morning(on(3))
    before = office.reports.store.current(FIRST)
    assert before is not None
    assert (before["revision"], before["totals"]["submitted"], before["totals"]["judged"]) == (1, 2, 0)
    office.pay(run, november(18), "a")
    consolidate(run)
    office.end(run, november(18))
    assert str(FIRST) in morning(on(19))["revised"]
    after = office.reports.store.current(FIRST)
    assert after is not None
    assert (after["revision"], after["kind"], after["why"]) == (2, "revised", "Late data: ledgers")
    totals = after["totals"]
    assert (totals["agreement"], totals["earned_cents"], totals["settled_labels"]) == (1.0, 10.0, 1)
    assert {"measure": "settled_labels", "before": 0, "after": 1} in after["history"][1]["changes"]
    assert morning(on(20))["revised"] == []
    assert office.reports.store.current(FIRST) == after


def test_days_of_a_run_that_does_not_change_are_written_once(office: Office, run: LabelingRun) -> None:
    assert office.marks(on(20)) == set()
    office.pay(run, november(20), "a")
    assert office.daily(on(21)) == {"02", "03", "04"}
    assert (office.paid_on(FIRST), office.paid_on(on(4))) == (2, 0)
    assert office.marks(on(21)) == set(), "also where nothing was due between"
    office.end(run, november(21))
    assert office.marks(on(22)) == {"02", "03", "04"}
    assert office.marks(on(23)) == set()


def test_only_days_that_were_written_to_the_end_are_reported(office: Office, run: LabelingRun) -> None:
    office.pay(run, november(20), "a")
    for _ in range(2):  # a run that failed before it read anything, and one that failed after it
        found = office.window(on(21))
        assert days_of(found) == {"02", "03", "04"}
    collecting.collect_ledgers(office.reports, found.as_xcom())
    # What happens between reading and reporting is not taken for reported
    office.pay(run, november(21, 6), "b")
    mark_reported(office.reports, found.as_xcom())
    mark_reported(office.reports, found.as_xcom())
    assert office.daily(on(22)) == {"02", "03", "04"}
    assert office.paid_on(on(4)) == 2
    assert office.marks(on(23)) == set()
    assert mark_reported(office.reports, found.as_xcom()) == 0, "cleared long after"


def test_a_run_of_the_reports_marks_nothing_of_another(office: Office, run: LabelingRun) -> None:
    office.pay(run, november(20), "a")
    first, second = office.window(on(21)), office.window(on(22))
    collecting.collect_ledgers(office.reports, first.as_xcom())
    assert mark_reported(office.reports, first.as_xcom()) == 0
    assert mark_reported(office.reports, second.as_xcom()) == 0, "that one has read nothing yet"
    assert days_of(office.window(on(22))) == days_of(second) == {"02", "03", "04"}


class TestDaysThatAreAskedFor:
    def test_are_written_alone_and_the_others_wait(self, office: Office, run: LabelingRun) -> None:
        office.pay(run, november(20), "a", "b")
        asked = {"from_day": "2026-11-02", "to_day": "2026-11-03"}
        found = office.window(on(21), **asked)
        assert (found.days, found.extra) == ((FIRST, on(3)), frozenset())
        assert office.daily(on(21), **asked) == set()
        assert office.paid_on(FIRST) == 2
        assert "04" in office.daily(on(22))
        assert office.paid_on(on(4)) == 2

    def test_are_reported_where_they_are_all(self, office: Office, run: LabelingRun) -> None:
        office.pay(run, november(20), "a", "b")
        office.marks(on(21), from_day="2026-11-02", to_day="2026-11-04")
        assert office.marks(on(22)) == set()


class TestPaidOutsideTheRuns:
    def case(self, office: Office, run: LabelingRun, mode: str, at: datetime) -> Ledger:
        ledger = Ledger(office.store, runs.COMPENSATIONS, f"iris/case-{mode}")
        fixed = {"mode": mode, "run_id": run.run_id, "token": "t", "at": at.isoformat()}
        ledger.append("intents", [fixed])
        return ledger

    def test_a_bonus_is_earned_on_the_day_of_the_answer(self, office: Office, run: LabelingRun) -> None:
        ledger = self.case(office, run, "bonus", november(20))
        bonus = {"token": "u", "assignment": "a-AX", "item": None, "cents": 100, "fee_cents": 20}
        ledger.append("bonuses", [bonus])
        assert office.daily(on(21)) == {"02", "03", "04"}
        assert office.inputs.ledger(FIRST)["reward_cents"].sum() == 100
        assert office.marks(on(22)) == set()

    def test_a_rejection_taken_back_is_looked_for_on_some_days(
        self, office: Office, run: LabelingRun
    ) -> None:
        """Its payment is written to the run's ledger, and the run's documents say nothing of it."""
        self.case(office, run, "undo_rejection", november(20))
        assert office.marks(on(21)) == {"02", "03", "04"}
        run.ledger.append("payments", [{"assignment": "a-AX", "item": "a", "cents": 6}])
        assert office.daily(on(22)) == {"02", "03", "04"}
        assert office.paid_on(FIRST) == 1
        assert [len(office.marks(on(day))) for day in (23, 24, 25)] == [3, 3, 0]

    def test_what_was_paid_for_other_runs_changes_nothing(self, office: Office, run: LabelingRun) -> None:
        for number, row in enumerate(({"run_id": "another", "mode": "bonus"}, {"mode": "make_up"}, {})):
            ledger = Ledger(office.store, runs.COMPENSATIONS, f"iris/case-{number}")
            ledger.append("intents", [{"token": "t", **row}])
        office.store.put(f"{runs.COMPENSATIONS}/iris/bad/intents/x.jsonl", b"{")
        assert office.marks(on(21)) == set()

    def test_what_the_janitor_repairs_is_told_by_its_count_of_parts(
        self, office: Office, run: LabelingRun
    ) -> None:
        for day, parts, expected in ((21, 9, 3), (22, 9, 0), (23, 10, 3), (24, 10, 0)):
            put_clean(office.store, "iris", {run.run_id: parts, "another": day})
            assert len(office.marks(on(day))) == expected
        office.store.put("_janitor/iris/clean.json", b"[]")
        assert len(office.marks(on(25))) == 3, "looked at once too often"
        assert len(office.marks(on(26))) == 0


class TestWhichDays:
    def test_those_that_have_a_report_whatever_the_start(self, office: Office) -> None:
        """Neither a day that nobody asked for, nor one that is not over or waits for its end."""
        run = office.desk.run([*"abcdef"])
        october = [date(2026, 10, day) for day in (29, 30)]
        some = [*october, FIRST, on(19), on(20), on(21)]
        for item, day in zip("abcdef", some, strict=True):
            office.label(run, day, item)
        office.reported(october[0], FIRST)
        for day in (on(5), on(21)):
            office.inputs.put_source(day, "cognito", "off")
            office.reports.store.publish(day, {}, "so far", {}, provisional=True)
        assert office.marks(on(21)) == {"29", "02"}
        assert office.marks(on(22)) == set(), "what is due is written when it is due"

    def test_not_those_whose_inputs_are_gone(self, office: Office, run: LabelingRun) -> None:
        office.inputs.remove(FIRST)
        office.reports.store.publish(on(3), {}, "before", {}, kind="sealed", sealed="inputs")
        office.pay(run, november(20), "b")
        assert office.marks(on(21)) == {"04"}
        assert office.marks(on(22)) == set()

    def test_the_oldest_wait_where_there_are_too_many(
        self, office: Office, run: LabelingRun, caplog: pytest.LogCaptureFixture
    ) -> None:
        office.patch.setattr(window, "MOST_DAYS", 2)
        office.pay(run, november(20), "a", "b")
        with caplog.at_level(logging.WARNING):
            assert office.daily(on(21)) == {"04"}, "one is due"
        assert "2026-11-02 to 2026-11-03 (2 days) wait for the next one" in caplog.text
        assert (office.paid_on(FIRST), office.paid_on(on(4))) == (0, 2)
        assert office.marks(on(22)) == {"03"}
        assert office.daily(on(23)) == {"02"}
        assert office.paid_on(FIRST) == 2
        assert office.marks(on(24)) == set()
        office.pay(run, november(24), "a")
        assert office.marks(on(25)) == {"04"}, "from the beginning"


class TestWhatIsRead:
    def keys(self, office: Office, run: LabelingRun) -> list[str]:
        return sorted(key.removeprefix(run.ledger.prefix) for key in office.store.read if run.run_id in key)

    def test_a_run_that_has_ended_costs_one_read(self, office: Office, run: LabelingRun) -> None:
        office.end(run, november(20))
        office.marks(on(21))
        office.store.read.clear()
        office.daily(on(22))
        assert self.keys(office, run) == ["progress.json"]
        office.pay(run, november(22), "a")
        assert office.marks(on(23)) == {"02", "03", "04"}, "it was taken up again"

    def test_a_run_that_goes_on_costs_two_where_it_has_not_changed(
        self, office: Office, run: LabelingRun
    ) -> None:
        office.store.read.clear()
        office.daily(on(21))
        assert self.keys(office, run) == ["progress.json", "summary.json"]

    def test_other_runs_of_an_old_day_are_not_read_and_stay(self, office: Office, run: LabelingRun) -> None:
        other = office.desk.run(["a"])
        office.label(other, FIRST, "a", hour=15)
        office.daily(on(21), from_day=str(FIRST), to_day=str(FIRST))
        assert len(office.inputs.ledger(FIRST)) == 8
        office.store.read.clear()
        office.pay(other, november(21), "a")
        assert office.daily(on(22)) == {"02"}
        assert self.keys(office, run) == ["progress.json", "summary.json"]
        assert (len(office.inputs.ledger(FIRST)), office.paid_on(FIRST)) == (8, 2)

    def test_the_same_says_the_same(self, office: Office, run: LabelingRun) -> None:
        other = office.desk.run(["a"])
        office.label(other, FIRST, "a")
        office.daily(on(21), from_day=str(FIRST), to_day=str(FIRST))
        before = office.inputs.digests(FIRST)
        office.note(other, november(21))
        assert office.daily(on(22)) == {"02"}
        assert office.inputs.digests(FIRST) == before, "rows that stay and rows that are read again"

    def test_many_days_are_read_some_at_a_time(self, office: Office, run: LabelingRun) -> None:
        office.patch.setattr(collecting, "_BLOCK", 2)
        office.pay(run, november(20), "a", "b")
        assert office.daily(on(21)) == {"02", "03", "04"}
        assert (office.paid_on(FIRST), office.paid_on(on(4))) == (2, 2)

    def test_a_run_without_documents_is_always_looked_at(self, office: Office, run: LabelingRun) -> None:
        office.store._path(f"{run.ledger.prefix}progress.json").unlink()
        for day in (21, 22):
            assert office.marks(on(day)) == {"02", "03", "04"}


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

        office.patch.setattr(Noting, "get", down)
        with pytest.raises(ConnectionError):
            office.window(on(21))


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


def test_looking_without_a_folder_of_batches(tmp_path: Path) -> None:
    for more in ("sources: {batches: null}", "sources: {batches: nowhere}"):
        reports: Reports = reports_in(tmp_path, more)
        assert looking.look(reports, november(20)).days == set()
