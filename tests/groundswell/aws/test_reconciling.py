"""Change something at the server behind the ledger's back, or in the ledger alone, and see the row."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from groundswell.aws import reconciling
from groundswell.aws.clearing import clear_hits
from groundswell.aws.collecting import Wave
from groundswell.aws.reconciling import Reconciliation, reconcile
from groundswell.aws.runs import COMPENSATIONS, LabelingRun, all_ledgers, now_text
from groundswell.aws.steps import spend as spend_steps
from groundswell.aws.steps.reconcile import reconcile as task
from groundswell.ledger import Ledger, annotation
from tests.groundswell.aws.desk import Desk, Served, served_market

pytestmark = pytest.mark.contract

SCRIPT = {"a": ["setosa"] * 2, "b": ["setosa", "virginica", "virginica"]}


@pytest.fixture(scope="module")
def market_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served_market(tmp_path_factory.mktemp("market")) as served:
        yield served


@pytest.fixture
def desk(market_url: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(reconciling, "SETTLE", (0.0,))
    return Desk(market_url, tmp_path, monkeypatch)


def started(desk: Desk, **changes: Any) -> LabelingRun:
    """Start a run, with the plan that says what the account has."""
    run = desk.run(list(SCRIPT), **changes)
    plan(desk, run)
    return run


def plan(desk: Desk, run: LabelingRun, at: str = "") -> None:
    funds = sum(desk._mturk.balance_cents())
    row = {"at": at or now_text(), "funds_cents": funds, "reward_cents": 5, "fee_cents": 1}
    run.ledger.append("spend", [row])


def finished(desk: Desk, **changes: Any) -> LabelingRun:
    """Label two items by five answers."""
    run = started(desk, **changes)
    desk.to_the_end(run, SCRIPT)
    return run


def look(desk: Desk, run: LabelingRun) -> Reconciliation:
    return reconcile(desk.again(run))


def whats(found: Reconciliation) -> list[str]:
    return sorted(row.what for row in found.rows)


def hit_of(run: LabelingRun, item: str) -> str:
    return str(run.ledger.fold().hits[item]["hit"])


def submit(desk: Desk, hit: str, worker: str, label: str = "setosa") -> str:
    name = desk.market.workers.ensure_worker(worker).worker_id
    assignment = desk.market.workers.accept(name, hit).assignment_id
    desk.market.workers.submit(assignment, [("label", label)], worker_id=name)
    return str(assignment)


def test_a_clean_run_has_no_difference_before_and_after_its_hits_are_deleted(desk: Desk) -> None:
    run = finished(desk)
    assert task(desk.again(run))["reconciled"] is True
    clear_hits(desk.again(run))
    document = task(desk.again(run))
    assert (document["rows"], document["notes"], document["hits"]) == ([], [], 0)
    kept = run.ledger.get_document("reconciliation.json")
    assert kept == document
    assert kept["run_id"] == run.run_id


def test_a_clean_run_costs_one_call_for_a_hundred_hits(desk: Desk) -> None:
    run = finished(desk)
    before = desk.market.counts("000000000000")
    assert look(desk, run).rows == []
    after = desk.market.counts("000000000000")
    called = {name: count - before.get(name, 0) for name, count in after.items()}
    assert {name for name, count in called.items() if count} == {"ListHITs", "GetAccountBalance"}


@pytest.mark.parametrize("seed", range(6))
def test_random_runs_are_clean(desk: Desk, seed: int) -> None:
    rng = random.Random(seed)
    items = [f"i{number}" for number in range(6)]
    run = desk.run(items)
    plan(desk, run)
    script = {item: rng.choices(["setosa", "virginica", "nonsense"], [6, 3, 1], k=5) for item in items}
    desk.publish(run)
    for _ in range(rng.randrange(8)):  # sometimes the run stops half-way
        desk.answer(run, script)
        desk.collect(run)
    assert look(desk, run).rows == []
    if rng.random() < 0.5:
        clear_hits(desk.again(run))
        assert look(desk, run).rows == []


def test_open_hits_of_a_failed_run_are_no_difference(desk: Desk) -> None:
    run = started(desk)
    desk.publish(run)
    desk.answer(run, {"a": SCRIPT["a"]})
    [first, _] = desk.assignments(hit_of(run, "a"))
    assert look(desk, run).rows == [], "submitted, and collecting will come to it"
    desk.call("ApproveAssignment", AssignmentId=first["AssignmentId"])
    assert look(desk, run).rows == [], "approved by the service, and collecting will record it"
    assert task(desk.again(run))["reconciled"] is True


def test_a_hit_that_was_deleted_by_hand(desk: Desk) -> None:
    run = finished(desk)
    hit = hit_of(run, "a")
    run.mturk.delete_hit(hit)
    [row] = look(desk, run).rows
    assert (row.what, row.ledger, row.workforce) == ("HIT unknown to the workforce", "published", "gone")
    assert row.where == f"item 'a', HIT {hit}"
    run.ledger.append("deletions", [{"item": "a", "hit": hit}])
    assert look(desk, run).rows == []


def test_a_process_that_died_after_a_deletion_is_no_difference(desk: Desk) -> None:
    run = finished(desk)
    intended = clear_intents(desk, run)
    assert intended == {"a", "b"}
    assert look(desk, run).rows == []


def clear_intents(desk: Desk, run: LabelingRun) -> set[str]:
    """Delete the HITs, and lose the rows that say so."""
    record = Ledger.record

    def lose(self: Ledger, kind: str, *arguments: Any) -> None:
        if kind != "deletions":
            record(self, kind, *arguments)

    later = desk.again(run)
    with desk.monkeypatch.context() as patch:
        patch.setattr(Ledger, "record", lose)
        clear_hits(later)
    assert later.ledger.fold().deleted == set()
    rows = [row for _, row in later.ledger.rows("intents") if row["purpose"] == "delete"]
    return {row["item"] for row in rows}


def test_a_lost_hit_that_the_ledger_knows_of_is_a_note(desk: Desk) -> None:
    run = started(desk)
    desk.publish(run)
    run.mturk.expire(hit_of(run, "a"))
    run.mturk.delete_hit(hit_of(run, "a"))
    assert whats(look(desk, run)) == ["HIT unknown to the workforce"]
    run.ledger.append("outcomes", [{"item": "a", "outcome": "lost"}])
    found = look(desk, run)
    assert found.rows == []
    assert "gone from the workforce, and known to be lost" in found.notes[0]


def test_a_hit_that_is_marked_as_deleted_and_is_there(desk: Desk) -> None:
    run = finished(desk)
    run.ledger.append("deletions", [{"item": "a", "hit": hit_of(run, "a")}])
    assert whats(look(desk, run)) == ["HIT not deleted"]


@pytest.mark.parametrize("item", ["a", "b" * 300])
def test_a_second_hit_of_an_item(desk: Desk, item: str) -> None:
    run = desk.run([item])
    plan(desk, run)
    desk.to_the_end(run, {item: ["setosa"] * 2})
    second = create(desk, run, item, annotation(run.batch.name, run.run_id, item))
    [row] = look(desk, run).rows
    assert (row.what, row.where) == ("second HIT of an item", f"item {item!r}, HIT {second}")
    assert row.ledger == f"HIT {hit_of(run, item)}"


def test_a_hit_that_was_published_and_not_recorded(desk: Desk) -> None:
    run = finished(desk)
    hit = create(desk, run, "c", annotation(run.batch.name, run.run_id, "c"))
    create(desk, run, "c", annotation(run.batch.name, "another run", "c"))
    create(desk, run, "c", "not json {")
    [row] = look(desk, run).rows
    assert (row.what, row.where, row.workforce) == (
        "HIT not in the ledger",
        f"item 'c', HIT {hit}",
        "Assignable",
    )


def create(desk: Desk, run: LabelingRun, item: str, mark: str) -> str:
    row = next(iter(run.ledger.fold().hits.values()))
    hit = desk.call(
        "CreateHITWithHITType",
        HITTypeId=row["hit_type"],
        MaxAssignments=1,
        LifetimeInSeconds=3600,
        Question=desk.call("GetHIT", HITId=row["hit"])["HIT"]["Question"],
        RequesterAnnotation=mark,
    )
    return str(hit["HIT"]["HITId"])


def test_seats_that_somebody_added(desk: Desk) -> None:
    run = finished(desk)
    desk.call(
        "CreateAdditionalAssignmentsForHIT",
        HITId=hit_of(run, "a"),
        NumberOfAdditionalAssignments=2,
        UniqueRequestToken="by-hand",
    )
    [row] = look(desk, run).rows
    assert (row.what, row.ledger, row.workforce) == ("seats", "2", "4")


def test_seats_that_were_opened_before_the_process_died_are_meant(desk: Desk) -> None:
    run = started(desk)
    desk.publish(run)
    desk.answer(run, SCRIPT)
    record = Ledger.record

    def die(self: Ledger, kind: str, *arguments: Any) -> None:
        if kind == "extensions":
            raise KeyboardInterrupt
        record(self, kind, *arguments)

    with desk.monkeypatch.context() as patch:
        patch.setattr(Ledger, "record", die)
        with pytest.raises(KeyboardInterrupt):
            desk.collect(desk.again(run))
    assert look(desk, run).rows == []
    desk.to_the_end(desk.again(run), SCRIPT)
    assert look(desk, run).rows == []


def test_late_answers_are_taken_and_are_no_difference(desk: Desk) -> None:
    run, late = with_late_answer(desk)
    found = look(desk, run)
    assert whats(found) == ["answer not in the ledger"]
    assert found.rows[0].workforce == "Submitted"
    assert found.late == ["a"]
    document = task(desk.again(run))
    assert document["reconciled"] is True
    assert document["notes"] == ["1 items had answers that came late; they are recorded and paid now"]
    assert late in run.ledger.fold().payments


def with_late_answer(desk: Desk) -> tuple[LabelingRun, str]:
    """A worker hands in after the HIT's lifetime, when asking about the item has ended."""
    run = started(desk)
    desk.publish(run)
    hit = hit_of(run, "a")
    name = desk.market.workers.ensure_worker("ALATECOMER").worker_id
    held = desk.market.workers.accept(name, hit).assignment_id
    submit(desk, hit, "AINTIME")
    run.mturk.expire(hit)
    run.ledger.append("outcomes", [{"item": "a", "outcome": "expired", "seats": 2}])
    desk.market.workers.submit(held, [("label", "setosa")], worker_id=name)
    [first, _] = desk.assignments(hit)
    wave_takes = {"assignment": first["AssignmentId"], "item": "a", "worker": "AINTIME"}
    approve(desk, run, wave_takes | {"label": "setosa", "submitted": now_text(), "problem": None})
    return run, str(held)


