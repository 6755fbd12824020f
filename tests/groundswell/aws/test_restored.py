"""Runs that go on after their ledger was restored from a backup, or the workforce's database was."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from groundswell.aws import collecting, funds, reconciling
from groundswell.aws.catching_up import catch_up
from groundswell.aws.clearing import clear_hits
from groundswell.aws.collecting import Wave
from groundswell.aws.hooks.mturk import MTurkHook
from groundswell.aws.operators.mturk import MTurkCollectAndExtendOperator, MTurkPublishHitsOperator
from groundswell.aws.publishing import publish_shard
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps import spend
from groundswell.aws.steps.dataset import load_dataset
from groundswell.ledger import Outcome
from tests.groundswell.aws.workbench import Killed, Workbench

pytestmark = pytest.mark.contract

DISAGREE = ["setosa", "virginica", "setosa"]
SECOND_TRY: dict[str, Any] = {"ti": SimpleNamespace(try_number=2)}


class Backup:
    """The folder of all ledgers as it is now."""

    def __init__(self, bench: Workbench) -> None:
        self._store = bench.folder / "store"
        self._copy = bench.folder / "backup"
        shutil.copytree(self._store, self._copy)

    def restore(self) -> None:
        shutil.rmtree(self._store)
        shutil.copytree(self._copy, self._store)


def seats(bench: Workbench, run: LabelingRun, item: str) -> int:
    [hit] = bench.hits_of(run, item)
    return int(bench.call("GetHIT", HITId=hit)["HIT"]["MaxAssignments"])


@pytest.mark.parametrize("hours", [0, 30], ids=["token known", "token forgotten"])
def test_a_ledger_from_before_publishing_makes_no_second_hit(bench: Workbench, hours: int) -> None:
    run = bench.run(["a", "b"], task__lifetime="3d")
    backup = Backup(bench)
    bench.publish(run)
    backup.restore()
    bench.clock.offset = timedelta(hours=hours)
    publish_shard(bench.again(run), 0, look_up=True)
    script = {"a": DISAGREE, "b": ["setosa"] * 2}
    bench.to_the_end(bench.again(run), script)
    bench.check(run, script)


@pytest.mark.parametrize("hours", [0, 30], ids=["token known", "token forgotten"])
def test_a_ledger_from_before_an_extension_opens_no_second_seat(bench: Workbench, hours: int) -> None:
    run = bench.run(["a"], task__lifetime="3d")
    bench.publish(run)
    backup = Backup(bench)
    bench.answer(run, {"a": DISAGREE})
    bench.collect(run)
    assert seats(bench, run, "a") == 3
    backup.restore()
    bench.clock.offset = timedelta(hours=hours)
    again = bench.again(run)
    catch_up(Wave(again, again.ledger.fold()))
    assert again.ledger.fold().seats == {"a": 3}
    assert bench.collect(bench.again(run)).open == 1
    assert seats(bench, run, "a") == 3
    bench.to_the_end(bench.again(run), {"a": DISAGREE})
    bench.check(run, {"a": DISAGREE})


def test_answers_and_payments_that_the_ledger_forgot_are_recorded_again(bench: Workbench) -> None:
    run = bench.run(["a", "b"])
    bench.publish(run)
    backup = Backup(bench)
    script = {"a": ["setosa"] * 2, "b": ["virginica"] * 2}
    bench.to_the_end(run, script)
    balance = run.mturk.available_cents()
    backup.restore()
    again = bench.again(run)
    assert bench.collect(again).open == 2, "flagged HITs are not listed as reviewable"
    catch_up(Wave(again, again.ledger.fold()))
    assert again.ledger.fold().open_items == []
    bench.check(run, script)
    assert run.mturk.available_cents() == balance


def test_tasks_that_are_tried_again_look_the_truth_up(bench: Workbench) -> None:
    run = bench.run(["a"], task__lifetime="3d")
    backup = Backup(bench)
    bench.publish(run)
    backup.restore()
    bench.clock.offset = timedelta(hours=30)
    which = {"batch_path": run.batch_path, "run_id": run.run_id}
    MTurkPublishHitsOperator(task_id="publish", shard=0, **which).execute(SECOND_TRY)
    assert len(bench.hits_of(run, "a")) == 1
    bench.answer(run, {"a": ["setosa"] * 2})
    MTurkCollectAndExtendOperator(task_id="collect", deferrable=False, **which).execute(SECOND_TRY)
    assert bench.again(run).ledger.fold().outcomes == {"a": Outcome.SETTLED}
    bench.check(run, {"a": ["setosa"] * 2})


def test_a_run_whose_ledger_is_gone_is_cleared_as_a_whole_and_finds_its_hits(bench: Workbench) -> None:
    script = {"a": DISAGREE, "b": ["setosa"] * 2}
    run = bench.run(list(script), task__lifetime="3d")
    bench.publish(run)
    bench.answer(run, script)
    bench.collect(run)
    shutil.rmtree(bench.folder / "store")
    bench.clock.offset = timedelta(hours=30)
    again = bench.again(run)
    load_dataset(again, relabel=False)
    bench.reserve(again)
    publish_shard(again, 0, look_up=True)
    catch_up(Wave(again, again.ledger.fold()))
    bench.to_the_end(bench.again(run), script)
    bench.check(run, script)


@pytest.mark.parametrize("missing", [0, 1], ids=["all there", "a cent less"])
def test_what_it_paid_before_it_was_planned_anew_is_no_difference(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, missing: int
) -> None:
    monkeypatch.setattr(reconciling, "SETTLE", ())
    monkeypatch.setattr(funds, "SLACK", timedelta())
    script = {"a": DISAGREE, "b": ["setosa"] * 2}
    run = bench.run(list(script))
    bench.publish(run)
    bench.answer(run, script)
    bench.collect(run)
    shutil.rmtree(bench.folder / "store")
    again = bench.again(run)
    load_dataset(again, relabel=False)
    in_a_while = (datetime.now(UTC) + timedelta(seconds=2)).isoformat(timespec="seconds")
    with monkeypatch.context() as patch:  # some time after what was paid, and before what is to be paid
        patch.setattr(spend, "now_text", lambda: in_a_while)
        spend.reserve(again, spend.plan(again), spend.AUTOMATIC)
    publish_shard(again, 0, look_up=True)
    with monkeypatch.context() as patch:
        patch.setattr(collecting, "now_text", lambda: in_a_while)
        catch_up(Wave(again, again.ledger.fold()))
        bench.to_the_end(bench.again(run), script)
    if missing:
        balance = bench.again(run).mturk.balance_cents()
        monkeypatch.setattr(MTurkHook, "balance_cents", lambda _: (balance[0] - missing, balance[1]))
    rows = reconciling.reconcile(bench.again(run)).rows
    assert [row.ledger for row in rows] == ["$0.06 by this run, $0.00 by other runs"] * missing


def test_payments_that_the_workforce_forgot_are_made_by_the_clean_up(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its database is of before the approvals: a bonus would pay the same work twice."""
    monkeypatch.setattr(reconciling, "SETTLE", ())
    run = bench.run(["a"])
    script = {"a": ["setosa"] * 2}
    with monkeypatch.context() as patch:
        patch.setattr(run.mturk, "approve", lambda _: None)
        bench.to_the_end(run, script)
    rows = [row for row in reconciling.reconcile(bench.again(run)).rows if row.what != "funds"]
    assert {row.what for row in rows} == {"paid, but not approved"}
    assert all("clear delete_hits, which approves it" in row.fix for row in rows)
    [hit] = bench.hits_of(run, "a")
    assert clear_hits(bench.again(run))["deleted"] == 1
    assert {each["AssignmentStatus"] for each in bench.assignments(hit)} == {"Approved"}
    assert reconciling.reconcile(bench.again(run)).rows == []
    assert run.ledger.fold().spent_cents == 12


