"""Runs of batches that go on after their days were reported: these days are written again, once."""

from __future__ import annotations

import logging
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from groundswell.aws import runs
from groundswell.aws.janitor.report import put_clean
from groundswell.aws.reporting import collecting, window
from groundswell.aws.reporting.looking import mark_reported
from groundswell.aws.reporting.publishing import publish
from groundswell.aws.reporting.reporting import days_to_write, report_day
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps.labels import consolidate
from groundswell.ledger import Ledger
from tests.groundswell.aws.reporting.paper_office import (
    FIRST,
    Office,
    begun,
    days_of,
    november,
    on,
)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch)


@pytest.fixture
def run(office: Office) -> LabelingRun:
    return begun(office)


def test_a_label_and_a_payment_of_later_come_to_the_day_of_the_answer(office: Office) -> None:
    """Whole reports: the day of the answers is revised weeks later, says what changed, and is then let be."""
    run = office.desk.run(["a"])
    office.label(run, FIRST, "a")

    def morning(of: date) -> dict[str, Any]:
        found = office.window(of).as_xcom()
        collecting.collect_ledgers(office.reports, found)
        written = [report_day(office.reports, entry) for entry in days_to_write(office.reports, found)]
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


def test_what_a_task_wrote_that_died_before_it_told_is_found(office: Office, run: LabelingRun) -> None:
    run.ledger.append("payments", [{"assignment": "a-AX", "item": "a", "cents": 6}])
    assert office.daily(on(21)) == {"02", "03", "04"}, "though its progress is of before"
    assert office.paid_on(FIRST) == 1
    assert office.marks(on(22)) == set()


def test_of_the_days_of_a_run_only_those_are_written_that_changed(office: Office, run: LabelingRun) -> None:
    """A run of weeks changes every day, and has something new to say of few of its days."""

    def wanted(morning: date) -> list[str]:
        found = office.window(morning).as_xcom()
        collecting.collect_ledgers(office.reports, found)
        for _ in range(2):  # cleared
            some = days_to_write(office.reports, found)
        for entry in some:
            report_day(office.reports, entry)
        mark_reported(office.reports, found)
        return [entry["day"][-2:] for entry in some]

    office.note(run, november(20))
    assert wanted(on(21)) == ["02", "03", "04", "20"], "nobody knows of what these were made"
    office.pay(run, november(21), "a")
    assert wanted(on(22)) == ["02", "21"], "those that are due are looked at anyway"
    office.note(run, november(22))
    assert wanted(on(23)) == ["22"]
    asked = office.window(on(23), from_day=str(FIRST), to_day=str(on(4))).as_xcom()
    assert days_to_write(office.reports, asked) == asked
    alone = [entry | {"extra": True} for entry in asked]
    assert days_to_write(office.reports, alone) == alone[-1:], "a run tells of its newest day"


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
