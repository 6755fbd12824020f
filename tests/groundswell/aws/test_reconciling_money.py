"""Pay something behind the ledger's back, or move the account's money, and see the row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from groundswell.aws import reconciling
from groundswell.aws.collecting import Wave
from groundswell.aws.runs import COMPENSATIONS, LabelingRun, all_ledgers, now_text
from groundswell.aws.steps import spend as spend_steps
from groundswell.ledger import Ledger
from tests.groundswell.aws.desk import Desk, Served
from tests.groundswell.aws.reconciled import (
    SCRIPT,
    finished,
    hit_of,
    later,
    look,
    plan,
    spend,
    started,
    submit,
    whats,
)

pytestmark = pytest.mark.contract


@pytest.fixture
def desk(shared_market: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(reconciling, "SETTLE", (0.0,))
    return Desk(shared_market, tmp_path, monkeypatch)


# bonuses


def test_bonuses(desk: Desk) -> None:
    run = finished(desk)
    [first, second] = run.ledger.fold().answers_of("a")
    bonus = {"item": "a", "cents": 10, "fee_cents": 2, "reason": "good", "at": now_text()}
    bonus |= {"assignment": first["assignment"], "worker": first["worker"]}
    run.ledger.append("bonuses", [bonus | {"token": "t1"}])
    found = look(desk, run)
    assert whats(found) == ["bonus", "funds"]
    assert (found.rows[0].ledger, found.rows[0].workforce) == ("1 of $0.10", "none")
    give(desk, first, "0.10", "t1")
    assert look(desk, run).rows == []
    give(desk, first, "0.10", "twice")
    give(desk, second, "0.02", "by hand")
    found = look(desk, run)
    assert whats(found) == ["bonus", "bonus", "funds"]
    assert {(row.ledger, row.workforce) for row in found.rows[:2]} == {
        ("1 of $0.10", "2 of $0.10"),
        ("none", "1 of $0.02"),
    }


def test_bonuses_that_the_ledger_lacks_are_found_by_the_money(desk: Desk) -> None:
    run = finished(desk)
    give(desk, run.ledger.fold().answers_of("b")[0], "1.00", "by hand")
    found = look(desk, run)
    assert whats(found) == ["bonus", "funds"]
    assert found.rows[1].workforce == "fell by $1.50"


def test_bonuses_of_compensations_have_a_ledger_of_their_own(desk: Desk) -> None:
    run = finished(desk)
    [first, second] = run.ledger.fold().answers_of("a")
    bonus = {"item": "a", "cents": 10, "fee_cents": 2, "reason": "good", "at": later()}
    mine = {"token": "1", "assignment": first["assignment"], "worker": first["worker"]}
    theirs = {"token": "2", "assignment": second["assignment"], "worker": second["worker"]}
    give(desk, first, "0.10", "1")
    give(desk, second, "0.10", "2")
    run.ledger.append("bonuses", [bonus | mine])
    Ledger(run.store, COMPENSATIONS, f"{run.batch.name}/case-1").append("bonuses", [bonus | theirs])
    found = look(desk, run)
    assert (found.rows, found.notes) == ([], [])


def test_a_run_that_is_over_and_was_paid_again_is_read(desk: Desk) -> None:
    old = desk.run(["z"])
    desk.to_the_end(old, {"z": ["setosa"] * 2})
    old.ledger.put_document("summary.json", {"open": 0, "updated": "2026-01-01T00:00:00+00:00"})
    run = finished(desk)
    before = look(desk, run)
    assert (before.rows, before.notes) == ([], [])
    case = Ledger(run.store, COMPENSATIONS, f"{run.batch.name}/case-2")
    case.append("intents", [{"token": "t", "purpose": "undo_rejection", "at": "2026", "run_id": old.run_id}])
    spend(desk)  # six cents, as the old run has it now
    paid = {"assignment": "3UNDONE", "item": "z", "cents": 6, "at": later()}
    old.ledger.append("payments", [paid])
    found = look(desk, run)
    assert found.rows == []
    assert found.notes[0].endswith("paid $0.06 to $0.18"), "two payments of its own may be from before"


def give(desk: Desk, answer: dict[str, Any], amount: str, token: str) -> None:
    desk.call(
        "SendBonus",
        WorkerId=answer["worker"],
        AssignmentId=answer["assignment"],
        BonusAmount=amount,
        Reason="good",
        UniqueRequestToken=f"{token}-{answer['assignment']}",
    )


# money


def test_money_that_went_elsewhere(desk: Desk) -> None:
    run = finished(desk)
    spend(desk)
    [row] = look(desk, run).rows
    assert (row.what, row.ledger, row.workforce) == (
        "funds",
        "$0.30 by this run, $0.00 by other runs",
        "fell by $0.36",
    )
    shared(desk, run)
    found = look(desk, run)
    assert found.rows == []
    assert "spend.shared_account is true, so this is no difference" in found.notes[0]


def shared(desk: Desk, run: LabelingRun) -> None:
    path = Path(run.batch_path)
    path.write_text(path.read_text().replace("spend:\n", "spend:\n  shared_account: true\n"))


def test_other_runs_of_the_store_are_known(desk: Desk) -> None:
    run = desk.run(list(SCRIPT))
    plan(desk, run, at="2026-01-01T00:00:00+00:00")
    desk.to_the_end(run, SCRIPT)
    before = desk.run(["z"])  # under way at the same time
    desk.to_the_end(before, {"z": ["setosa"] * 2})
    found = look(desk, run)
    assert (found.rows, found.notes) == ([], [])
    spend(desk)
    assert look(desk, run).rows[0].ledger == "$0.30 by this run, $0.12 by other runs"


def test_what_cannot_be_known_exactly_is_a_note(desk: Desk) -> None:
    run = desk.run(list(SCRIPT))
    plan(desk, run, at="2026-01-01T00:00:00+00:00")
    desk.to_the_end(run, SCRIPT)
    other = desk.run(["z"])
    desk.publish(other)
    hit = hit_of(other, "z")
    late = submit(desk, hit, "AELSEWHERE")
    answer = {"assignment": late, "item": "z", "worker": "A", "label": "setosa", "submitted": now_text()}
    other.ledger.append("answers", [answer])
    plan(desk, other)
    desk.call("ApproveAssignment", AssignmentId=late)  # and not recorded yet
    found = look(desk, run)
    assert found.rows == []
    assert "other runs of the store are under way" in found.notes[0]
    assert found.notes[0].endswith("paid $0.00 to $0.06")
    other.ledger.append("payments", [{"assignment": late, "item": "z", "cents": 6}])
    assert look(desk, run).notes[0].endswith("paid $0.00 to $0.06"), "nobody knows when"


def test_runs_that_were_over_before_are_not_read(desk: Desk) -> None:
    old = desk.run(["z"])
    desk.to_the_end(old, {"z": ["setosa"] * 2})
    old.ledger.put_document("summary.json", {"open": 0, "updated": "2026-01-01T00:00:00+00:00"})
    run = finished(desk)
    assert {run_id for _, run_id in all_ledgers(run.store)} == {old.run_id, run.run_id}
    found = look(desk, run)
    assert (found.rows, found.notes) == ([], [])
    old.ledger.put_document("summary.json", {"open": 1, "updated": "2026-01-01T00:00:00+00:00"})
    assert "as far as can be known" in look(desk, run).notes[0]


def test_what_was_approved_before_the_plan_is_not_counted_when_it_is_recorded_after_it(desk: Desk) -> None:
    old = desk.run(["z"])
    desk.publish(old)
    hour_ago = timedelta(hours=-1)
    submit(desk, hit_of(old, "z"), "AEARLY")
    desk.clock.offset = hour_ago
    for each in desk.assignments(hit_of(old, "z")):
        desk.call("ApproveAssignment", AssignmentId=each["AssignmentId"])  # as the service does by itself
    desk.clock.offset = timedelta()
    run = desk.run(list(SCRIPT))
    plan(desk, run, (datetime.now(UTC) - timedelta(minutes=10)).isoformat(timespec="seconds"))
    desk.to_the_end(run, SCRIPT)
    Wave(old, old.ledger.fold()).take_late("z")
    found = look(desk, run)
    assert found.rows == []


def test_a_run_that_is_over_but_whose_hits_are_left_may_still_pay(desk: Desk) -> None:
    old = desk.run(["z"])
    desk.to_the_end(old, {"z": ["setosa"] * 2})
    summary = {"open": 0, "undeleted": 1, "updated": "2026-01-01T00:00:00+00:00"}
    old.ledger.put_document("summary.json", summary)
    run = finished(desk)
    spend(desk)  # six cents, as the old run has it now
    old.ledger.append("payments", [{"assignment": "3LATE", "item": "z", "cents": 6, "at": later()}])
    assert look(desk, run).rows == []


def test_a_deposit_before_the_approval_is_no_difference(desk: Desk) -> None:
    path = desk.batch_file(list(SCRIPT), spend={"budget": "45.00", "approve_above": "0.00"})
    desk.load(path, "deposited", relabel=True)
    run = desk.again(LabelingRun(str(path), "deposited"))
    available, held = run.mturk.balance_cents()
    with desk.monkeypatch.context() as patch:
        patch.setattr(run.mturk, "balance_cents", lambda: (available - 500, held))
        planned = spend_steps.plan(run)
    spend_steps.reserve(run, planned, "ada")
    desk.to_the_end(run, SCRIPT)
    assert look(desk, run).rows == []
    spend_steps.reserve(run, spend_steps.plan(run), "somebody else")
    assert look(desk, run).rows == [], "what the account had before the run spent anything counts"


def test_without_a_plan_and_in_a_sandbox_funds_are_a_note(desk: Desk) -> None:
    run = desk.run(list(SCRIPT))
    desk.to_the_end(run, SCRIPT)
    assert "the run has no plan" in look(desk, run).notes[0]
    desk.monkeypatch.setattr(desk._mturk, "balance_cents", lambda: (1_000_000, 0))
    plan(desk, run)
    assert "a sandbox, whose balance stays $10,000.00" in look(desk, run).notes[0]


def test_a_workforce_that_does_not_say_what_it_holds(desk: Desk) -> None:
    run = started(desk)
    desk.publish(run)
    available = desk._mturk.available_cents()
    desk.monkeypatch.setattr(desk._mturk, "balance_cents", lambda: (available, 0))
    assert "does not say what it holds" in look(desk, run).notes[0]