AGREE = {"rule": "agree", "agree": 2, "first": 1, "most": 3}


def killed(*_: Any, **__: Any) -> None:
    raise Killed


def hours_pass(bench: Workbench, run: LabelingRun, hours: int) -> None:
    bench.clock.offset += timedelta(hours=hours)
    bench.monkeypatch.setitem(run.mturk.__dict__, "_clock_offset", bench.clock.offset)


def ends(bench: Workbench, hit: str) -> datetime:
    expires: datetime = bench.call("GetHIT", HITId=hit)["HIT"]["Expiration"]
    return expires


def dying_when_it_moves(bench: Workbench, run: LabelingRun, *, after: bool) -> None:
    """Collect up to the call that gives an extended HIT its lifetime again."""
    move = run.mturk.set_expiration

    def dying(*named: Any) -> None:
        if after:
            move(*named)
        raise Killed

    with bench.monkeypatch.context() as patch:
        patch.setattr(run.mturk, "set_expiration", dying)
        with pytest.raises(Killed):
            bench.collect(bench.again(run))


@pytest.mark.parametrize("hours_to_publish", [0, 5], ids=["", "published long after it was meant"])
def test_a_seat_that_a_dying_task_opened_gets_the_lifetime_that_it_was_to_have(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, hours_to_publish: int
) -> None:
    """Else it is given up and its money goes to another item, while a twin gives it a lifetime after all."""
    run = bench.run(["a"], task__lifetime="2h", redundancy=AGREE)
    if hours_to_publish:
        with monkeypatch.context() as patch:
            patch.setattr(run.mturk, "create_hit", killed)
            with pytest.raises(Killed):
                bench.publish(run)
        hours_pass(bench, run, hours_to_publish)
    bench.publish(bench.again(run))
    bench.answer(run, {"a": ["setosa"]})
    hours_pass(bench, run, 3)
    dying_when_it_moves(bench, run, after=False)
    assert (seats(bench, run, "a"), run.ledger.fold().seats) == (2, {"a": 1})
    again = bench.again(run)
    catch_up(Wave(again, again.ledger.fold()))
    assert bench.collect(bench.again(run)).open == 1
    [hit] = bench.hits_of(run, "a")
    assert bench.seats_open(hit) == 1
    assert ends(bench, hit) > bench.clock.now()
    script = {"a": ["setosa"] * 2}
    bench.to_the_end(bench.again(run), script)
    bench.check(run, script)


