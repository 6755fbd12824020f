"""Stopping the spending of a run while it is under way."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException

from dags import stop_spending
from groundswell.aws import extending, publishing
from groundswell.aws.catching_up import catch_up
from groundswell.aws.collecting import Wave
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
    assert [row["by"] for row in state.approvals if row["what"] == "stop"] == ["anna"]


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


def test_hits_that_are_made_while_the_run_is_stopped_leave_the_market(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.run(["a", "b", "c", "d"])
    create, calls = run.mturk.create_hit, []

    def create_and_stop(**request: Any) -> str:
        calls.append(create(**request))
        if len(calls) == 2:
            stop(bench.again(run), by=None)
        return calls[-1]

    monkeypatch.setattr(run.mturk, "create_hit", create_and_stop)
    publish_shard(run, 0)
    assert len(calls) == 4, "there is no check within a chunk"
    assert open_seats(bench, run, "abcd") == []
    assert bench.collect(bench.again(run)).open == 0


def asked_late(bench: Workbench) -> LabelingRun:
    """A run that wants one more answer about its item, and gives the HIT a whole lifetime again for it."""
    bench.monkeypatch.setattr(extending, "FRESH", 2)
    run = bench.run(["a"])
    bench.publish(run)
    bench.answer(run, {"a": DISAGREE})
    return run


def test_a_seat_that_was_reserved_before_the_stop_is_not_opened_after_it(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = asked_late(bench)

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(run.mturk, "add_seats", die)
        with pytest.raises(Killed):
            bench.collect(bench.again(run))
    assert len(run.ledger.fold().reserved) == 1
    stop(bench.again(run), by=None)
    assert bench.collect(bench.again(run)).open == 0
    assert open_seats(bench, run, "a") == []
    assert bench.again(run).ledger.fold().seats == {"a": 2}


def test_stopping_between_a_reservation_and_its_seat(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = asked_late(bench)
    add = run.mturk.add_seats

    def stop_and_add(*named: Any, **options: Any) -> None:
        stop(bench.again(run), by=None)
        add(*named, **options)

    monkeypatch.setattr(run.mturk, "add_seats", stop_and_add)
    bench.collect(bench.again(run))
    assert open_seats(bench, run, "a") == []


def test_a_second_try_takes_off_what_a_killed_one_put_back(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = asked_late(bench)
    move = run.mturk.set_expiration

    def stop_and_move(*named: Any) -> None:
        if "stop" not in {row["what"] for row in run.ledger.fold("approvals").approvals}:
            stop(bench.again(run), by=None)
            move(*named)
            raise Killed
        move(*named)

    monkeypatch.setattr(run.mturk, "set_expiration", stop_and_move)
    with pytest.raises(Killed):
        bench.collect(bench.again(run))
    assert open_seats(bench, run, "a") == [1]
    again = bench.again(run)
    catch_up(Wave(again, again.ledger.fold()))
    assert open_seats(bench, run, "a") == []


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


def test_also_where_their_claims_have_lapsed_while_a_person_was_waited_for(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundswell.aws.steps.dataset.claim_end", lambda _: "2026-01-01T00:00:00+00:00")
    over, run = (bench.run(["a"]) for _ in range(2))
    over.ledger.put_document("summary.json", {"open": 0})
    assert runs_to_stop(run) == [run.run_id]


def test_one_run_that_cannot_be_stopped_does_not_save_the_others(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop_spending, "BATCHES", bench.folder)
    broken, run = sorted((bench.run(["a"]) for _ in range(2)), key=lambda each: each.run_id)
    bench.publish(run)
    bench.publish(broken)
    [part] = Path(bench.folder / "store" / broken.ledger.prefix / "shards").iterdir()
    part.write_text("damaged")
    params = {"batch": "iris", "run": ""}
    with pytest.raises(AirflowException, match=broken.run_id):
        stop_spending.stop.function(params=params, dag_run=SimpleNamespace(triggering_user_name="anna"))
    assert open_seats(bench, run, "a") == []
    assert open_seats(bench, broken, "a") == [], "its record cannot be read, but its HITs name it"
    assert bench.again(broken).ledger.fold("approvals").stopped


@pytest.mark.parametrize("damaged", ["_claims", "summary.json"])
def test_what_is_damaged_does_not_hold_up_the_brake(bench: Workbench, damaged: str) -> None:
    run, other = bench.run(["a"]), bench.run(["a"])
    store = bench.folder / "store"
    if damaged == "_claims":
        for path in (store / "_claims" / "iris" / other.run_id).iterdir():
            path.write_text("{")
    else:
        shutil.rmtree(store / "_claims")  # or they would say that the run is asking
        (store / other.ledger.prefix / damaged).write_text("{")
    assert runs_to_stop(run) == sorted([run.run_id, other.run_id])


def test_approvals_that_cannot_be_read_do_not_hold_up_the_brake(bench: Workbench) -> None:
    run = bench.run(["a"])
    bench.publish(run)
    for part in (bench.folder / "store" / run.ledger.prefix / "approvals").iterdir():
        part.write_text("{")
    with pytest.raises(LedgerError, match="1 HITs of run"):
        stop(bench.again(run), by="anna")
    assert open_seats(bench, run, "a") == []


def test_an_unknown_run_is_refused(bench: Workbench) -> None:
    run = bench.run(["a"])
    other = LabelingRun(run.batch_path, "manual__mistyped")
    other.__dict__["mturk"] = run.mturk
    with pytest.raises(LedgerError, match=f"no run 'manual__mistyped'.*{run.run_id}"):
        stop(other, by=None)
    assert other.ledger.fold("approvals").approvals == []
