"""Runs that go on after their ledger was restored from a backup, or the workforce's database was."""

from __future__ import annotations

import shutil
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from groundswell.aws.catching_up import catch_up
from groundswell.aws.collecting import Wave
from groundswell.aws.operators.mturk import MTurkCollectAndExtendOperator, MTurkPublishHitsOperator
from groundswell.aws.publishing import publish_shard
from groundswell.aws.runs import LabelingRun
from groundswell.ledger import Outcome
from tests.groundswell.aws.workbench import Workbench

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
