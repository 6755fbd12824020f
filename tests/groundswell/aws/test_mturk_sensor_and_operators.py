"""The sensor and the operators as the worker runs them, up to where they defer and from where they go on."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

from groundswell.aws.hooks.mturk import MTurkHook
from groundswell.aws.operators.mturk import (
    MTurkCollectAndExtendOperator,
    MTurkDeleteHitsOperator,
    MTurkPublishHitsOperator,
)
from groundswell.aws.runs import LabelingRun
from groundswell.aws.sensors.mturk import MTurkReviewableSensor
from groundswell.aws.triggers.mturk import MTurkReviewableTrigger
from tests.groundswell.aws.desk import ACCOUNT, Desk, operator

pytestmark = pytest.mark.contract

SETOSA = ["setosa"] * 5


def published(desk: Desk, *items: str, **changes: Any) -> LabelingRun:
    run = desk.run(items, **changes)
    desk.publish(run)
    return run


def task(kind: type[Any], run: LabelingRun, **arguments: Any) -> Any:
    return operator(kind, run.batch_path, run.run_id, **arguments)


def deferral(call: Any, *arguments: Any) -> tuple[MTurkReviewableTrigger, TaskDeferred]:
    with pytest.raises(TaskDeferred) as caught:
        call(*arguments)
    assert isinstance(caught.value.trigger, MTurkReviewableTrigger)
    assert caught.value.method_name == "execute_complete"
    return caught.value.trigger, caught.value


def foreign_hit(desk: Desk, run: LabelingRun) -> str:
    """Publish a HIT of the run's type that is not the run's, and let somebody answer it."""
    hit_type = run.ledger.fold().hits["a"]["hit_type"]
    question = desk.call("GetHIT", HITId=desk.hits_of(run, "a")[0])["HIT"]["Question"]
    request = {"HITTypeId": hit_type, "MaxAssignments": 1, "LifetimeInSeconds": 600, "Question": question}
    hit = str(desk.call("CreateHITWithHITType", **request)["HIT"]["HITId"])
    worker = desk.market.workers.ensure_worker("AFOREIGNER").worker_id
    held = desk.market.workers.accept(worker, hit)
    desk.market.workers.submit(held.assignment_id, [("label", "x")], worker_id=worker)
    return hit


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (MTurkReviewableSensor, {}),
        (MTurkPublishHitsOperator, {"shard": 0}),
        (MTurkCollectAndExtendOperator, {}),
        (MTurkDeleteHitsOperator, {}),
    ],
)
def test_shape(kind: type[Any], arguments: dict[str, Any]) -> None:
    one = kind(task_id="t", batch_path="b.yaml", aws_conn_id="crowd", region_name="us-east-1", **arguments)
    assert {"batch_path", "run_id", "aws_conn_id", "region_name", "verify"} <= set(kind.template_fields)
    assert set(arguments) <= set(kind.template_fields)
    assert all(hasattr(one, field) for field in kind.template_fields)
    assert one.run_id == "{{ run_id }}"
    assert isinstance(one.hook, MTurkHook)
    assert one.hook.aws_conn_id == "crowd"
    own = [name for name in inspect.signature(kind.__init__).parameters if name not in {"self", "kwargs"}]
    assert all(f":param {name}:" in inspect.getdoc(kind) for name in own)


class TestSensor:
    def test_it_defers_until_the_first_wave(self, desk: Desk) -> None:
        run = published(desk, "a", "b", "c", polling={"first_wave": 2, "interval": "7s", "timeout": "5h"})
        sensor = task(MTurkReviewableSensor, run, timeout=3600, region_name="us-east-1")
        trigger, deferred = deferral(sensor.execute, {})
        assert deferred.timeout == timedelta(hours=1)
        assert trigger.serialize()[1] == {
            "hit_type_id": run.ledger.fold().hits["a"]["hit_type"],
            "minimum": 2,
            "max_wait": 60,
            "poll_interval": 7,
            "ignore": [],
            "aws_conn_id": "mturk_default",
            "region_name": "us-east-1",
        }

    def test_it_wants_no_more_than_there_is(self, desk: Desk) -> None:
        run = published(desk, "a", "b", "c")
        assert deferral(task(MTurkReviewableSensor, run).execute, {})[0].minimum == 3

    def test_it_goes_on_at_once_where_the_wave_is_there(self, desk: Desk) -> None:
        run = published(desk, "a", "b", polling={"first_wave": 1, "timeout": "5h"})
        desk.answer(run, {"a": SETOSA})
        before = desk.market.counts(ACCOUNT)
        task(MTurkReviewableSensor, run).execute({})
        after = desk.market.counts(ACCOUNT)
        assert {name for name in after if after[name] != before.get(name)} == {"ListReviewableHITs"}

    def test_it_goes_on_where_nothing_is_open(self, desk: Desk) -> None:
        run = published(desk, "a")
        run.ledger.append("outcomes", [{"item": "a", "outcome": "settled"}])
        task(MTurkReviewableSensor, run).execute({})
        task(MTurkReviewableSensor, desk.run(["a"])).execute({})

    def test_foreign_hits_are_not_the_wave(self, desk: Desk) -> None:
        run = published(desk, "a", polling={"first_wave": 1, "timeout": "5h"})
        foreign_hit(desk, run)
        assert task(MTurkReviewableSensor, run).poke({}) is False

    def test_on_the_worker(self, desk: Desk) -> None:
        run = published(desk, "a")
        naps: list[float] = []

        def nap(seconds: float) -> None:
            naps.append(seconds)
            desk.answer(run, {"a": SETOSA})

        desk.monkeypatch.setattr("airflow.sdk.bases.sensor.time.sleep", nap)
        task(MTurkReviewableSensor, run, deferrable=False, poke_interval=9).execute({})
        assert naps == [9]

    def test_what_the_trigger_says(self, desk: Desk) -> None:
        sensor = task(MTurkReviewableSensor, published(desk, "a"))
        sensor.execute_complete({}, {"status": "success", "reviewable": 3})
        with pytest.raises(AirflowException, match="nobody home"):
            sensor.execute_complete({}, {"status": "error", "message": "nobody home"})
        for event in (None, {}):
            with pytest.raises(AirflowException, match="reported a failure without a message"):
                sensor.execute_complete({}, event)


class TestCollect:
    def test_it_defers_while_something_is_open_and_returns_the_progress(self, desk: Desk) -> None:
        run = published(desk, "a", "b", polling={"wave": 5, "interval": "7s", "timeout": "2h"})
        collect = task(MTurkCollectAndExtendOperator, run)
        trigger, deferred = deferral(collect.execute, {})
        assert (deferred.timeout, trigger.minimum, trigger.poll_interval) == (timedelta(hours=2), 2, 7)
        assert trigger.hit_type_id == run.ledger.fold().hits["a"]["hit_type"]
        desk.answer(run, {"a": SETOSA})
        event = {"status": "success", "reviewable": 1}
        trigger, _ = deferral(collect.execute_complete, {}, event)
        assert trigger.minimum == 1, "one is settled"
        progress = run.ledger.get_document("progress.json")
        assert progress is not None
        assert (progress["settled"], progress["open"], progress["spent_cents"]) == (1, 1, 12)
        desk.answer(run, {"b": ["setosa", "virginica", "setosa"]})
        deferral(collect.execute_complete, {}, event)
        desk.answer(run, {"b": ["setosa", "virginica", "setosa"]})
        result = collect.execute_complete({}, event)
        expected = {"items": 2, "settled": 2, "answers": 5, "extended": 1, "open": 0, "spent_cents": 30}
        assert expected.items() <= result.items()
        assert collect.execute({}) == result, "cleared, it says the same again"

    def test_foreign_hits_are_left_alone_and_told_to_the_trigger(self, desk: Desk) -> None:
        run = published(desk, "a")
        foreign = foreign_hit(desk, run)
        trigger, _ = deferral(task(MTurkCollectAndExtendOperator, run).execute, {})
        assert trigger.ignore == [foreign]
        assert desk.assignments(foreign)[0]["AssignmentStatus"] == "Submitted"

    def test_on_the_worker(self, desk: Desk) -> None:
        run = published(desk, "a")
        waits: list[int] = []

        def wait(self: MTurkReviewableTrigger) -> None:
            waits.append(self.minimum)
            desk.answer(run, {"a": ["setosa", "virginica", "virginica"]})

        desk.monkeypatch.setattr(MTurkReviewableTrigger, "wait_here", wait)
        result = task(MTurkCollectAndExtendOperator, run, deferrable=False).execute({})
        assert (result["settled"], result["extended"], waits) == (1, 1, [1, 1])

    def test_what_the_trigger_says(self, desk: Desk) -> None:
        collect = task(MTurkCollectAndExtendOperator, published(desk, "a"))
        with pytest.raises(AirflowException, match="nobody home") as caught:
            collect.execute_complete({}, {"status": "error", "message": "nobody home"})
        assert type(caught.value) is AirflowException, "Airflow may try again"

    def test_nothing_published_is_nothing_to_collect(self, desk: Desk) -> None:
        result = task(MTurkCollectAndExtendOperator, desk.run(["a"])).execute({})
        assert (result["items"], result["open"]) == (0, 0)


class TestPublishAndDelete:
    def test_a_shard_as_text_as_a_template_gives_it(self, desk: Desk) -> None:
        run = desk.run(["a", "b", "c"], shard_items=2)
        result = task(MTurkPublishHitsOperator, run, shard="1").execute({})
        assert (result["hits"], result["added"]) == (1, 1)
        assert list(run.ledger.fold().hits) == ["c"]
        again = task(MTurkPublishHitsOperator, run, shard=1).execute({})
        assert again == result | {"added": 0}

    def test_a_shard_that_is_not_there(self, desk: Desk) -> None:
        run = desk.run(["a"])
        with (
            desk.nothing_published(),
            pytest.raises(AirflowFailException, match="has no item shard 7; clear"),
        ):
            task(MTurkPublishHitsOperator, run, shard=7).execute({})

    def test_deleting_is_done_once_and_said_twice(self, desk: Desk) -> None:
        run = published(desk, "a", "b")
        desk.answer(run, {"a": SETOSA})
        desk.collect(run)
        delete = task(MTurkDeleteHitsOperator, run)
        assert delete.execute({}) == {"deleted": 1, "open": 1, "held": 0}
        assert delete.execute({}) == {"deleted": 1, "open": 1, "held": 0}
        assert desk.hits_of(run, "a") == []
        assert len(desk.hits_of(run, "b")) == 1, "workers are still asked"

    def test_what_a_worker_holds_is_deleted_later(self, desk: Desk) -> None:
        run = published(desk, "a")
        worker = desk.market.workers.ensure_worker("AHOLDER").worker_id
        held = desk.market.workers.accept(worker, desk.hits_of(run, "a")[0])
        run.ledger.append("outcomes", [{"item": "a", "outcome": "settled"}])
        delete = task(MTurkDeleteHitsOperator, run)
        with pytest.raises(
            AirflowException, match="1 HITs are held by workers; they are expired, and are"
        ) as caught:
            delete.execute({})
        assert type(caught.value) is AirflowException, "Airflow tries again"
        desk.market.workers.submit(held.assignment_id, [("label", "setosa")], worker_id=worker)
        assert delete.execute({}) == {"deleted": 1, "open": 0, "held": 0}
        assert run.ledger.fold().spent_cents == 6, "the late answer is paid"

    def test_insufficient_funds(self, desk: Desk) -> None:
        run = desk.run(["a"], task__reward="900.00", spend={"budget": "9999.00", "approve_above": "9999.00"})
        with pytest.raises(AirflowFailException) as caught:
            task(MTurkPublishHitsOperator, run, shard=0).execute({})
        assert "insufficient funds" in str(caught.value)
        advice = "; add funds and state them by record_deposit, then clear this task"
        assert str(caught.value).endswith(advice)
