"""Compensations that were approved and came to no end."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from groundswell.aws.compensating import Compensation, opened
from groundswell.errors import CompensationError
from groundswell.ledger import Ledger
from tests.groundswell.aws.janitor.broom import Broom

pytestmark = pytest.mark.contract


@pytest.fixture
def case(broom: Broom) -> dict[str, Any]:
    worker = f"A{uuid.uuid4().hex[:13].upper()}"
    broom.market.workers.ensure_worker(worker)
    broom.batch_file(["a"], name=broom.name)
    return {
        "batch": broom.name,
        "worker_id": worker,
        "amount": "1.50",
        "reason": "The page broke",
        "case": "mail-1",
        "assignment": "",
        "undo_rejection": False,
    }


def pay(broom: Broom, case: dict[str, Any]) -> dict[str, Any]:
    with opened(broom.folder, case) as compensation:
        return compensation.pay(compensation.plan(), "rita")


def found(broom: Broom) -> list[str]:
    return [each.what for each in broom.survey(broom.folder / "batch.yaml")]


def test_a_make_up_hit_that_nobody_settled(broom: Broom, case: dict[str, Any]) -> None:
    offered = pay(broom, case)
    assert found(broom) == [], "the worker has time"
    broom.clock.offset += timedelta(days=15)
    said = (
        f"case mail-1 ($1.50) was approved, and its make-up HIT {offered['hit']} is over and was not settled"
    )
    assert found(broom) == [said]
    [finding] = broom.repair(broom.folder / "batch.yaml")
    assert finding.result == "left: it takes a person"
    with opened(broom.folder, case) as compensation, pytest.raises(CompensationError):
        compensation.settle()
    assert found(broom) == []


def test_a_payment_that_failed_after_its_approval(
    broom: Broom, case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = broom.begin("a")
    assignment = broom.market.workers.accept(case["worker_id"], broom.hit_of(run, "a")).assignment_id
    broom.market.workers.submit(assignment, [("label", "setosa")], worker_id=case["worker_id"])
    broom.submit(broom.hit_of(run, "a"))
    broom.collect(run)
    broom.running[run.run_id] = True

    def fails(*_: object) -> None:
        raise CompensationError("no funds")

    with monkeypatch.context() as patch:
        patch.setattr(Compensation, "_send_bonus", fails)
        with pytest.raises(AirflowFailException, match="no funds"):
            pay(broom, case)
    assert found(broom) == ["case mail-1 ($1.50) was approved, and nothing was paid"]
    pay(broom, case)
    assert found(broom) == []


def test_an_undone_rejection_is_booked_with_its_run(broom: Broom, case: dict[str, Any]) -> None:
    store = broom.begin("a", publish=False).store
    broom.running = dict.fromkeys(store.folders(f"{broom.name}/"), True)
    fixed = {"mode": "undo_rejection", "worker": case["worker_id"], "assignment": "3A", "run_id": "r"}
    at = "2026-01-01T00:00:00+00:00"
    ledger = Ledger(store, "_compensations", f"{broom.name}/mail-2")
    ledger.write("intents", "case", [fixed | {"cents": 5, "token": "t", "item": "x", "at": at}])
    ledger.append("approvals", [{"what": "compensation", "at": at, "by": "rita", "limit_cents": 6}])
    assert found(broom) == ["case mail-2 ($0.05) was approved, and nothing was paid"]
    paid = {"assignment": "3A", "item": "a", "cents": 6, "at": at}
    Ledger(store, broom.name, "r").append("payments", [paid])
    broom.running["r"] = True
    assert found(broom) == []