def approve(desk: Desk, run: LabelingRun, answer: dict[str, Any]) -> None:
    run.ledger.append("answers", [answer])
    desk.call("ApproveAssignment", AssignmentId=answer["assignment"])
    paid = {"assignment": answer["assignment"], "item": answer["item"], "cents": 6, "at": now_text()}
    run.ledger.append("payments", [paid])


def test_an_answer_that_the_ledger_lacks_though_it_was_approved(desk: Desk) -> None:
    run, late = with_late_answer(desk)
    desk.call("ApproveAssignment", AssignmentId=late)
    found = look(desk, run)
    assert whats(found) == ["answer not in the ledger", "funds"]
    with pytest.raises(AirflowFailException, match="2 differences between ledger and workforce") as caught:
        task(desk.again(run))
    table = str(caught.value).splitlines()[1:]
    assert table[0].split() == ["what", "where", "ledger", "workforce", "what", "to", "do"]
    assert len({line.find("clear delete_hits") for line in table[1:2]} | {table[0].find("what to do")}) == 1
    kept = run.ledger.get_document("reconciliation.json")
    assert kept is not None
    assert (kept["reconciled"], len(kept["rows"])) == (False, 2)
    clear_hits(desk.again(run))  # what the row says to do
    assert task(desk.again(run))["reconciled"] is True


