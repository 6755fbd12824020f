"""Rejecting with due process, on a real workforce: withhold, propose, decide, reject, ask again."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException
from botocore.exceptions import ClientError

from dags import labeling
from groundswell.aws.clearing import clear_hits
from groundswell.aws.hooks.mturk import MTurkHook
from groundswell.aws.reviewing import apply_reviews, decision_on, propose_rejections, record_decision
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps.labels import consolidate
from groundswell.errors import ReviewError
from groundswell.ledger import Outcome
from tests.groundswell.aws.desk import ACCOUNT, Desk
from tests.groundswell.aws.workbench import Killed, Killer, _MortalStore

pytestmark = pytest.mark.contract

AT = "2026-01-01T00:00:00+00:00"
REVIEW = {"agreement_below": 0.5, "minimum_answers": 2, "feedback": "It contradicts the other workers."}
THREE_EACH = {"rule": "agree", "agree": 2, "first": 3, "most": 5}
SPAMMER = "ASPAMMER"
#: Everybody on both items; the spammer contradicts both honest workers.
ANSWERS = {"AHONEST1": "setosa", "AHONEST2": "setosa", SPAMMER: "virginica"}


def submit(desk: Desk, run: LabelingRun, item: str, worker: str, label: str | None) -> str:
    name = desk.market.workers.ensure_worker(worker).worker_id
    assignment = desk.market.workers.accept(name, run.ledger.fold().hits[item]["hit"]).assignment_id
    fields = [("item", item)] if label is None else [("item", item), ("label", label)]
    desk.market.workers.submit(assignment, fields, worker_id=name)
    return assignment


def started(
    desk: Desk, answers: Mapping[str, str | None] = ANSWERS, *, items: Sequence[str] = "ab", **review: Any
) -> LabelingRun:
    """A run with its first answers, not collected yet."""
    run = desk.run(items, redundancy=THREE_EACH, review=REVIEW | review)
    desk.publish(run)
    for item in items:
        for worker, label in answers.items():
            submit(desk, run, item, worker, label)
    return run


def decided(desk: Desk, run: LabelingRun, workers: Sequence[str] = (SPAMMER,)) -> None:
    """Collect, propose, and let a person decide."""
    desk.collect(desk.again(run))
    propose_rejections(desk.again(run))
    record_decision(desk.again(run), list(workers), by="rita", at=AT)


def statuses(desk: Desk, run: LabelingRun) -> Counter[str]:
    hits = [row["hit"] for row in run.ledger.fold().hits.values()]
    return Counter(each["AssignmentStatus"] for hit in hits for each in desk.assignments(hit))


def check(desk: Desk, run: LabelingRun) -> None:
    """Every answer paid or rejected, once, and the record says so to the cent."""
    state = desk.again(run).ledger.fold()
    there = {
        each["AssignmentId"]: each["AssignmentStatus"]
        for row in state.hits.values()
        for each in desk.assignments(row["hit"])
    }
    assert sorted(there) == sorted(state.answers)
    assert {key for key, status in there.items() if status == "Approved"} == set(state.payments)
    assert {key for key, status in there.items() if status == "Rejected"} == set(state.rejections)
    assert set(there.values()) <= {"Approved", "Rejected"}
    assert state.spent_cents == 6 * len(state.payments)
    assert desk.market.audit(ACCOUNT) == []


def test_from_a_suspicion_to_another_workers_answer(desk: Desk) -> None:
    run = started(desk)
    progress = desk.collect(desk.again(run))
    assert (progress.settled, progress.open, progress.spent_cents) == (2, 0, 24), "honest workers are paid"
    assert statuses(desk, run) == {"Approved": 4, "Submitted": 2}

    asked = propose_rejections(desk.again(run))
    assert asked["approval"]
    assert asked["workers"] == [{"worker": SPAMMER, "answers": 2}]
    assert "0% of 2 settled items" in asked["text"]

    record_decision(desk.again(run), [SPAMMER], by="rita", at=AT)
    done = apply_reviews(desk.again(run), [SPAMMER], "rita")
    assert (done["rejected"], done["paid"], done["not_reopened"]) == (2, 0, 0)
    state = desk.again(run).ledger.fold()
    assert state.outcomes == {}, "an item waits for the answer in place of the rejected one"
    assert {row["feedback"] for row in state.rejections.values()} == {REVIEW["feedback"]}
    assert [row["by"] for row in state.approvals if row["what"] == "rejections"] == ["rita"]
    assert [desk.seats_open(row["hit"]) for row in state.hits.values()] == [1, 1]

    for item in "ab":
        submit(desk, run, item, "AANOTHER", "setosa")
    progress = desk.collect(desk.again(run))
    assert (progress.settled, progress.open, progress.spent_cents) == (2, 0, 36)
    check(desk, run)
    assert consolidate(desk.again(run))["labelled"] == 2
    labels = [row for _, row in run.ledger.rows("labels")]
    assert {(row["n_answers"], row["label"]) for row in labels} == {(3, "setosa")}, (
        "the rejected ones are out"
    )
    assert min(row["confidence"] for row in labels) > 0.99, "nobody who is left contradicts"
    assert clear_hits(desk.again(run))["deleted"] == 2


@contextlib.contextmanager
def killed(desk: Desk, run: LabelingRun, at: int) -> Iterator[tuple[LabelingRun, Killer]]:
    """The run in a process that dies after its n-th effect; the client is the shared one."""
    killer = Killer(at, after=True)
    watched = desk.again(run)
    watched.__dict__["store"] = _MortalStore(watched.store, killer)
    events = watched.mturk.conn.meta.events
    events.register("before-call.mturk", killer.before, unique_id="killer")
    events.register("after-call.mturk", killer.done, unique_id="killed")
    try:
        yield watched, killer
    finally:
        events.unregister("before-call.mturk", unique_id="killer")
        events.unregister("after-call.mturk", unique_id="killed")


def test_a_decision_killed_after_any_effect(desk: Desk) -> None:
    def ready() -> LabelingRun:
        run = started(desk, most_per_worker=1)  # one is rejected, the other paid
        decided(desk, run)
        return run

    with killed(desk, ready(), 0) as (run, killer):
        apply_reviews(run, [SPAMMER], "rita")
    assert killer.effects >= 12, "looks, a payment, an intent, a rejection, a reservation, an extension"
    for number in range(1, killer.effects + 1):
        run = ready()
        with killed(desk, run, number) as (dying, _), pytest.raises(Killed):
            apply_reviews(dying, [SPAMMER], "rita")
        apply_reviews(desk.again(run), [SPAMMER], "rita")
        check(desk, run)
        state = desk.again(run).ledger.fold()
        assert (len(state.rejections), len(state.payments)) == (1, 5), f"effect {number}"
        [rejected] = state.rejections.values()
        seats = {item: desk.seats_open(row["hit"]) for item, row in state.hits.items()}
        assert seats == {item: int(item == rejected["item"]) for item in "ab"}, f"effect {number}"
        assert state.open_items == [rejected["item"]], f"effect {number}"


def test_twins_of_a_decision_do_no_harm(desk: Desk) -> None:
    run = started(desk)
    decided(desk, run)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: apply_reviews(desk.again(run), [SPAMMER], "rita"), range(2)))
    check(desk, run)
    state = run.ledger.fold()
    assert len(state.rejections) == 2
    assert [desk.seats_open(row["hit"]) for row in state.hits.values()] == [1, 1]


def test_collecting_with_a_review_killed_after_any_effect(desk: Desk) -> None:
    unreadable = ANSWERS | {SPAMMER: None}
    with killed(desk, started(desk, unreadable, items="a"), 0) as (run, killer):
        desk.collect(run)
    for number in range(1, killer.effects + 1):
        run = started(desk, unreadable, items="a")
        with killed(desk, run, number) as (dying, _), pytest.raises(Killed):
            desk.collect(dying)
        desk.collect(desk.again(run))
        assert statuses(desk, run) == {"Approved": 2, "Submitted": 1}, f"effect {number}"
        state = desk.again(run).ledger.fold()
        assert len(state.withheld) == 1
        assert len(state.payments) == 2, f"effect {number}"


def test_nobody_answering_pays_everybody(desk: Desk) -> None:
    run = started(desk)
    desk.collect(desk.again(run))
    propose_rejections(desk.again(run))
    record_decision(desk.again(run), [], by=None, at=AT)
    done = apply_reviews(desk.again(run), [], None)
    assert (done["rejected"], done["paid"]) == (0, 2)
    assert statuses(desk, run) == {"Approved": 6}
    check(desk, run)
    assert run.ledger.fold().count(Outcome.SETTLED) == 2, "nothing was asked again"


def test_a_decision_stands_for_the_proposals_that_it_was_made_on(desk: Desk) -> None:
    run = started(desk)
    desk.collect(desk.again(run))
    asked = propose_rejections(desk.again(run))
    assert decision_on(run, asked) is None
    record_decision(run, [SPAMMER], by="rita", at=AT, proposed_at=asked["at"])
    assert decision_on(desk.again(run), asked) == {"workers": [SPAMMER], "by": "rita"}
    assert decision_on(run, asked | {"at": "2099-01-01T00:00:00+00:00"}) is None, "proposed anew, asked anew"


def test_only_what_the_person_saw_is_rejected(desk: Desk) -> None:
    """Somebody clears propose_rejections after the decision, and more answers are proposed by then."""
    run = started(desk, items="ab")
    desk.collect(desk.again(run))
    asked = propose_rejections(desk.again(run))
    record_decision(run, [SPAMMER], by="rita", at=AT, proposed_at=asked["at"])
    shown = run.ledger.get_document("review.json")
    assert shown is not None
    [proposal] = shown["workers"]
    [seen, unseen] = proposal["assignments"]
    run.ledger.put_document("review.json", shown | {"workers": [proposal | {"assignments": [unseen]}]})
    kept = f"review-{asked['at'].replace(':', '')}.json"
    run.ledger.put_document(kept, shown | {"workers": [proposal | {"assignments": [seen]}]})
    apply_reviews(desk.again(run), [SPAMMER], "rita")
    assert run.ledger.fold().rejections.keys() == {seen}
    check(desk, run)


def test_what_was_shown_is_kept_where_more_is_proposed_in_the_same_second(desk: Desk) -> None:
    run = started(desk, items="ab")
    desk.collect(desk.again(run))
    asked = [propose_rejections(desk.again(run)) for _ in range(3)]
    names = {f"review-{each['at'].replace(':', '')}.json" for each in asked}
    assert len(names) == 3
    assert all((run.ledger.get_document(name) or {})["workers"] for name in names)


def test_nothing_is_rejected_that_nobody_approved(desk: Desk) -> None:
    run = started(desk)
    decided(desk, run, workers=[])
    with pytest.raises(ReviewError, match=r"nobody approved rejecting answers of ASPAMMER"):
        apply_reviews(desk.again(run), [SPAMMER], "rita")
    record_decision(desk.again(run), [SPAMMER], by="rita", at=AT)
    with pytest.raises(ReviewError, match="nobody approved"):
        apply_reviews(desk.again(run), [SPAMMER], None)
    assert statuses(desk, run) == {"Approved": 4, "Submitted": 2}


def test_an_approval_that_was_marked_as_a_success_pays_everybody(desk: Desk) -> None:
    run = started(desk)
    desk.collect(desk.again(run))
    propose_rejections(desk.again(run))
    done = labeling.apply_reviews.function(run.batch_path, None, run_id=run.run_id)
    assert (done["rejected"], done["paid"]) == (0, 2)
    check(desk, run)


def test_unreadable_answers_wait_and_the_rest_of_a_suspects_is_not_proposed(desk: Desk) -> None:
    run = started(desk, items="a", answers=ANSWERS | {SPAMMER: None})
    desk.collect(desk.again(run))
    asked = propose_rejections(desk.again(run))
    assert asked["workers"] == [{"worker": SPAMMER, "answers": 1}]
    assert "1 of 1 answers cannot be read" in asked["text"]
    assert "`label: is missing`" in asked["text"]


def test_a_cleared_task_cannot_pass_the_caps(desk: Desk) -> None:
    run = started(desk, most_per_run=1)
    decided(desk, run)
    document = run.ledger.get_document("review.json")
    assert document is not None
    document["workers"][0]["assignments"] = sorted(run.ledger.fold().withheld)
    run.ledger.put_document("review.json", document)  # more than the caps allow, however it came about
    done = apply_reviews(desk.again(run), [SPAMMER], "rita")
    assert (done["rejected"], done["spared"], done["paid"]) == (1, 1, 1)
    check(desk, run)


def test_what_was_approved_meanwhile_stays_paid(desk: Desk) -> None:
    run = started(desk)
    decided(desk, run)
    desk.clock.offset = timedelta(days=4)  # past the automatic approval
    done = apply_reviews(desk.again(run), [SPAMMER], "rita")
    assert (done["approved_meanwhile"], done["rejected"], done["paid"]) == (2, 0, 2)
    check(desk, run)


def test_a_review_without_time_left_asks_nobody(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    run = started(desk)
    desk.collect(desk.again(run))
    soon = datetime.now(UTC) + timedelta(days=2, hours=22, minutes=30)  # approved by itself after three days
    monkeypatch.setattr(run.mturk, "now", lambda: soon)
    asked = propose_rejections(desk.again(run))
    assert asked["approval"]
    left = datetime.fromisoformat(asked["answer_by"]) - datetime.now(UTC)
    assert timedelta(minutes=25) < left <= timedelta(minutes=30), "and an hour to carry the decision out"
    monkeypatch.setattr(run.mturk, "now", lambda: soon + timedelta(hours=1))
    asked = propose_rejections(desk.again(run))
    assert not asked["approval"]
    assert "no time left" in asked["text"]


def test_rejected_at_the_workforces_own_site_counts_as_rejected(desk: Desk) -> None:
    run = started(desk)
    decided(desk, run, workers=[])
    by_hand = sorted(run.ledger.fold().withheld)[0]
    desk.call("RejectAssignment", AssignmentId=by_hand, RequesterFeedback="no")
    done = apply_reviews(desk.again(run), [], "rita")
    assert (done["rejected"], done["paid"]) == (1, 1)
    check(desk, run)
    assert len(run.ledger.fold().open_items) == 1, "its seat is open again"


def test_without_money_an_item_ends_by_what_is_left(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broke(*_: Any, **__: Any) -> None:
        raise ClientError(
            {"Error": {"Code": "RequestError"}, "TurkErrorCode": "AWS.MechanicalTurk.InsufficientFunds"},
            "CreateAdditionalAssignmentsForHIT",
        )

    run = desk.run("ab", redundancy=THREE_EACH, review=REVIEW)
    desk.publish(run)
    for worker, label in ANSWERS.items():
        submit(desk, run, "a", worker, label)
    for worker, label in {"AHONEST1": "setosa", "AHONEST2": "virginica", SPAMMER: "setosa"}.items():
        submit(desk, run, "b", worker, label)
    decided(desk, run)
    assert run.ledger.fold().count(Outcome.SETTLED) == 2
    # By hand also the answer is rejected that settled item b
    withheld = run.ledger.fold().withheld.values()
    [settling] = [each for each in withheld if (each["item"], each["worker"]) == ("b", SPAMMER)]
    desk.call("RejectAssignment", AssignmentId=settling["assignment"], RequesterFeedback="no")
    monkeypatch.setattr(run.mturk, "add_seats", broke)
    done = apply_reviews(desk.again(run), [SPAMMER], "rita")
    assert (done["rejected"], done["not_reopened"]) == (2, 2)
    assert run.ledger.fold().outcomes == {"a": Outcome.SETTLED, "b": Outcome.BUDGET}
    assert desk.collect(desk.again(run)).open == 0
    check(desk, run)


def test_a_hit_that_cannot_reach_ten_assignments_ends_with_what_there_is(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    nine = {"rule": "agree", "agree": 2, "first": 9, "most": 9}
    run = desk.run("a", redundancy=nine, review=REVIEW)
    desk.publish(run)
    for number in range(8):
        submit(desk, run, "a", f"AHONEST{number}", "setosa")
    submit(desk, run, "a", SPAMMER, None)
    decided(desk, run)
    done = apply_reviews(desk.again(run), [SPAMMER], "rita")
    assert (done["rejected"], done["not_reopened"]) == (1, 1)
    assert "created with fewer than 10 assignments and cannot reach 10" in caplog.text
    assert run.ledger.fold().outcomes == {"a": Outcome.SETTLED}, "eight others agree"
    check(desk, run)


def test_the_seat_of_a_hit_that_a_dying_clean_up_deleted_stays_closed(desk: Desk) -> None:
    run = started(desk)
    decided(desk, run)
    reject = MTurkHook.reject

    def reject_and_die(self: MTurkHook, assignment: str, feedback: str) -> str:
        reject(self, assignment, feedback)
        raise Killed

    with pytest.MonkeyPatch.context() as dying:
        dying.setattr(MTurkHook, "reject", reject_and_die)
        with pytest.raises(Killed):
            apply_reviews(desk.again(run), [SPAMMER], "rita")
    state = run.ledger.fold()
    deleted = {item: run.mturk.delete_hit(state.hits[item]["hit"]) for item in "ab"}
    assert sorted(deleted.values()) == ["deleted", "unreviewed"], "by delete_hits, whose record was lost"
    done = apply_reviews(desk.again(run), [SPAMMER], "rita")
    assert done["rejected"] == 2
    outcomes = run.ledger.fold().outcomes
    assert {item: outcomes.get(item) for item in "ab"} == {
        item: Outcome.LOST if result == "deleted" else None for item, result in deleted.items()
    }


def test_a_budget_that_was_spent_is_free_again_for_the_rejected_seat(desk: Desk) -> None:
    run = desk.run("ab", redundancy=THREE_EACH, review=REVIEW, spend__budget="0.36")
    desk.publish(run)
    for item in "ab":
        for worker, label in ANSWERS.items():
            submit(desk, run, item, worker, label)
    decided(desk, run)
    assert apply_reviews(desk.again(run), [SPAMMER], "rita")["not_reopened"] == 0
    for item in "ab":
        submit(desk, run, item, "AANOTHER", "setosa")
    assert desk.collect(desk.again(run)).spent_cents == 36
    check(desk, run)


def test_an_answer_that_cannot_be_paid_yet_does_not_stop_the_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(desk)
    decided(desk, run, workers=[])
    stuck = sorted(run.ledger.fold().withheld)[0]
    approve = run.mturk.approve

    def lagging(assignment_id: str) -> None:
        if assignment_id == stuck:
            message = "This operation can be called with a status of: null"
            raise ClientError({"Error": {"Code": "RequestError", "Message": message}}, "ApproveAssignment")
        approve(assignment_id)

    with monkeypatch.context() as patch:
        patch.setattr(run.mturk, "approve", lagging)
        with pytest.raises(AirflowException, match=f"1 answers cannot be paid yet: assignment {stuck}"):
            apply_reviews(desk.again(run), [], None)
    assert statuses(desk, run) == {"Approved": 5, "Submitted": 1}
    apply_reviews(desk.again(run), [], None)
    check(desk, run)