def test_a_twin_of_who_opens_a_seat_does_not_take_its_lifetime_for_over(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.run(["a"], task__lifetime="2h", redundancy=AGREE)
    bench.publish(run)
    bench.answer(run, {"a": ["setosa"]})
    hours_pass(bench, run, 3)
    wave = Wave(bench.again(run), run.ledger.fold())  # knows nothing of what the other is about to do
    move = run.mturk.set_expiration

    def overtaken(*named: Any) -> None:
        monkeypatch.setattr(run.mturk, "set_expiration", move)
        catch_up(wave)
        bench.collect(bench.again(run))
        move(*named)

    monkeypatch.setattr(run.mturk, "set_expiration", overtaken)
    assert bench.collect(bench.again(run)).open == 1
    assert run.ledger.fold().outcomes == {}
    script = {"a": ["setosa"] * 2}
    bench.to_the_end(bench.again(run), script)
    bench.check(run, script)


def test_a_seat_whose_new_lifetime_is_over_is_not_opened_once_more(bench: Workbench) -> None:
    run = bench.run(["a"], task__lifetime="2h", redundancy=AGREE)
    bench.publish(run)
    bench.answer(run, {"a": ["setosa"]})
    hours_pass(bench, run, 3)
    dying_when_it_moves(bench, run, after=True)
    hours_pass(bench, run, 3)
    again = bench.again(run)
    catch_up(Wave(again, again.ledger.fold()))
    bench.collect(bench.again(run))
    assert run.ledger.fold().outcomes == {"a": Outcome.EXPIRED}
    [hit] = bench.hits_of(run, "a")
    assert ends(bench, hit) < bench.clock.now()
