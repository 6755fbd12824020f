"""The tasks of dags/pay_worker.py, one after the other, with what Airflow would hand from one to the next."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from dags import pay_worker
from groundswell.aws.sensors.make_up import MTurkHitSensor
from tests.groundswell.aws.desk import Desk, Pulled, Served

pytestmark = pytest.mark.contract

APPROVED = {"chosen_options": ["Approve"], "responded_by_user": {"id": "7", "name": "rita"}}


@pytest.fixture
def desk(shared_market: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(shared_market, tmp_path, monkeypatch)
    desk.batch_file(["a"])
    monkeypatch.setattr(pay_worker, "BATCHES", desk.folder)
    return desk


@pytest.fixture
def params(desk: Desk) -> dict[str, Any]:
    worker = desk.market.workers.ensure_worker(f"A{uuid.uuid4().hex[:13].upper()}").worker_id
    asked = {"batch": "iris", "worker_id": worker, "amount": "1.50", "case": "mail-1"}
    asked["reason"] = "It <b>broke</b> {{ 7*7 }} ]]> | `x`"
    return {name: param.value for name, param in pay_worker.PARAMS.items()} | asked


def rendered(task_id: str, ti: Pulled, params: dict[str, Any]) -> Any:
    """Return a copy of a task of the DAG with its templates rendered."""
    task = pay_worker.approve.dag.get_task(task_id).prepare_for_execution()
    task.render_template_fields({"ti": ti, "params": params})
    return task


def test_from_the_plan_to_the_settled_make_up_hit(desk: Desk, params: dict[str, Any]) -> None:
    ti = Pulled({"plan": pay_worker.plan.function(params=params)})
    asked = rendered("approve", ti, params)
    assert asked.subject == f"Pay worker {params['worker_id']}, case mail-1"
    assert "The worker reads: `It <b>broke</b> {{ 7*7 }} ]]> \u00a6 'x'`" in asked.body

    with pytest.raises(AirflowFailException, match="nobody approved it"):
        pay_worker.pay.function(params=params, ti=ti)  # the approval was marked as a success
    ti.results["approve"] = APPROVED
    ti.results["pay"] = pay_worker.pay.function(params=params, ti=ti)

    wait = rendered("wait_for_worker", ti, params)
    assert isinstance(wait, MTurkHitSensor)
    assert (wait.hit_id, wait.hit_type_id) == (ti.results["pay"]["hit"], ti.results["pay"]["hit_type"])
    assert wait.aws_conn_id == "mturk_default"
    question = desk.market.workers.question(wait.hit_id)
    assert "It &lt;b&gt;broke&lt;/b&gt; {{ 7*7 }} ]]&gt; | `x`" in str(question)

    assignment = desk.market.workers.accept(params["worker_id"], wait.hit_id).assignment_id
    desk.market.workers.submit(assignment, [("case", "mail-1")], worker_id=params["worker_id"])
    assert pay_worker.settle.function(params=params) == {"paid_cents": 180}
    with pytest.raises(AirflowSkipException, match="was paid before"):
        pay_worker.plan.function(params=params)


def test_where_there_is_no_hit_nobody_waits(params: dict[str, Any]) -> None:
    ti = Pulled({"plan": {"connection": "mturk_default"}, "pay": {"hit": "", "hit_type": ""}})
    with pytest.raises(AirflowSkipException):
        rendered("wait_for_worker", ti, params).execute({})
