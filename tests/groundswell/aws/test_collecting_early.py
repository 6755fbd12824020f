"""A HIT is looked at while one of its seats is still open, and the answers that are there agree already."""

from __future__ import annotations

import uuid

from groundswell.aws.collecting import Wave
from groundswell.aws.runs import LabelingRun
from groundswell.ledger import Outcome
from tests.groundswell.aws.workbench import Workbench

RULE = {"rule": "agree", "agree": 2, "first": 3, "most": 5}


def two_of_three(bench: Workbench) -> LabelingRun:
    run = bench.run(["a"], redundancy=RULE)
    bench.publish(run)
    answer_once(bench, run)
    answer_once(bench, run)
    return bench.again(run)


def answer_once(bench: Workbench, run: LabelingRun) -> None:
    [hit] = bench.hits_of(run, "a")
    worker = bench.market.workers.ensure_worker(f"A{uuid.uuid4().hex[:13].upper()}").worker_id
    assignment = bench.market.workers.accept(worker, hit)
    fields = [("item", "a"), ("label", "setosa")]
    bench.market.workers.submit(assignment.assignment_id, fields, worker_id=worker)


def test_an_item_is_not_closed_while_somebody_may_be_at_work_on_its_last_seat(bench: Workbench) -> None:
    run = two_of_three(bench)
    Wave(run, run.ledger.fold()).take_items(["a"])
    state = run.ledger.fold()
    assert state.outcomes == {}
    assert state.spent_cents == 12  # nobody waits for money
    answer_once(bench, run)
    Wave(run, run.ledger.fold()).take(run.mturk.reviewable(run.ledger.fold().hits["a"]["hit_type"]))
    state = run.ledger.fold()
    assert state.outcomes == {"a": Outcome.SETTLED}
    assert (len(state.answers), state.spent_cents) == (3, 18)


def test_answers_that_agree_settle_an_item_whose_last_seat_was_taken_off_the_market(bench: Workbench) -> None:
    run = two_of_three(bench)
    run.mturk.expire(run.ledger.fold().hits["a"]["hit"])
    Wave(run, run.ledger.fold()).take_items(["a"])
    assert run.ledger.fold().outcomes == {"a": Outcome.SETTLED}


def test_an_answer_to_a_closed_item_is_recorded_and_paid_when_its_hit_is_reviewable(bench: Workbench) -> None:
    run = two_of_three(bench)
    hit = run.ledger.fold().hits["a"]["hit"]
    wave = Wave(run, run.ledger.fold())
    wave.add("outcomes", [wave.state.closing("a", Outcome.SETTLED)])
    answer_once(bench, run)
    assert Wave(run, run.ledger.fold()).take([hit]) == 1
    state = run.ledger.fold()
    assert (len(state.answers), state.spent_cents) == (3, 18)
    assert state.outcomes == {"a": Outcome.SETTLED}
    assert run.mturk.get_hit(hit)["HITStatus"] == "Reviewing"
    assert Wave(run, run.ledger.fold()).take([hit]) == 0
