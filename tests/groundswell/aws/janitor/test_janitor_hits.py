"""What may be wrong with HITs: found by a dry round that changes nothing, repaired, and gone after that."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from groundswell.aws.collecting import Wave
from groundswell.aws.runs import LabelingRun
from groundswell.ledger import Outcome
from tests.groundswell.aws.janitor.broom import Broom
from tests.groundswell.aws.workbench import Killed, Killer

pytestmark = pytest.mark.contract

LONG = timedelta(days=10)


def settle(run: LabelingRun, *items: str) -> None:
    run.ledger.append("outcomes", [{"item": item, "outcome": "settled"} for item in items])


def repaired(broom: Broom, run: LabelingRun, kind: str) -> None:
    """A dry round finds just this, a repairing one repairs it, and a third finds nothing."""
    assert broom.kinds(run.batch_path) == [kind]
    assert [each.result for each in broom.repair(run.batch_path)] == ["repaired"]
    assert broom.kinds(run.batch_path) == []


def test_a_house_in_order_is_left_as_it_is(broom: Broom) -> None:
    run = broom.begin("a")
    broom.to_the_end(run, {"a": ["setosa"] * 2})
    from groundswell.aws.clearing import clear_hits

    clear_hits(broom.again(run))
    assert broom.kinds(run.batch_path) == []
    with broom.nothing_published():
        assert broom.repair(run.batch_path) == []


def test_an_orphan_is_adopted_paid_and_taken_off_the_market(broom: Broom) -> None:
    run = broom.begin("a")
    hit = broom.hit_of(run, "a")
    broom.submit(hit)
    broom.lose(run, "hits")
    [found] = broom.survey(run.batch_path)
    assert (found.kind, found.item, found.name, found.safe) == ("orphan_hit", "a", hit, True)
    repaired(broom, run, "orphan_hit")
    assert broom.again(run).ledger.fold().hits["a"]["hit"] == hit
    assert broom.status(hit) == "Reviewable"
    broom.everything_is_paid(run, hit)


def test_an_orphan_without_an_intent_takes_a_word(broom: Broom) -> None:
    run = broom.begin("a")
    hit = broom.hit_of(run, "a")
    broom.lose(run, "hits", "intents")
    [found] = broom.repair(run.batch_path)
    assert found.result.startswith("left: the janitor cannot be sure")
    assert broom.status(hit) == "Assignable"
    [found] = broom.repair(run.batch_path, broom.rules(unsure=("orphan_hit",)))
    assert found.result == "repaired"
    assert broom.status(hit) == "Reviewable"


def test_a_hit_about_an_item_that_never_was_takes_a_person(broom: Broom) -> None:
    run = broom.begin("a")
    broom.post(run, "never")
    found = {each.name: each for each in broom.repair(run.batch_path) if each.kind == "orphan_hit"}
    [left] = found.values()
    assert left.result == "left: it takes a person"
    assert broom.status(left.name) == "Assignable"


def test_a_second_hit_is_paid_and_deleted_and_its_answers_count(broom: Broom) -> None:
    run = broom.begin("a")
    first = broom.hit_of(run, "a")
    for _ in range(2):
        broom.submit(first)
    broom.collect(run)
    second = broom.post(run, "a")
    answer = broom.submit(second)
    settle(run, "a")
    from groundswell.aws.clearing import clear_hits

    clear_hits(broom.again(run))
    repaired(broom, run, "second_hit")
    state = broom.again(run).ledger.fold()
    assert broom.status(second) == "Disposed"
    assert state.hits["a"]["hit"] == first
    assert state.payments[answer]["cents"] == 6
    assert len(state.answers_of("a")) == len(state.payments) == 3


def test_a_second_hit_that_a_worker_holds_waits(broom: Broom) -> None:
    run = broom.begin("a")
    second = broom.post(run, "a")
    broom.submit(second, hand_in=False)
    results = {each.kind: each.result for each in broom.repair(run.batch_path)}
    assert results["second_hit"].startswith("waits: a worker holds it")
    assert broom.status(second) != "Disposed"
    broom.clock.offset += timedelta(minutes=10)
    results = {each.kind: each.result for each in broom.repair(run.batch_path)}
    assert results["second_hit"] == "repaired"
    assert broom.status(second) == "Disposed"


def test_a_zombie_of_an_open_item_is_recorded_as_lost(broom: Broom) -> None:
    run = broom.begin("a", "b")
    hit = broom.hit_of(run, "a")
    run.mturk.expire(hit)
    assert run.mturk.delete_hit(hit) == "deleted"
    found = {each.kind: each for each in broom.survey(run.batch_path)}
    assert found.keys() == {"zombie", "open_hit_of_dead_run"}
    assert "Disposed" in found["zombie"].evidence
    assert {each.result for each in broom.repair(run.batch_path)} == {"repaired"}
    state = broom.again(run).ledger.fold()
    assert state.outcomes == {"a": Outcome.LOST}
    assert state.deleted == {"a"}
    assert broom.kinds(run.batch_path) == []


def test_a_deletion_that_was_not_written_down_is(broom: Broom) -> None:
    run = broom.begin("a")
    broom.to_the_end(run, {"a": ["setosa"] * 2})
    from groundswell.aws.clearing import clear_hits

    clear_hits(broom.again(run))
    broom.lose(run, "deletions")
    repaired(broom, run, "zombie")
    assert broom.again(run).ledger.fold().outcomes == {"a": Outcome.SETTLED}


def test_hits_that_another_account_may_have_are_not_given_up(broom: Broom) -> None:
    run = broom.begin("a")
    row = run.ledger.fold().hits["a"] | {"hit": "3NOSUCHHITINTHISACCOUNTXXXXXXX", "item": "a"}
    broom.call("UpdateExpirationForHIT", HITId=broom.hit_of(run, "a"), ExpireAt=broom.clock.now())
    broom.call("DeleteHIT", HITId=broom.hit_of(run, "a"))
    broom.lose(run, "hits")
    run.ledger.append("hits", [row])
    [found] = broom.repair(run.batch_path)
    assert found.kind == "zombie"
    assert "is it the one that published it?" in found.evidence
    assert found.result.startswith("left: the janitor cannot be sure")
    assert broom.again(run).ledger.fold().outcomes == {}
    [found] = broom.repair(run.batch_path, broom.rules(unsure=("zombie",)))
    assert found.result == "repaired"


def test_open_hits_of_a_dead_run_are_paid_and_taken_off(broom: Broom) -> None:
    run = broom.begin("a")
    hit = broom.hit_of(run, "a")
    broom.submit(hit)
    repaired(broom, run, "open_hit_of_dead_run")
    assert broom.status(hit) == "Reviewable"
    broom.everything_is_paid(run, hit)
    assert broom.again(run).ledger.fold().open_items == ["a"], "the run may still be cleared"


def test_an_open_hit_that_a_worker_holds_waits(broom: Broom) -> None:
    run = broom.begin("a")
    hit = broom.hit_of(run, "a")
    broom.submit(hit, hand_in=False)
    [found] = broom.repair(run.batch_path)
    assert found.result == "waits: 1 workers hold it"
    assert found.settled


def test_answers_of_an_expired_hit_are_recorded_and_paid(broom: Broom) -> None:
    run = broom.begin("a")
    hit = broom.hit_of(run, "a")
    broom.submit(hit)
    run.mturk.expire(hit)
    [found] = broom.survey(run.batch_path)
    assert found.evidence == "1 not paid, 1 not recorded"
    repaired(broom, run, "expired_with_work")
    broom.everything_is_paid(run, hit)


def test_an_answer_that_was_recorded_and_not_paid_is_paid(broom: Broom) -> None:
    run = broom.begin("a")
    hit = broom.hit_of(run, "a")
    broom.submit(hit)
    run.mturk.expire(hit)
    wave = Wave(run, run.ledger.fold())
    wave.add("answers", [wave.answer_row("a", each) for each in broom.assignments(hit)])
    assert [each.evidence for each in broom.survey(run.batch_path)] == ["1 not paid"]
    repaired(broom, run, "expired_with_work")
    broom.everything_is_paid(run, hit)


def test_a_missed_approval_is_made(broom: Broom) -> None:
    run = broom.begin("a")
    hit = broom.hit_of(run, "a")
    for _ in range(2):
        broom.submit(hit)
    settle(run, "a")
    found = broom.survey(run.batch_path)
    assert [each.kind for each in found] == ["missed_approval", "undeleted_hits"]
    assert {each.result for each in broom.repair(run.batch_path)} == {"repaired"}
    assert broom.kinds(run.batch_path) == []
    state = broom.again(run).ledger.fold()
    assert len(state.payments) == len(state.answers) == 2
    assert state.deleted == {"a"}
    assert broom.status(hit) == "Disposed"


def test_payments_that_were_made_and_not_recorded_are(broom: Broom) -> None:
    run = broom.begin("a")
    hit = broom.hit_of(run, "a")
    for _ in range(2):
        run.mturk.approve(broom.submit(hit))
    [found] = broom.survey(run.batch_path)
    assert found.evidence == "2 paid and not in the ledger, 2 not recorded"
    with broom.nothing_published():
        assert [each.result for each in broom.repair(run.batch_path)] == ["repaired"]
    broom.everything_is_paid(run, hit)


def test_what_was_never_decided_is_given_up_once_its_claims_lapse(broom: Broom) -> None:
    run = broom.begin("a", "b")
    hits = [broom.hit_of(run, item) for item in "ab"]
    broom.submit(hits[0])
    broom.clock.offset += LONG
    kinds = broom.kinds(run.batch_path)
    assert "undeleted_hits" in kinds
    assert {each.result for each in broom.repair(run.batch_path)} == {"repaired"}
    state = broom.again(run).ledger.fold()
    assert state.outcomes == {"a": Outcome.EXPIRED, "b": Outcome.EXPIRED}
    assert [broom.status(hit) for hit in hits] == ["Disposed"] * 2
    assert len(state.payments) == 1
    assert broom.kinds(run.batch_path) == []


def test_claims_of_items_that_were_not_published_are_given_back(broom: Broom) -> None:
    run = broom.begin("a", publish=False)
    repaired(broom, run, "stale_claims")
    from groundswell.ledger.claims import held_by

    assert held_by(run.store, run.batch.name, run.run_id) == {}


# who is left alone


def test_a_run_that_airflow_runs_is_left_alone(broom: Broom) -> None:
    run = broom.begin("a")
    broom.lose(run, "hits")
    broom.running[run.run_id] = True
    with broom.nothing_published():
        assert broom.repair(run.batch_path) == []
    assert broom.survey(run.batch_path) == []
    assert broom.notes == [f"run {run.run_id} is left alone: Airflow runs it"]


def test_a_run_that_is_cleared_between_survey_and_repair_is_left_alone(broom: Broom) -> None:
    run = broom.begin("a")
    asked: list[str] = []

    def once(_: str, run_id: str) -> bool:
        asked.append(run_id)
        return len(asked) > 1

    from dataclasses import replace

    with broom.nothing_published():
        [found] = broom.repair(run.batch_path, replace(broom.rules(), under_way=once))
    assert found.result == "left: Airflow runs it"


def test_a_run_that_this_airflow_does_not_know_is_over_when_its_claims_lapse(broom: Broom) -> None:
    run = broom.begin("a")
    broom.running[run.run_id] = None
    assert broom.kinds(run.batch_path) == []
    assert "Airflow does not know it, and it claims items until" in broom.notes[0]
    broom.clock.offset += LONG
    assert broom.kinds(run.batch_path) != []


def test_a_run_that_was_at_work_a_moment_ago_is_left_alone(broom: Broom) -> None:
    run = broom.begin("a")
    rules = broom.rules(grace=timedelta(hours=1))
    assert broom.kinds(run.batch_path, rules) == []
    broom.clock.offset += timedelta(hours=2)
    assert broom.kinds(run.batch_path, broom.rules(grace=timedelta(hours=1))) == ["open_hit_of_dead_run"]


@pytest.mark.parametrize(
    "mark", ["", "mine", "[1]", '{"batch": "iris"}', '{"batch": 1, "run": 2, "item": 3}']
)
def test_hits_without_our_mark_are_not_touched(broom: Broom, mark: str) -> None:
    run = broom.begin("a")
    hit = broom.post(run, "a", mark=mark)
    broom.submit(hit)
    assert broom.kinds(run.batch_path) == ["open_hit_of_dead_run"]
    broom.repair(run.batch_path)
    assert broom.status(hit) == "Assignable"
    assert broom.assignments(hit)[0]["AssignmentStatus"] == "Submitted"


def test_a_mark_that_names_no_run_keeps_nobody_from_looking(broom: Broom) -> None:
    run = broom.begin("a")
    mark = {"batch": broom.name, "run": "../../elsewhere", "item": "a"}
    hit = broom.post(run, "a", mark=json.dumps(mark))
    assert broom.kinds(run.batch_path) == ["open_hit_of_dead_run"]
    broom.repair(run.batch_path, broom.rules(unsure=("unknown_run_hit",)))
    assert broom.status(hit) == "Assignable"


# killed anywhere


def test_a_repair_killed_after_any_effect_is_finished_by_the_next(broom: Broom) -> None:
    def prepared() -> tuple[LabelingRun, list[str]]:
        """An orphan that can be taken, and a second HIT of an item that expired with work."""
        run = broom.begin("a", "b")
        orphan, expired = broom.hit_of(run, "a"), broom.hit_of(run, "b")
        recorded = run.ledger.fold().hits["b"]
        hits = [orphan, expired, broom.post(run, "b")]
        broom.lose(run, "hits")
        run.ledger.append("hits", [recorded])
        for hit in hits:
            broom.submit(hit)
        run.mturk.expire(expired)
        return run, hits

    run, hits = prepared()
    killer = Killer()
    results = [each.result for each in broom.repair(run.batch_path, killer=killer)]
    assert results == ["repaired"] * 3
    assert killer.effects >= 15
    for number in range(1, killer.effects + 1):
        broom.sweep()
        run, hits = prepared()
        with pytest.raises(Killed):
            broom.repair(run.batch_path, killer=Killer(number, after=True))
        broom.repair(run.batch_path)
        assert broom.repair(run.batch_path) == [], f"effect {number}"
        broom.everything_is_paid(run, *hits)