def test_an_answer_that_the_workforce_lost(desk: Desk) -> None:
    run = finished(desk)
    answer = next(iter(run.ledger.fold().answers.values()))
    run.ledger.append("answers", [answer | {"assignment": "3LOST"}])
    [row] = look(desk, run).rows
    assert (row.what, row.ledger, row.workforce) == (
        "answer unknown to the workforce",
        "recorded, not paid",
        "unknown",
    )
    assert row.where.endswith("assignment 3LOST")


def test_a_payment_that_was_not_made(desk: Desk) -> None:
    run, late = with_late_answer(desk)
    row = {"assignment": late, "item": "a", "worker": "ALATECOMER", "label": "setosa", "problem": None}
    run.ledger.append("answers", [row | {"submitted": now_text()}])
    run.ledger.append("payments", [{"assignment": late, "item": "a", "cents": 6, "at": now_text()}])
    found = look(desk, run)
    assert whats(found) == ["funds", "paid, but not approved"]
    assert found.rows[0].workforce == "Submitted"
    desk.call("RejectAssignment", AssignmentId=late, RequesterFeedback="no")
    found = look(desk, run)
    assert found.rows[0].workforce == "Rejected"
    assert found.rows[1].ledger == "$0.12 by this run, $0.00 by other runs"
    assert found.rows[1].workforce == "fell by $0.06"


