"""What may happen in the middle of a run, and must not lose an answer, a cent, or the run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import TaskDeferred
from botocore.exceptions import ClientError

from groundswell.aws import clearing, runs
from groundswell.aws.clearing import clear_hits
from groundswell.aws.collecting import Wave
from groundswell.aws.operators.mturk import MTurkCollectAndExtendOperator
from groundswell.aws.reconciling import reconcile
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps.dataset import load_dataset
from groundswell.aws.steps.labels import consolidate
from groundswell.ledger import Outcome, claims
from groundswell.ledger.shards import read_items
from tests.groundswell.aws.desk import operator
from tests.groundswell.aws.workbench import Killed, Killer, Workbench

pytestmark = pytest.mark.contract

DISAGREE = ["setosa", "virginica", "versicolor", "setosa", "setosa"]


def edit(run: LabelingRun, section: str, **changes: Any) -> None:
    path = Path(run.batch_path)
    batch = yaml.safe_load(path.read_text())
    batch[section] |= changes
    path.write_text(yaml.safe_dump(batch))


def submit(bench: Workbench, hit: str, worker: str, *fields: tuple[str, str]) -> None:
    name = bench.market.workers.ensure_worker(worker).worker_id
    assignment = bench.market.workers.accept(name, hit)
    bench.market.workers.submit(assignment.assignment_id, list(fields), worker_id=name)


def test_an_answer_with_a_line_separator_does_not_break_the_ledger(bench: Workbench) -> None:
    run = bench.run(["a"])
    bench.publish(run)
    hit = run.ledger.fold().hits["a"]["hit"]
    submit(bench, hit, "AODD", ("label", "setosa"), ("note", "one\u2028two\x85three"))
    submit(bench, hit, "AODDER", ("label", "setosa"))
    assert bench.collect(run).settled == 1
    assert bench.collect(bench.again(run)).answers == 2


def test_a_run_goes_on_with_the_batch_that_it_began_with(bench: Workbench) -> None:
    run = bench.run(["a", "b"], shard_items=1)
    bench.publish(run)
    edit(run, "task", title="Another title", reward="0.50", labels=["x", "y"])
    edit(run, "redundancy", first=3)
    later = bench.again(run)
    assert later.live.task.title == "Another title"
    assert later.batch.task.title == "Classify images of flowers"
    from groundswell.aws.publishing import publish_shard

    publish_shard(later, 1)
    hits = later.ledger.fold().hits
    assert len({row["hit_type"] for row in hits.values()}) == 1
    assert {bench.call("GetHIT", HITId=row["hit"])["HIT"]["Reward"] for row in hits.values()} == {"0.05"}
    script = {"a": ["setosa"] * 2, "b": ["setosa"] * 2}
    bench.to_the_end(later, script)
    bench.check(later, script)


def test_budget_and_most_may_be_changed_under_way(bench: Workbench) -> None:
    run = bench.run(["a"], spend__budget="0.12")
    edit(run, "spend", budget="0.18")
    assert bench.again(run).batch.spend.budget_cents == 18
    edit(run, "redundancy", most=3)
    assert bench.again(run).batch.redundancy.most == 3


def test_the_page_is_the_one_that_was_checked(bench: Workbench, tmp_path: Path) -> None:
    template = tmp_path / "page.liquid.html"
    path = Path(bench.batch_file(["a"]))
    original = yaml.safe_load(path.read_text())["task"]["template"]
    template.write_text(Path(original).read_text())
    run = bench.run(["a"], task__template=str(template))
    before = run.batch.template_hash()
    template.write_text("edited away")
    later = bench.again(run)
    bench.publish(later)
    assert later.batch.template_hash() == before
    question = bench.call("GetHIT", HITId=later.ledger.fold().hits["a"]["hit"])["HIT"]["Question"]
    assert "edited away" not in question


def test_twins_cannot_spend_the_same_cents(bench: Workbench) -> None:
    items = [f"i{number}" for number in range(6)]
    run = bench.run(items, spend__budget="0.90", spend__approve_above="9.00")  # 72 for certain: three more
    script = dict.fromkeys(items, DISAGREE)
    bench.publish(run)
    bench.answer(run, script)
    waves = [Wave(bench.again(run), run.ledger.fold()) for _ in range(2)]
    hit_type = next(iter(run.ledger.fold().hits.values()))["hit_type"]
    reviewable = sorted(run.mturk.reviewable(hit_type))
    halves = [reviewable[:3], reviewable[3:]]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda pair: pair[0].take(pair[1]), zip(waves, halves, strict=True)))
    seats = sum(bench.call("GetHIT", HITId=hit)["HIT"]["MaxAssignments"] for hit in reviewable)
    assert seats == 15, "12 and the three that the budget allows"


def test_an_account_without_money_gives_up_items_and_pays_all(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.run(["a", "b"])
    bench.publish(run)
    bench.answer(run, {"a": DISAGREE, "b": ["setosa"] * 2})

    def broke(*_: Any, **__: Any) -> None:
        raise ClientError(
            {
                "Error": {"Code": "RequestError", "Message": "insufficient funds"},
                "TurkErrorCode": "AWS.MechanicalTurk.InsufficientFunds",
            },
            "CreateAdditionalAssignmentsForHIT",
        )

    monkeypatch.setattr(run.mturk, "add_seats", broke)
    assert bench.collect(run).open == 0
    state = run.ledger.fold()
    assert state.outcomes == {"a": Outcome.BUDGET, "b": Outcome.SETTLED}
    assert state.spent_cents == 24


def test_one_answer_that_cannot_be_paid_does_not_block_the_others(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.run(["a", "b"])
    bench.publish(run)
    bench.answer(run, {"a": ["setosa"] * 2, "b": ["setosa"] * 2})
    stuck = bench.assignments(run.ledger.fold().hits["a"]["hit"])[0]["AssignmentId"]
    approve = run.mturk.approve

    def lagging(assignment_id: str) -> None:
        if assignment_id == stuck:
            message = "This operation can be called with a status of: null"
            raise ClientError(
                {"Error": {"Code": "RequestError", "Message": message}, "Message": message},
                "ApproveAssignment",
            )
        approve(assignment_id)

    with monkeypatch.context() as patch:
        patch.setattr(run.mturk, "approve", lagging)
        assert bench.collect(run).settled == 1
        assert run.ledger.fold().outcomes == {"b": Outcome.SETTLED}
    assert bench.collect(run).settled == 2
    bench.check(run, {"a": [], "b": []})


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_clearing_killed_at_any_effect_loses_no_payment(bench: Workbench, after: bool) -> None:
    def prepared() -> LabelingRun:
        run = bench.run(["a"], redundancy={"rule": "agree", "agree": 2, "first": 3, "most": 5})
        bench.publish(run)
        hit = run.ledger.fold().hits["a"]["hit"]
        for number in range(3):
            submit(bench, hit, f"A{run.key.upper()}{number}", ("label", "setosa"))
        run.ledger.append("outcomes", [{"item": "a", "outcome": "settled"}])
        return run

    killer = Killer()
    clear_hits(killer.watch(bench.again(prepared())))
    assert killer.effects >= 6
    for number in range(1, killer.effects + 1):
        run = prepared()
        with pytest.raises(Killed):
            clear_hits(Killer(number, after=after).watch(bench.again(run)))
        assert clear_hits(bench.again(run))["deleted"] == 1
        state = bench.again(run).ledger.fold()
        assert (len(state.answers), state.spent_cents) == (3, 18), f"effect {number}"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_taking_hits_off_the_market_killed_at_any_effect(bench: Workbench, after: bool) -> None:
    def prepared() -> LabelingRun:
        run = bench.run(["a"], redundancy={"rule": "agree", "agree": 2, "first": 3, "most": 5})
        bench.publish(run)
        submit(bench, run.ledger.fold().hits["a"]["hit"], f"A{run.key.upper()}", ("label", "setosa"))
        run.ledger.append("outcomes", [{"item": "a", "outcome": "settled", "seats": 3}])
        return run

    killer = Killer()
    clear_hits(killer.watch(bench.again(prepared())))
    assert killer.effects >= 9, "an intent to delete, one to expire; the HIT is tried, expired and deleted"
    for number in range(1, killer.effects + 1):
        run = prepared()
        with pytest.raises(Killed):
            clear_hits(Killer(number, after=after).watch(bench.again(run)))
        assert clear_hits(bench.again(run)) == {"deleted": 1, "open": 0, "held": 0}
        state = bench.again(run).ledger.fold()
        assert (len(state.answers), state.spent_cents) == (1, 6), f"effect {number}"
        purposes = [row["purpose"] for _, row in run.ledger.rows("intents")]
        assert sorted(purposes) == ["delete", "expire", "publish"]
        assert (state.deleted, state.expired) == ({"a"}, {"a"})
        assert reconcile(bench.again(run)).rows == []


def test_intents_are_a_part_per_chunk(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clearing, "CHUNK", 2)
    run = bench.run(["a", "b", "c"])
    bench.publish(run)
    parts = len(list(run.store.keys(f"{run.ledger.prefix}intents/")))
    run.ledger.append("outcomes", [{"item": item, "outcome": "expired", "seats": 2} for item in "abc"])
    assert clear_hits(bench.again(run))["deleted"] == 3
    assert len(list(run.store.keys(f"{run.ledger.prefix}intents/"))) == parts + 4, "delete and expire, twice"
    assert len(run.ledger.fold().expired) == 3


def test_items_that_a_failed_run_gave_back_are_not_published_by_two_runs(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bench.run(["a", "b"], shard_items=1)
    bench.publish(first)  # shard 0; the rest failed
    clear_hits(bench.again(first))
    second = bench._quick(LabelingRun(first.batch_path, "manual__second"))
    load_dataset(second, relabel=False)
    assert list(read_items(second.ledger)) == ["b"]
    bench.reserve(second)
    bench.publish(second)
    from groundswell.aws.publishing import publish_shard

    publish_shard(bench.again(first), 1)
    hits = bench.hits_of(first, "b") + bench.hits_of(second, "b")
    assert len(hits) == 1, "the first run was cleared after the second had taken the item"


def test_a_failed_run_goes_on_where_nobody_took_its_items(bench: Workbench) -> None:
    run = bench.run(["a", "b"], shard_items=1)
    bench.publish(run)
    clear_hits(bench.again(run))
    from groundswell.aws.publishing import publish_shard

    publish_shard(bench.again(run), 1)
    assert len(bench.hits_of(run, "b")) == 1
    later = bench._quick(LabelingRun(run.batch_path, "manual__later"))
    assert load_dataset(later, relabel=False) == []


def test_items_of_a_run_that_died_come_back(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = bench.run(["a"])
    bench.publish(dead)
    long_after = (datetime.now(UTC) + timedelta(days=30)).isoformat(timespec="seconds")
    later = bench._quick(LabelingRun(dead.batch_path, "manual__later"))
    monkeypatch.setattr("groundswell.aws.steps.dataset.now_text", lambda: long_after)
    load_dataset(later, relabel=False)
    assert list(read_items(later.ledger)) == ["a"]


def test_a_claim_lasts_as_long_as_hits_that_were_published_or_taken_up_late(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=5)).isoformat(timespec="seconds")
    with monkeypatch.context() as patch:
        patch.setattr("groundswell.aws.steps.dataset.claim_end", lambda _: soon)
        run = bench.run(["a"])  # and somebody approves it five minutes before the claim lapses
    bench.publish(run)
    in_time = run.ledger.fold().expires["a"]
    assert claims.held_by(run.store, "iris", run.run_id)["a"] > in_time
    claims.release(run.store, "iris", run.run_id, ["a"])
    claims.claim(run.store, "iris", run.run_id, ["a"], until=soon)  # and then waits for days for a review
    collect = operator(MTurkCollectAndExtendOperator, run.batch_path, run.run_id, deferrable=True)
    with pytest.raises(TaskDeferred):
        collect.execute({})
    assert claims.held_by(run.store, "iris", run.run_id)["a"] > in_time


def test_a_hit_that_was_deleted_by_hand_ends_its_item(bench: Workbench) -> None:
    run = bench.run(["a"])
    bench.publish(run)
    hit = run.ledger.fold().hits["a"]["hit"]
    run.mturk.expire(hit)
    assert run.mturk.delete_hit(hit) == "deleted"
    Wave(run, run.ledger.fold()).take_items(["a"])
    assert run.ledger.fold().outcomes == {"a": Outcome.LOST}


def test_items_that_were_given_up_are_asked_again_by_the_next_run(bench: Workbench) -> None:
    run = bench.run(["a", "b"])
    bench.publish(run)
    bench.answer(run, {"a": ["setosa"] * 2})
    submit(bench, run.ledger.fold().hits["b"]["hit"], "AONE", ("label", "setosa"))
    run.mturk.expire(run.ledger.fold().hits["b"]["hit"])
    bench.collect(run)
    assert run.ledger.fold().outcomes == {"a": Outcome.SETTLED, "b": Outcome.EXPIRED}
    assert consolidate(run)["labelled"] == 1, "one answer is not what the batch asked for"
    later = bench._quick(LabelingRun(run.batch_path, "manual__later"))
    load_dataset(later, relabel=False)
    assert list(read_items(later.ledger)) == ["b"]


def test_expirations_go_by_the_workforces_clock(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    run = bench.run(["a"])
    skewed = bench.again(run)
    skewed.__dict__["mturk"] = type(run.mturk)(aws_conn_id="mturk_default")
    assert abs(skewed.mturk.now() - datetime.now(UTC)) < timedelta(seconds=60)
    assert runs.claim_end(run.batch) > datetime.now(UTC).isoformat()
