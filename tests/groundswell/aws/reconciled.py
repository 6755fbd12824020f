"""Runs on a market whose books are held against it, for tests of that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from groundswell.aws.reconciling import Reconciliation, reconcile
from groundswell.aws.runs import LabelingRun, now_text
from tests.groundswell.aws.desk import Desk

SCRIPT = {"a": ["setosa"] * 2, "b": ["setosa", "virginica", "virginica"]}


def started(desk: Desk, **changes: Any) -> LabelingRun:
    """Start a run, with the plan that says what the account has."""
    run = desk.run(list(SCRIPT), **changes)
    plan(desk, run)
    return run


def plan(desk: Desk, run: LabelingRun, at: str = "") -> None:
    funds = sum(desk._mturk.balance_cents())
    row = {"at": at or now_text(), "funds_cents": funds, "reward_cents": 5, "fee_cents": 1}
    run.ledger.append("spend", [row])


def finished(desk: Desk, **changes: Any) -> LabelingRun:
    """Label two items by five answers."""
    run = started(desk, **changes)
    desk.to_the_end(run, SCRIPT)
    return run


def look(desk: Desk, run: LabelingRun) -> Reconciliation:
    return reconcile(desk.again(run))


def whats(found: Reconciliation) -> list[str]:
    return sorted(row.what for row in found.rows)


def hit_of(run: LabelingRun, item: str) -> str:
    return str(run.ledger.fold().hits[item]["hit"])


def submit(desk: Desk, hit: str, worker: str, label: str = "setosa") -> str:
    name = desk.market.workers.ensure_worker(worker).worker_id
    assignment = desk.market.workers.accept(name, hit).assignment_id
    desk.market.workers.submit(assignment, [("label", label)], worker_id=name)
    return str(assignment)


def later() -> str:
    """A time that is certainly after the plan, whatever clock it was taken from."""
    return (datetime.now(UTC) + timedelta(minutes=5)).isoformat(timespec="seconds")


def spend(desk: Desk) -> None:
    """Somebody else pays an answer from the account."""
    other = desk.run(["z"])
    desk.publish(other)
    hit = hit_of(other, "z")
    desk.call("ApproveAssignment", AssignmentId=submit(desk, hit, "AELSEWHERE"))
