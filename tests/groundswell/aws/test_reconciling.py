"""Change something at the server behind the ledger's back, or in the ledger alone, and see the row."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from groundswell.aws import reconciling
from groundswell.aws.clearing import clear_hits
from groundswell.aws.reconciling import reconcile
from groundswell.aws.runs import LabelingRun, now_text
from groundswell.aws.steps.reconcile import reconcile as task
from groundswell.ledger import Ledger, annotation
from tests.groundswell.aws.desk import Desk, Served
from tests.groundswell.aws.reconciled import (
    SCRIPT,
    finished,
    hit_of,
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
