"""Stopping the spending of a run while it is under way."""

from __future__ import annotations

from typing import Any

import pytest

from groundswell.aws import publishing
from groundswell.aws.publishing import publish_shard
from groundswell.aws.runs import LabelingRun
from groundswell.aws.stopping import expire_open, runs_to_stop, stop
from groundswell.errors import LedgerError, SpendStopped
from groundswell.ledger import Outcome
from tests.groundswell.aws.workbench import Killed, Killer, Workbench

pytestmark = pytest.mark.contract

DISAGREE = ["setosa", "virginica", "versicolor", "setosa"]


def open_seats(bench: Workbench, run: LabelingRun, items: str) -> list[int]:
    """What workers can still take: free seats count only while the HIT is on the market."""
    hits = [bench.call("GetHIT", HITId=hit)["HIT"] for item in items for hit in bench.hits_of(run, item)]
    return [hit["NumberOfAssignmentsAvailable"] for hit in hits if hit["HITStatus"] == "Assignable"]


def test_a_stopped_run_ends_with_what_it_has(bench: Workbench) -> None:
    run = bench.run(["a", "b", "c"])
    bench.publish(run)
    bench.answer(run, {"a": ["setosa"] * 2, "b": DISAGREE})
    assert stop(bench.again(run), by="anna") == {"hits": 3, "expired": 3}
    progress = bench.collect(bench.again(run))
    assert progress.open == 0
    state = bench.again(run).ledger.fold()
    assert state.outcomes["a"] is Outcome.SETTLED
    assert state.outcomes["c"] is Outcome.EXPIRED
    assert len(state.answers_of("b")) == 2, "nobody was asked beyond the first two"
    assert open_seats(bench, run, "abc") == []
    assert state.spent_cents == 24, "who has answered is paid"
    assert state.approvals[-1]["by"] == "anna"


def test_stopping_twice_changes_nothing(bench: Workbench) -> None:
    run = bench.run(["a"])
    bench.publish(run)
    stop(run, by=None)
    assert stop(bench.again(run), by="somebody else") == {"hits": 1, "expired": 0}
    assert [row["by"] for row in run.ledger.fold().approvals if row["what"] == "stop"] == [None]


def test_a_stopped_run_publishes_no_other_shard(bench: Workbench) -> None:
    run = bench.run(["a", "b"], shard_items=1)
    publish_shard(run, 0)
    stop(bench.again(run), by=None)
    with pytest.raises(SpendStopped, match="trigger a new run"):
        publish_shard(bench.again(run), 1)
    assert bench.hits_of(run, "b") == []


def test_a_publishing_task_at_work_stops_at_its_next_chunk(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.run(["a", "b", "c", "d"])
    monkeypatch.setattr(publishing, "CHUNK", 1)
    create = run.mturk.create_hit

    def create_and_stop(**request: Any) -> str:
        hit = create(**request)
        stop(bench.again(run), by=None)
        return hit

    with monkeypatch.context() as patch:
        patch.setattr(run.mturk, "create_hit", create_and_stop)
        with pytest.raises(SpendStopped):
            publish_shard(run, 0)
    again = bench.again(run)
    expire_open(again, again.ledger.fold())
    assert [len(bench.hits_of(run, item)) for item in "abcd"] == [1, 0, 0, 0]
    assert open_seats(bench, run, "abcd") == []


def test_a_hit_that_the_ledger_does_not_know_yet_is_expired_too(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.run(["a"])
    create = run.mturk.create_hit

    def create_and_die(**request: Any) -> str:
        create(**request)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(run.mturk, "create_hit", create_and_die)
        with pytest.raises(Killed):
            publish_shard(run, 0)
    assert bench.again(run).ledger.fold().hits == {}
    assert stop(bench.again(run), by=None) == {"hits": 1, "expired": 1}
    assert open_seats(bench, run, "a") == []


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_stopping_killed_at_any_effect_can_be_repeated(bench: Workbench, after: bool) -> None:
    def prepared() -> LabelingRun:
        run = bench.run(["a", "b"])
        bench.publish(run)
        return run

    killer = Killer()
    stop(killer.watch(bench.again(prepared())), by=None)
    assert killer.effects >= 5
    for number in range(1, killer.effects + 1):
        run = prepared()
        with pytest.raises(Killed):
            stop(Killer(number, after=after).watch(bench.again(run)), by=None)
        stop(bench.again(run), by=None)
        assert bench.again(run).ledger.fold().expired == {"a", "b"}
        assert open_seats(bench, run, "ab") == []


def test_runs_that_ask_workers_are_found(bench: Workbench) -> None:
    run = bench.run(["a"])
    assert runs_to_stop(run) == [run.run_id]


def test_an_unknown_run_is_refused(bench: Workbench) -> None:
    run = bench.run(["a"])
    other = LabelingRun(run.batch_path, "manual__mistyped")
    other.__dict__["mturk"] = run.mturk
    with pytest.raises(LedgerError, match=f"no run 'manual__mistyped'.*{run.run_id}"):
        stop(other, by=None)
    assert other.ledger.fold("approvals").approvals == []