def test_an_answer_that_is_recorded_and_waits_to_be_paid(desk: Desk) -> None:
    run, late = with_late_answer(desk)
    row = {"assignment": late, "item": "a", "worker": "ALATECOMER", "label": "setosa", "problem": None}
    run.ledger.append("answers", [row | {"submitted": now_text()}])
    found = look(desk, run)
    assert (whats(found), found.late) == (["answer not paid"], ["a"])
    run.ledger.append("withheld", [row | {"reason": "it disagrees", "at": now_text()}])
    assert look(desk, run).rows == [], "it waits for a review"


def test_approved_by_somebody_else(desk: Desk) -> None:
    run, late = with_late_answer(desk)
    row = {"assignment": late, "item": "a", "worker": "ALATECOMER", "label": "setosa", "problem": None}
    run.ledger.append("answers", [row | {"submitted": now_text()}])
    desk.call("ApproveAssignment", AssignmentId=late)
    assert whats(look(desk, run)) == ["approved, but no payment recorded", "funds"]


def test_rejected_by_somebody_else(desk: Desk) -> None:
    run, late = with_late_answer(desk)
    row = {"assignment": late, "item": "a", "worker": "ALATECOMER", "label": "setosa", "problem": None}
    run.ledger.append("answers", [row | {"submitted": now_text()}])
    desk.call("RejectAssignment", AssignmentId=late, RequesterFeedback="no")
    [found] = look(desk, run).rows
    assert (found.what, found.workforce) == ("rejected behind the ledger's back", "Rejected")
    run.ledger.append("rejections", [row | {"feedback": "no", "at": now_text()}])
    assert look(desk, run).rows == []


def test_rejected_in_the_ledger_only(desk: Desk) -> None:
    run, late = with_late_answer(desk)
    row = {"assignment": late, "item": "a", "worker": "ALATECOMER", "label": "setosa", "problem": None}
    run.ledger.append("answers", [row | {"submitted": now_text()}])
    run.ledger.append("rejections", [row | {"feedback": "no", "at": now_text()}])
    run.ledger.append("outcomes", [{"item": "a", "outcome": "expired", "seats": 2, "rejected": 1}])
    [found] = look(desk, run).rows
    assert (found.what, found.ledger) == ("rejected, but not at the workforce", "rejected")
    desk.call("ApproveAssignment", AssignmentId=late)
    assert whats(look(desk, run)) == ["approved, but no payment recorded", "funds"]
    assert task(desk.again(run))["reconciled"] is True, "somebody overrode it; the payment is recorded"
    assert late in run.ledger.fold().payments


def test_counts_that_agree_by_chance_are_found_by_the_money(desk: Desk) -> None:
    run, _ = with_late_answer(desk)
    row = {"item": "a", "worker": "ALATECOMER", "label": "setosa", "problem": None, "submitted": now_text()}
    run.ledger.append("answers", [row | {"assignment": "3OTHER"}])
    run.ledger.append("withheld", [row | {"assignment": "3OTHER", "reason": "r", "at": now_text()}])
    assert look(desk, run).rows == [], "two answers here and there, one of them paid, one waits"
    spend(desk)
    assert whats(look(desk, run)) == [
        "answer not in the ledger",
        "answer unknown to the workforce",
        "funds",
    ]


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


def later() -> str:
    """A time that is certainly after the plan, whatever clock it was taken from."""
    return (datetime.now(UTC) + timedelta(minutes=5)).isoformat(timespec="seconds")


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


def spend(desk: Desk) -> None:
    """Somebody else pays an answer from the account."""
    other = desk.run(["z"])
    desk.publish(other)
    hit = hit_of(other, "z")
    desk.call("ApproveAssignment", AssignmentId=submit(desk, hit, "AELSEWHERE"))


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


# two looks


def test_a_list_that_lags_is_looked_at_again(desk: Desk) -> None:
    run = finished(desk)
    hits, waited = list(run.mturk.hits()), []
    stale = [dict(hit, NumberOfAssignmentsCompleted=0) for hit in hits]
    calls = iter([stale, hits])
    desk.monkeypatch.setattr(desk._mturk, "hits", lambda: next(calls))
    listed = desk._mturk.assignments
    lagging: list[Any] = [[], []]

    def assignments(hit: str) -> Any:
        return lagging.pop() if lagging else listed(hit)

    desk.monkeypatch.setattr(desk._mturk, "assignments", assignments)
    assert reconcile(desk.again(run), pause=waited.append).rows == []
    assert waited == [0.0]


def test_a_new_hit_may_be_missing_in_the_list(desk: Desk) -> None:
    run = finished(desk)
    desk.monkeypatch.setattr(desk._mturk, "hits", lambda: iter(()))
    found = look(desk, run)
    assert (found.rows, found.hits) == ([], 2)
